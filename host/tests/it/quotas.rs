//! What a plugin may use and reach, as an operator notices it.

use std::time::Duration;

use crate::support::{
    Client, Gateway, Upstream, check, command, eventually, hostile, lay_out, one_route, put,
    wanting,
};

/// A gateway whose route runs a plugin that each request tells in `x-deed`
/// what to do. `step` and `plugins` are more keys of either.
fn gateway(upstream: &Upstream, plugin: &[u8], step: &str, plugins: &str) -> Gateway {
    let step = format!("pipeline: [{{ plugin: hostile, config: \"request:as-asked\"{step} }}]");
    let config = one_route(&[upstream.address], "", &step);
    let config = format!("plugins: {{ {plugins} }}\n{config}");
    let directory = lay_out(&[], &config);
    put(plugin, &directory.path().join("plugins/hostile.wasm"));
    Gateway::start_in(directory, &[])
}

#[track_caller]
fn limited(gateway: &Gateway, limit: &str) -> f64 {
    let series = format!("portcullis_plugin_limited_total{{plugin=\"hostile\",limit=\"{limit}\"}}");
    gateway.metric(&series).unwrap_or(0.0)
}

fn ask(client: &mut Client, deed: &str, numbers: &[(&str, &str)]) -> u16 {
    let headers = [&[("x-deed", deed)], numbers].concat();
    client.get("/a", &headers).status.as_u16()
}

#[test]
fn a_flood_of_lines_does_not_fill_the_log() {
    let upstream = Upstream::start("a");
    let gateway = gateway(
        &upstream,
        hostile(),
        ", limits: { log_lines: 5, call_timeout: 5s }",
        "",
    );
    let mut client = gateway.client();
    for _ in 0..4 {
        let count = [("x-count", "1000")];
        assert_eq!(ask(&mut client, "flood-log", &count), 200);
    }
    let lost = limited(&gateway, "log_lines");
    let logged = gateway.log().matches("of a flood").count();
    assert_eq!(lost + logged as f64, 4_000.0, "each is there or counted");
    // Five in each second that passed meanwhile.
    assert!((5..=500).contains(&logged), "{logged} lines");
}

#[test]
fn a_flood_of_counters_costs_no_other_plugin_any() {
    let upstream = Upstream::start("a");
    let plugins = "named: { hostile: { limits: { counters: 50, call_timeout: 5s } } }";
    let gateway = gateway(&upstream, hostile(), "", plugins);
    let count = [("x-count", "500")];
    assert_eq!(ask(&mut gateway.client(), "flood-counters", &count), 200);
    assert_eq!(gateway.metric("portcullis_state_entries"), Some(50.0));
    assert_eq!(limited(&gateway, "counters"), 450.0);
}

#[test]
fn stored_values_are_bounded() {
    let upstream = Upstream::start("a");
    let step = ", allow: { store: true, discovery: true }, limits: { store_bytes: 100KiB, call_timeout: 5s }";
    let gateway = gateway(&upstream, wanting(), step, "");
    let numbers = [("x-count", "200"), ("x-bytes", "4000")];
    assert_eq!(ask(&mut gateway.client(), "store", &numbers), 200);
    let kept = gateway
        .metric("portcullis_state_value_bytes")
        .unwrap_or(0.0);
    assert!((90_000.0..=102_400.0).contains(&kept), "{kept} bytes");
    assert!(limited(&gateway, "store") > 100.0);
}

#[test]
fn an_answer_beyond_its_size_and_calls_beyond_their_number_are_refused() {
    let upstream = Upstream::start("a");
    let limits = "limits: { response_size: 1KiB, host_calls: 1000, call_timeout: 5s }";
    let gateway = gateway(&upstream, hostile(), "", limits);
    let mut client = gateway.client();
    assert_eq!(ask(&mut client, "answer", &[("x-bytes", "1024")]), 200);
    assert_eq!(ask(&mut client, "answer", &[("x-bytes", "1025")]), 503);
    assert_eq!(limited(&gateway, "response_size"), 1.0);
    assert_eq!(ask(&mut client, "spin-in-calls", &[]), 503);
    assert_eq!(limited(&gateway, "host_calls"), 1.0);
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn one_instance_too_many_is_an_answer_of_503() {
    let upstream = Upstream::start("a");
    let step = ", isolation: per_request, limits: { instances: 1 }";
    let gateway = gateway(&upstream, hostile(), step, "");
    // The instance is the request's until its answer is sent: one after the
    // other they fit.
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "nothing", &[]), 200);
    }
    assert_eq!(limited(&gateway, "instances"), 0.0);

    upstream.delay(Duration::from_secs(2));
    let held = std::thread::scope(|scope| {
        let held = scope.spawn(|| ask(&mut client, "nothing", &[]));
        eventually("a request is upstream", || upstream.hits() == 4);
        assert_eq!(ask(&mut gateway.client(), "nothing", &[]), 503);
        held.join().expect("a reply")
    });
    assert_eq!(held, 200);
    // Its completion hook found no room either.
    assert!(limited(&gateway, "instances") >= 1.0);
    upstream.delay(Duration::ZERO);
    assert_eq!(ask(&mut client, "nothing", &[]), 200, "there is room again");
}

