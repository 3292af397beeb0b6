//! Filters that ask others: whom they may, what they get, and what bounds them.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::support::{
    Authority, Gateway, Reply, Scripted, Upstream, Wire, asking, eventually, lay_out, modest,
    one_route, peak_memory, put, start_with_files,
};

/// A route through the plugin, with this `allow` and more of its step.
fn config(upstream: &Upstream, allow: &str, step: &str) -> String {
    let step = format!("pipeline: [{{ plugin: asking, allow: {{ {allow} }}{step} }}]");
    one_route(&[upstream.address], "", &step)
}

fn gateway(upstream: &Upstream, allow: &str, limits: &str) -> Gateway {
    start_with_files(
        &[("asking", asking())],
        limits,
        &config(upstream, allow, ""),
    )
}

/// What the plugin says of a deed.
#[track_caller]
fn told(gateway: &Gateway, deed: &str) -> String {
    let reply = reply(gateway, deed);
    assert_eq!(reply.status, 200, "{deed}: {}", reply.text());
    reply.text()
}

#[track_caller]
fn reply(gateway: &Gateway, deed: &str) -> Reply {
    gateway.client().get("/", &[("x-do", deed)])
}

fn limited(gateway: &Gateway, limit: &str) -> f64 {
    let labels = format!("{{plugin=\"asking\",limit=\"{limit}\"}}");
    let series = format!("portcullis_plugin_limited_total{labels}");
    gateway.metric(&series).unwrap_or(0.0)
}

#[test]
fn a_filter_asks_services_and_hosts_and_is_tied_to_the_request() {
    let (upstream, other) = (Upstream::start("a"), Upstream::start("b"));
    let url = format!("http://{}", other.address);
    let gateway = gateway(&upstream, &format!("http: [s, \"{url}\"]"), "{}");
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let asked = |deed: &str| {
        let headers = [
            ("x-do", deed),
            ("traceparent", trace),
            ("tracestate", "a=b"),
            ("x-request-id", "id-1"),
            ("authorization", "theirs"),
        ];
        let text = gateway.client().get("/", &headers).text();
        let json = text
            .strip_prefix("200 ")
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned();
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON")
    };
    let (service, host) = (
        asked("service s /x?y=z"),
        asked(&format!("get {url}/x?y=z")),
    );
    for (answer, instance) in [(service, "a"), (host, "b")] {
        assert_eq!(answer["instance"], instance);
        assert_eq!(answer["path"], "/x?y=z");
        assert_eq!(answer["headers"]["traceparent"], trace);
        assert_eq!(answer["headers"]["tracestate"], "a=b");
        assert_eq!(answer["headers"]["x-request-id"], "id-1");
        assert!(answer["headers"]["authorization"].is_null(), "not given");
    }
    let passed_on = asked(&format!("pass-on {url}/"));
    assert_eq!(passed_on["headers"]["authorization"], "theirs");
    assert_eq!(passed_on["headers"]["host"], other.address.to_string());
    assert_eq!(
        gateway.get("/plain").json()["instance"],
        "a",
        "without a deed"
    );
    for (name, value) in [("calls_total", 3.0), ("errors_total", 0.0)] {
        let series = format!("portcullis_plugin_http_{name}{{plugin=\"asking\"}}");
        assert_eq!(gateway.metric(&series).unwrap_or(0.0), value, "{name}");
    }
}

#[test]
fn nothing_leads_back_inside_for_who_may_ask_everybody() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, "http: true", "{}");
    let port = upstream.address.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://017700000001:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://{}/", gateway.address),
        format!("http://{}/api/v1/config", gateway.admin),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        assert_eq!(told(&gateway, &format!("get {url}")), "denied", "{url}");
        assert_eq!(told(&gateway, &format!("follow {url}")), "denied", "{url}");
    }
    for url in [
        format!("http://user@127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
    ] {
        assert_eq!(told(&gateway, &format!("get {url}")), "invalid", "{url}");
    }
    assert_eq!(upstream.hits(), 0);
    assert!(
        told(&gateway, "service s /").starts_with("200 "),
        "services are not hosts"
    );
    let denied = "portcullis_plugin_http_errors_total{plugin=\"asking\",kind=\"denied\"}";
    assert_eq!(gateway.metric(denied), Some(22.0));
}

