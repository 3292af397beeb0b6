//! Plugins and configuration change while traffic flows.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Client, Gateway, Load, Upstream, copy_plugin, eventually, lay_out, one_route, plugin_bytes,
    put, within,
};

/// How soon a change must be live.
const SOON: Duration = Duration::from_secs(1);

/// How soon where something else takes the processors meanwhile: plugins are
/// compiled with low priority.
const AT_LAST: Duration = Duration::from_secs(20);

/// How many changes are made, and how many more at most until one is live soon.
const CHANGES: usize = 3;
const MORE: usize = 6;

const HELLO: &str = "routes:\n  - name: hello\n    match: { path: /hello }\n    pipeline: [{ plugin: hello-filter }]\n";

/// The same with somebody else to greet.
fn greeting(name: &str) -> String {
    HELLO.replace(
        "hello-filter }",
        &format!("hello-filter, config: {{ name: {name} }} }}"),
    )
}

/// A plugin that does the same and is another file: a custom section more.
fn touched(plugin: &str) -> Vec<u8> {
    let mut bytes = plugin_bytes(plugin);
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    bytes
}

fn says(gateway: &Gateway, text: &str) -> bool {
    gateway.get("/hello").text() == text
}

/// How long it takes until this is said.
#[track_caller]
fn live(gateway: &Gateway, text: &str) -> Duration {
    let begun = Instant::now();
    let live = within(AT_LAST, || says(gateway, text));
    assert!(live, "never said: {text}");
    begun.elapsed()
}

/// Makes changes, each of which says how long it took until it was live.
#[track_caller]
fn one_is_live_soon<T>(changes: impl Iterator<Item = T>, make: impl FnMut(T) -> Duration) {
    let mut took = changes.map(make);
    let best = took.by_ref().take(CHANGES).min().expect("some changes");
    let soon = best < SOON || took.take(MORE).any(|took| took < SOON);
    assert!(soon, "no change was live in a second");
}

#[test]
fn a_plugin_copied_over_a_running_one_is_live_within_a_second_and_no_request_fails() {
    let gateway = Gateway::start(&["hello-filter"], HELLO);
    let load = Load::start(gateway.address, 4, "/hello", |reply| {
        let known = ["hello, world!\n", "hello again, world!\n"];
        reply.status == 200 && known.contains(&reply.text().as_str())
    });
    eventually("requests are answered", || load.answered() > 100);
    let file = gateway.plugins().join("hello-filter.wasm");
    let versions = [
        ("hello-again", "hello again, world!\n"),
        ("hello-filter", "hello, world!\n"),
    ];
    let changes = versions.iter().cycle();
    one_is_live_soon(changes, |(plugin, text)| {
        fs::write(&file, plugin_bytes(plugin)).unwrap();
        let took = live(&gateway, text);
        // Both workers have it: no client is answered by the old one any more.
        for _ in 0..20 {
            assert!(says(&gateway, text), "{text}");
        }
        took
    });
    let (answered, failures) = load.stop();
    assert!(failures.is_empty(), "of {answered}: {failures:?}");
}

#[test]
fn a_changed_configuration_is_live_within_a_second_and_no_request_fails() {
    let gateway = Gateway::start(&["hello-filter"], HELLO);
    let load = Load::start(gateway.address, 4, "/hello", |reply| reply.status == 200);
    one_is_live_soon(["Ann", "Bob", "Carol"].iter().cycle(), |name| {
        gateway.write_config(&greeting(name));
        live(&gateway, &format!("hello, {name}!\n"))
    });
    let (answered, failures) = load.stop();
    assert!(failures.is_empty(), "of {answered}: {failures:?}");
}

/// Waits until one more reload than `before` was refused.
#[track_caller]
fn refused(gateway: &Gateway, before: f64, what: &str) -> String {
    eventually(what, || gateway.refused_reloads() > before);
    let last = gateway.last_reload();
    assert_eq!(last["ok"], false, "{what}");
    last["error"].as_str().expect("a reason").to_owned()
}