#[test]
fn an_instance_that_has_no_more_to_do_is_not_kept_until_the_answer() {
    let upstream = Upstream::start("a");
    let rules = "config: { rules: [{ prefix: /a, to: /b }] }";
    let step = "isolation: per_request, limits: { instances: 1 }";
    let pipeline = format!("pipeline: [{{ plugin: rewrite, {rules}, {step} }}]");
    let config = one_route(&[upstream.address], "", &pipeline);
    let gateway = Gateway::start(&["rewrite"], &config);
    upstream.delay(Duration::from_secs(2));
    std::thread::scope(|scope| {
        let ask = || gateway.client().get("/a", &[]).status.as_u16();
        let asking: Vec<_> = (1..=3)
            .map(|number| {
                let asked = scope.spawn(ask);
                // The others wait there, each after its hook.
                eventually("a request is upstream", || upstream.hits() == number);
                asked
            })
            .collect();
        for asked in asking {
            assert_eq!(asked.join().expect("a reply"), 200);
        }
    });
}

/// A whole configuration, with a step of the plugin that wants all there is.
fn wanting_all(step: &str, named: &str) -> String {
    format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]
plugins: {{ named: {{ hostile: {{ {named} }} }} }}
services: {{ users: {{}}, orders: {{}}, s: {{}} }}
routes:
  - name: r
    pipeline: [{{ plugin: hostile, config: \"request:tell-services\"{step} }}]
    service: s
"
    )
}

/// What `check` says: its exit code, and its words.
fn checked(config: &str) -> (Option<i32>, String) {
    let directory = lay_out(&[], "");
    put(wanting(), &directory.path().join("plugins/hostile.wasm"));
    let file = directory.path().join("portcullis.yaml");
    std::fs::write(&file, config).expect("a file is written");
    let output = command(&["check", "--config", file.to_str().expect("text")], &[]);
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8(words).expect("UTF-8"),
    )
}

#[test]
fn what_reaches_further_has_to_be_allowed_by_name() {
    let (code, said) = checked(&wanting_all("", ""));
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "portcullis.yaml:6:16: routes[0].pipeline[0].allow: needs what is not granted: ",
        "portcullis:gateway/store@0.1.0, portcullis:gateway/discovery@0.1.0",
        "hint: if `hostile` may have it: `allow: { store: true, discovery: true }`",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let everywhere = wanting_all("", "allow: { store: true, discovery: true }");
    let (code, said) = checked(&everywhere);
    assert_eq!(code, Some(0), "{said}");
    let granted = "route r: hostile may use counters, store, discovery, crypto, log, metrics, ";
    assert!(said.contains(granted), "{said}");

    let here = ", allow: { store: false, discovery: [userz] }";
    let (code, said) = checked(&wanting_all(here, "allow: { store: true }"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no service `userz`"), "{said}");
    assert!(said.contains("did you mean `users`?"), "{said}");

    let (_, said) = checked(&everywhere.replace("named: { hostile:", "named: { hostle:"));
    let mistake = "plugins.named.hostle: there is no plugin `hostle`";
    assert!(said.contains(mistake), "{said}");
}

#[test]
fn discovery_shows_the_services_that_are_allowed_and_the_admin_api_says_which() {
    let config = wanting_all(", allow: { store: true, discovery: [users] }", "");
    let config = config.split_once('\n').expect("lines").1;
    let directory = lay_out(&[], config);
    put(wanting(), &directory.path().join("plugins/hostile.wasm"));
    let gateway = Gateway::start_in(directory, &[]);
    assert_eq!(gateway.get("/").text(), "users | users");

    let filter = &gateway.admin("/api/v1/routes").json()["routes"][0]["filters"][0];
    assert_eq!(filter["allow"]["discovery"], serde_json::json!(["users"]));
    assert_eq!(filter["allow"]["store"], true);
    assert_eq!(filter["limits"]["log_lines"], 1_000);
    assert_eq!(filter["namespace"], "hostile");
    let plugin = &gateway.admin("/api/v1/plugins").json()["plugins"][0];
    let wants = plugin["capabilities"].as_array().expect("a list");
    assert!(wants.contains(&"store".into()), "{plugin}");
    assert_eq!(plugin["uses"][0]["route"], "r");
    assert_eq!(plugin["uses"][0]["allow"], filter["allow"]);
}

#[test]
fn routes_share_limits_by_an_explicit_name_only() {
    let upstream = Upstream::start("a");
    let route = |name: &str, step: &str| {
        format!(
            "  - name: {name}
    match: {{ path: /{name} }}
    pipeline: [{{ plugin: rate-limit, config: {{ requests: 1, per: 1h, name: one, key: route }}{step} }}]
    service: s
"
        )
    };
    let own = ", namespace: own";
    let config = format!(
        "services: {{ s: {{ instances: [{{ address: \"{}\" }}] }} }}\nroutes:\n{}{}{}{}",
        upstream.address,
        route("a", ""),
        route("b", ""),
        route("c", own),
        route("d", own),
    );
    let gateway = Gateway::start(&["rate-limit"], &config);
    for (path, status) in [("/a", 200), ("/b", 429), ("/c", 200), ("/d", 429)] {
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
}

#[test]
fn a_file_beyond_its_size_is_not_loaded() {
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]
plugins: { limits: { file_size: 2KiB } }
routes: [{ name: r, pipeline: [{ plugin: rate-limit, config: { requests: 1, per: 1s } }] }]
";
    let output = check(&["rate-limit"], config, &[]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let limit = "the limit is 2048 (`plugins.limits.file_size`)";
    assert!(said.contains(limit), "{said}");
}