#[test]
fn what_is_granted_by_name_is_asked_and_a_redirect_from_there_is_not_followed_inside() {
    let upstream = Upstream::start("a");
    let inside = format!("http://{}/secret", upstream.address);
    let location = inside.clone();
    let outside = Scripted::start(move |mut wire| {
        while !wire.head().is_empty() {
            let head = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\n");
            wire.send(format!("{head}content-length: 0\r\n\r\n"));
        }
    });
    let granted = format!("http://{}", outside.address);
    let localhost = format!("http://localhost:{}", upstream.address.port());
    let allow = format!("http: [\"{granted}\", \"{localhost}\"]");
    let gateway = gateway(&upstream, &allow, "{}");
    assert_eq!(told(&gateway, &format!("get {granted}/")), "302 ");
    assert_eq!(told(&gateway, &format!("follow {granted}/")), "denied");
    assert_eq!(told(&gateway, &format!("get {inside}")), "denied");
    assert_eq!(
        told(&gateway, "service s /"),
        "denied",
        "a service is granted by name, too"
    );
    assert_eq!(upstream.hits(), 0);
    assert!(told(&gateway, &format!("get {localhost}/")).starts_with("200 "));
}

#[test]
fn who_is_not_granted_is_refused_or_does_without() {
    let upstream = Upstream::start("a");
    let directory = lay_out(&[], &config(&upstream, "http: false", ""));
    put(asking(), &directory.path().join("plugins/asking.wasm"));
    let file = directory.path().join("portcullis.yaml");
    let file = file.to_str().expect("a path of text");
    let output = crate::support::command(&["check", "--config", file], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("needs what is not granted: portcullis:gateway/http@0.1.0"),
        "{said}"
    );
    assert!(said.contains("allow: { http: true }"), "{said}");

    let config = config(&upstream, "store: true", "");
    let gateway = start_with_files(&[("asking", modest())], "{}", &config);
    assert_eq!(
        told(&gateway, &format!("get http://{}/", upstream.address)),
        "denied"
    );
    assert_eq!(told(&gateway, "service s /"), "denied");
    assert_eq!(told(&gateway, "upload http://127.0.0.1/ 1"), "denied");
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn a_mistake_in_what_may_be_asked_says_where_it_is() {
    let upstream = Upstream::start("a");
    for (allow, expected) in [
        ("http: [users]", "there is no service `users`"),
        (
            "http: [\"https://a.example/path\"]",
            "`https://a.example/path` is not an origin",
        ),
        ("http: [\"https://user@a.example\"]", "is not an origin"),
        ("http: [\"ftp://a.example\"]", "is not an origin"),
        ("http: [\"a.example:80\"]", "is not an origin"),
        ("http: yes", "expected true or false"),
    ] {
        let output = crate::support::check(
            &[],
            &{
                format!(
                    "listeners: [{{ address: \"127.0.0.1:0\" }}]\n{}",
                    config(&upstream, allow, "")
                )
            },
            &[],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("routes[0].pipeline[0].allow.http"),
            "{allow}: {said}"
        );
        assert!(said.contains(expected), "{allow}: {said}");
    }
}

#[test]
fn each_limit_is_an_error_of_that_call_and_counted() {
    let upstream = Upstream::start("a");
    let url = format!("http://{}", upstream.address);
    let limits =
        "{ http_timeout: 300ms, http_response_size: 1KiB, http_request_size: 2KiB, http_calls: 1 }";
    let gateway = gateway(&upstream, &format!("http: [\"{url}\"]"), limits);
    assert!(told(&gateway, &format!("get {url}/")).starts_with("200 "));
    assert_eq!(told(&gateway, &format!("at-most 10 {url}/")), "too-large");
    assert_eq!(
        limited(&gateway, "http_response_size"),
        0.0,
        "it asked for less"
    );
    assert_eq!(
        told(&gateway, &format!("get {url}/{}", "x".repeat(1_100))),
        "too-large"
    );
    assert_eq!(limited(&gateway, "http_response_size"), 1.0);
    assert_eq!(told(&gateway, &format!("body 2049 {url}/")), "too-large");
    assert_eq!(limited(&gateway, "http_request_size"), 1.0);
    assert_eq!(told(&gateway, &format!("join {url}/a {url}/b")), "busy");
    assert_eq!(limited(&gateway, "http_calls"), 1.0);
    upstream.delay(Duration::from_secs(20));
    assert_eq!(told(&gateway, &format!("within 20 {url}/")), "timeout");
    assert_eq!(limited(&gateway, "http_timeout"), 0.0, "it asked for less");
    assert_eq!(told(&gateway, &format!("within 100000 {url}/")), "timeout");
    assert_eq!(limited(&gateway, "http_timeout"), 1.0);
}

#[test]
fn a_service_is_asked_through_its_balancer_and_past_an_instance_that_is_gone() {
    let (one, other) = (Upstream::start("a"), Upstream::start("b"));
    let gone = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = gone.local_addr().expect("an address");
    drop(gone);
    let step = "pipeline: [{ plugin: asking, allow: { http: [s] } }]";
    let config = one_route(&[one.address, address, other.address], "", step);
    let gateway = start_with_files(&[("asking", asking())], "{}", &config);
    for _ in 0..12 {
        assert!(told(&gateway, "service s /").starts_with("200 "));
    }
    assert!(one.hits() > 0 && other.hits() > 0, "in turn");
    drop((one, other));
    assert_eq!(told(&gateway, "service s /"), "connect");
    assert_eq!(told(&gateway, "service other /"), "denied");
}

#[test]
fn answers_are_joined_from_parts_as_they_come() {
    let (one, other) = (Upstream::start("a"), Upstream::start("b"));
    let (a, b) = (
        format!("http://{}", one.address),
        format!("http://{}", other.address),
    );
    let gateway = gateway(&one, &format!("http: [\"{a}\", \"{b}\"]"), "{}");
    let mut wire = Wire::connect(gateway.address);
    for _ in 0..2 {
        wire.send(format!(
            "GET / HTTP/1.1\r\nhost: a\r\nx-do: join {a}/1 {b}/2\r\n\r\n"
        ));
        let head = wire.reply_head();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-type"), "text/plain");
        assert_eq!(head.header("transfer-encoding"), "chunked");
        let mut body = Vec::new();
        loop {
            let chunk = wire.chunk();
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
        let body = String::from_utf8(body).expect("text");
        let parts: Vec<&str> = body.split(['<', '>']).collect();
        let [_, first, second, ""] = parts[..] else {
            panic!("{body}");
        };
        for (part, instance, path) in [(first, "a", "/1"), (second, "b", "/2")] {
            let json: serde_json::Value = serde_json::from_str(part).expect("JSON");
            assert_eq!(
                (&json["instance"], &json["path"]),
                (&instance.into(), &path.into())
            );
        }
    }
    // One that breaks off is no end, and no answer to mistake for one.
    let breaks = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    });
    let url = format!("http://{}", breaks.address);
    gateway.write_config(&config(&one, &format!("http: [\"{url}\"]"), ""));
    eventually("it is reloaded", || gateway.generation() == 2);
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-do: join {url}/\r\n\r\n"
    ));
    wire.reply_head();
    assert!(!String::from_utf8_lossy(&wire.rest()).ends_with("0\r\n\r\n"));
}