#[test]
fn a_broken_plugin_changes_nothing_and_says_why() {
    let gateway = Gateway::start(&["hello-filter"], HELLO);
    let whole = plugin_bytes("hello-filter");
    let file = gateway.plugins().join("hello-filter.wasm");
    let broken: [(&str, &[u8]); 4] = [
        ("empty", b""),
        ("text", b"this is no component"),
        ("truncated", &whole[..whole.len() / 2]),
        ("a core module", b"\0asm\x01\0\0\0"),
    ];
    for (what, bytes) in broken {
        let before = gateway.refused_reloads();
        put(bytes, &file);
        let reason = refused(&gateway, before, what);
        assert!(
            reason.contains("hello-filter.wasm cannot be used: "),
            "{what}: {reason}"
        );
        assert!(reason.contains("portcullis.yaml:"), "{what}: {reason}");
        assert!(
            gateway.log().contains(&reason),
            "{what}: not in the log: {reason}"
        );
        assert_eq!(gateway.generation(), 1, "{what}");
        assert!(says(&gateway, "hello, world!\n"), "{what}");
        let plugin = gateway.admin("/api/v1/plugins").json()["plugins"][0].clone();
        assert_eq!(plugin["state"], "serving", "{what}");
        assert!(plugin["error"].is_string(), "{what}: {plugin}");
    }
    fs::remove_file(&file).unwrap();
    eventually("the missing file is told", || {
        gateway.last_reload()["error"]
            .as_str()
            .is_some_and(|e| e.contains("there is no plugin"))
    });
    assert!(says(&gateway, "hello, world!\n"));

    copy_plugin("hello-again", &file);
    eventually("a good plugin is live", || {
        says(&gateway, "hello again, world!\n")
    });
    assert_eq!(gateway.last_reload()["ok"], true);
    assert_eq!(gateway.generation(), 2);
}

#[test]
fn a_broken_configuration_changes_nothing_and_says_why() {
    let gateway = Gateway::start(&["hello-filter"], HELLO);
    // HEAD has three lines.
    let broken = [
        ("routes: [", "portcullis.yaml:"),
        ("rotues: []\n", "portcullis.yaml:4:1: rotues: unknown key"),
        (
            &*HELLO.replace("hello-filter", "helo"),
            "there is no plugin `helo`",
        ),
        (
            &*HELLO.replace("hello-filter", "hello-filter, config: { name: \"\" }"),
            "there is nobody to greet",
        ),
        (
            &*format!("{HELLO}    service: nowhere\n"),
            "there is no service `nowhere`",
        ),
        (
            &*format!("{HELLO}    timeout: long\n"),
            "`long` is not a duration",
        ),
    ];
    for (config, expected) in broken {
        let before = gateway.refused_reloads();
        gateway.write_config(config);
        let reason = refused(&gateway, before, config);
        assert!(reason.contains(expected), "{expected}: {reason}");
        assert!(gateway.log().contains(&reason), "not in the log: {reason}");
        assert!(says(&gateway, "hello, world!\n"), "{config}");
        assert_eq!(gateway.generation(), 1, "{config}");
        assert_eq!(gateway.admin("/ready").status, 200);
    }
    gateway.write_config(&greeting("Ann"));
    eventually("a good configuration is live", || {
        says(&gateway, "hello, Ann!\n")
    });
    assert_eq!(gateway.last_reload()["ok"], true);
}

#[test]
fn a_service_that_cannot_be_resolved_changes_nothing() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let before = gateway.refused_reloads();
    gateway.write_config(
        &one_route(&[upstream.address], "", "")
            .replace(&upstream.address.to_string(), "nowhere.invalid:1"),
    );
    let reason = refused(&gateway, before, "an unknown name");
    assert!(reason.contains("nowhere.invalid:1"), "{reason}");
    assert_eq!(gateway.get("/a").status, 200);
}

/// Writes a file in place in two halves; `between` runs when half of it is there.
fn write_in_halves(file: &Path, bytes: &[u8], between: impl FnOnce()) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut file = File::create(file).expect("a file is written");
    file.write_all(first).expect("a file is written");
    file.sync_all().expect("a file is written");
    between();
    file.write_all(second).expect("a file is written");
}