#[test]
fn a_client_that_does_not_read_stops_who_answers_and_memory_stays() {
    const CHUNK: usize = 64 << 10;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let endless = Scripted::start(move |mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\n\r\n");
        let bytes = vec![b'x'; CHUNK];
        loop {
            let taken = wire.send_until_stalled(&bytes, Duration::from_millis(500));
            counted.fetch_add(taken, Ordering::SeqCst);
            if taken < CHUNK {
                wire.rest();
                return;
            }
        }
    });
    let upstream = Upstream::start("a");
    let url = format!("http://{}", endless.address);
    let gateway = gateway(&upstream, &format!("http: [\"{url}\"]"), "{}");
    told(&gateway, "count x");
    let before = peak_memory(gateway.pid());
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-do: join {url}/\r\n\r\n"
    ));
    wire.reply_head();
    let mut last = usize::MAX;
    eventually("the other side stalls", || {
        std::thread::park_timeout(Duration::from_millis(300));
        let now = sent.load(Ordering::SeqCst);
        now > 0 && std::mem::replace(&mut last, now) == now
    });
    let stalled = sent.load(Ordering::SeqCst);
    assert!(stalled < 64 << 20, "{stalled} bytes went to nobody");
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 16 << 20, "{grown} bytes more");
}

#[test]
fn an_upload_of_any_size_takes_little_memory() {
    const MEBIBYTES: usize = 128;
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let upstream = Upstream::start("a");
    let sink = Scripted::start(move |mut wire| {
        if !wire.head().contains("transfer-encoding: chunked") {
            return;
        }
        loop {
            let chunk = wire.chunk();
            counted.fetch_add(chunk.len(), Ordering::SeqCst);
            if chunk.is_empty() {
                wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone");
                return;
            }
        }
    });
    let url = format!("http://{}", sink.address);
    let limits = "{ http_timeout: 1m, wait_timeout: 1m, call_timeout: 5s }";
    let gateway = gateway(&upstream, &format!("http: [\"{url}\"]"), limits);
    told(&gateway, "count x");
    let before = peak_memory(gateway.pid());
    assert_eq!(
        told(&gateway, &format!("upload {url}/ {}", MEBIBYTES << 10)),
        "200 done"
    );
    assert_eq!(seen.load(Ordering::SeqCst), MEBIBYTES << 20);
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 16 << 20, "{grown} bytes more");
    // Who does not finish has not sent a whole request.
    assert_eq!(told(&gateway, &format!("abandon {url}/")), "abandoned");
}

#[test]
fn https_is_asked_of_who_proves_to_be_it() {
    let authority = Authority::new();
    let secured = Upstream::start_secured("secured", authority.sign(&["localhost"]).server(None));
    let upstream = Upstream::start("a");
    let port = secured.address.port();
    let (good, bad) = (
        format!("https://localhost:{port}"),
        format!("https://127.0.0.1:{port}"),
    );
    let directory = lay_out(
        &[],
        &config(&upstream, &format!("http: [\"{good}\", \"{bad}\"]"), ""),
    );
    put(asking(), &directory.path().join("plugins/asking.wasm"));
    let roots = authority.ca();
    let roots = roots.to_str().expect("a path of text");
    let gateway = Gateway::start_in(directory, &[("SSL_CERT_FILE", roots)]);
    let answer = told(&gateway, &format!("get {good}/x"));
    assert!(
        answer.starts_with("200 ") && answer.contains("secured"),
        "{answer}"
    );
    assert_eq!(
        told(&gateway, &format!("get {bad}/x")),
        "connect",
        "another name"
    );
}

#[test]
fn a_filter_that_waits_two_seconds_delays_nobody_else() {
    let (slow, fast) = (Upstream::start("slow"), Upstream::start("fast"));
    slow.delay(Duration::from_secs(2));
    let url = format!("http://{}", slow.address);
    let gateway = gateway(&fast, &format!("http: [\"{url}\"]"), "{}");
    let held: Vec<Wire> = (0..16)
        .map(|_| {
            let mut wire = Wire::connect(gateway.address);
            wire.send(format!(
                "GET / HTTP/1.1\r\nhost: a\r\nx-do: hold {url}/\r\n\r\n"
            ));
            wire
        })
        .collect();
    let begun = Instant::now();
    eventually("all wait", || slow.hits() == 16);
    let mut longest = Duration::ZERO;
    // On both workers: each connection is one's.
    for _ in 0..40 {
        let asked = Instant::now();
        assert_eq!(gateway.get("/x").json()["instance"], "fast");
        longest = longest.max(asked.elapsed());
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "they were asked meanwhile"
    );
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    for mut wire in held {
        assert_eq!(wire.reply().status, 200);
    }
}

#[test]
fn a_filter_that_asks_its_own_gateway_ends_the_circle() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, "http: true", "{}");
    let own = format!("http://{}", gateway.address);
    gateway.write_config(&config(&upstream, &format!("http: [\"{own}\"]"), ""));
    eventually("it is reloaded", || gateway.generation() == 2);
    let said = told(&gateway, &format!("circle {own}/"));
    assert!(said.contains("508"), "{said}");
    assert!(said.matches("200 ").count() < 20, "{said}");
    assert_eq!(gateway.get("/").status, 200);
}