#[test]
fn a_file_written_in_place_is_not_taken_half() {
    let gateway = Gateway::start(&["hello-filter"], HELLO);
    let plugin = gateway.plugins().join("hello-filter.wasm");
    let before = gateway.refused_reloads();
    write_in_halves(&plugin, &plugin_bytes("hello-again"), || {
        refused(&gateway, before, "half a plugin is refused");
        assert!(says(&gateway, "hello, world!\n"));
    });
    eventually("the whole plugin is live", || {
        says(&gateway, "hello again, world!\n")
    });

    let config = fs::read_to_string(gateway.config_file()).unwrap();
    let head = config.split("routes:").next().unwrap();
    // Half of it is a line that is not finished.
    let config = format!("{head}{}# {}\n", greeting("Ann"), "-".repeat(10));
    let before = gateway.refused_reloads();
    write_in_halves(&gateway.config_file(), config.as_bytes(), || {
        refused(&gateway, before, "half a configuration is refused");
        assert!(says(&gateway, "hello again, world!\n"));
    });
    eventually("the whole configuration is live", || {
        says(&gateway, "hello again, Ann!\n")
    });
}

/// Makes a version of a mounted directory current, as Kubernetes does it.
fn swap_data(directory: &Path, version: &str, files: &[(&str, &[u8])]) {
    let to = directory.join(format!("..{version}"));
    fs::create_dir(&to).expect("a directory");
    for (name, bytes) in files {
        fs::write(to.join(name), bytes).expect("a file is written");
    }
    let new = directory.join("..data_tmp");
    symlink(format!("..{version}"), &new).expect("a file is written");
    fs::rename(new, directory.join("..data")).expect("a file is written");
}

#[test]
fn files_mounted_by_links_are_swapped() {
    let directory = lay_out(&[], HELLO);
    let (root, plugins) = (
        directory.path().to_owned(),
        directory.path().join("plugins"),
    );
    let config = fs::read_to_string(root.join("portcullis.yaml")).unwrap();
    fs::remove_file(root.join("portcullis.yaml")).unwrap();
    swap_data(&root, "v1", &[("portcullis.yaml", config.as_bytes())]);
    swap_data(
        &plugins,
        "v1",
        &[("hello-filter.wasm", &plugin_bytes("hello-filter"))],
    );
    symlink("..data/portcullis.yaml", root.join("portcullis.yaml")).unwrap();
    symlink(
        "..data/hello-filter.wasm",
        plugins.join("hello-filter.wasm"),
    )
    .unwrap();
    let gateway = Gateway::start_in(directory, &[]);
    assert!(says(&gateway, "hello, world!\n"));

    let config = config.replace(HELLO, &greeting("Ann"));
    for version in ["v2", "v3"] {
        let config = config.replace("Ann", version);
        swap_data(&root, version, &[("portcullis.yaml", config.as_bytes())]);
        let text = format!("hello, {version}!\n");
        live(&gateway, &text);
    }
    swap_data(
        &plugins,
        "v2",
        &[("hello-filter.wasm", &plugin_bytes("hello-again"))],
    );
    live(&gateway, "hello again, v3!\n");
}

/// Reloads a plugin and the configuration, and waits until both are live.
#[track_caller]
fn reload_both(gateway: &Gateway, plugin: &str, config: &str) {
    let generation = gateway.generation();
    put(
        &touched(plugin),
        &gateway.plugins().join(format!("{plugin}.wasm")),
    );
    eventually("the plugin is live", || gateway.generation() > generation);
    let generation = gateway.generation();
    gateway.write_config(config);
    eventually("the configuration is live", || {
        gateway.generation() > generation
    });
}

#[test]
fn counters_survive() {
    let upstream = Upstream::start("a");
    let config = one_route(
        &[upstream.address],
        "",
        "pipeline: [{ plugin: rate-limit, config: { requests: 5, per: 1h } }]",
    );
    let gateway = Gateway::start(&["rate-limit"], &config);
    for _ in 0..3 {
        assert_eq!(gateway.get("/a").status, 200);
    }
    reload_both(
        &gateway,
        "rate-limit",
        &format!("{config}    timeout: 9s\n"),
    );
    let statuses: Vec<u16> = (0..3).map(|_| gateway.get("/a").status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 429]);
}

#[test]
fn an_open_breaker_stays_open() {
    let upstream = Upstream::start("a");
    let config = one_route(
        &[upstream.address],
        "",
        "pipeline: [{ plugin: circuit-breaker, config: { failure_threshold: 2, timeout: 1h } }]",
    );
    let gateway = Gateway::start(&["circuit-breaker"], &config);
    upstream.answer_with(500);
    for _ in 0..2 {
        assert_eq!(gateway.get("/a").status, 500);
    }
    assert_eq!(gateway.get("/a").status, 503);
    upstream.answer_with(200);
    reload_both(
        &gateway,
        "circuit-breaker",
        &format!("{config}    timeout: 9s\n"),
    );
    let hits = upstream.hits();
    for _ in 0..10 {
        assert_eq!(gateway.get("/a").status, 503);
    }
    assert_eq!(upstream.hits(), hits);
}

#[test]
fn an_unhealthy_instance_stays_out() {
    let (well, ill) = (Upstream::start("well"), Upstream::start("ill"));
    ill.healthy(false);
    let check = "health_check: { path: /health, interval: 1s, timeout: 1s, unhealthy_after: 1 }";
    let config = one_route(&[well.address, ill.address], check, "");
    let gateway = Gateway::start(&[], &config);
    let address = ill.address.to_string();
    let is_out = || {
        let services = gateway.admin("/api/v1/services").json();
        let instances = services["services"][0]["instances"].as_array().cloned();
        let instances = instances.expect("a list");
        let found = instances
            .iter()
            .find(|instance| instance["address"] == address.as_str());
        found.expect("the instance")["healthy"] == false
    };
    eventually("the instance is found to be ill", is_out);
    let hits = ill.hits();
    let load = Load::start(gateway.address, 2, "/a", |reply| reply.status == 200);
    for timeout in ["7s", "8s", "9s"] {
        let generation = gateway.generation();
        gateway.write_config(&format!("{config}    timeout: {timeout}\n"));
        eventually("a reload", || gateway.generation() > generation);
        assert!(is_out());
    }
    let (answered, failures) = load.stop();
    assert!(failures.is_empty(), "of {answered}: {failures:?}");
    assert_eq!(ill.hits(), hits);
}

#[test]
fn requests_in_flight_finish_on_what_they_started_with() {
    let upstream = Upstream::start("a");
    let config = |version: &str, path: &str| {
        let header = format!(
            "pipeline: [{{ plugin: headers, config: {{ response: {{ set: {{ x-version: {version} }} }} }} }}]"
        );
        one_route(&[upstream.address], "", &header).replace("/{*rest}", path)
    };
    let gateway = Gateway::start(&["headers"], &config("one", "/one"));
    upstream.delay(Duration::from_secs(10));
    let address = gateway.address;
    let flight = thread::spawn(move || Client::new(address).get("/one", &[]));
    eventually("the request is with the upstream", || upstream.hits() == 1);

    // Its route, its plugin and its configuration are all gone before it ends.
    upstream.delay(Duration::ZERO);
    put(&touched("headers"), &gateway.plugins().join("headers.wasm"));
    gateway.write_config(&config("two", "/two"));
    eventually("the new route is live", || {
        gateway.get("/two").status == 200
    });
    assert_eq!(gateway.get("/two").header("x-version"), "two");
    assert_eq!(gateway.get("/one").status, 404);
    assert!(!flight.is_finished(), "too slow a machine for this test");

    let reply = flight.join().unwrap();
    assert_eq!(
        (reply.status.as_u16(), reply.header("x-version")),
        (200, "one")
    );
}
