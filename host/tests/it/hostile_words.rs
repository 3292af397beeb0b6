//! What plugins say to the gateway that nobody should: cases 38 and 39 of
//! `hostile.rs`.

use crate::support::{
    Gateway, Reply, Scripted, Upstream, Wire, hostile, one_route, resident_memory, start_with_files,
};

const LIMITS: &str = "{ memory: 256MiB, call_timeout: 5s }";

/// A gateway whose plugin does in its request hook what each request says.
fn gateway(upstream: std::net::SocketAddr, isolation: &str) -> Gateway {
    let step = format!(
        "pipeline: [{{ plugin: hostile, config: \"request:as-asked\", isolation: {isolation} }}]"
    );
    let config = one_route(&[upstream], "", &step);
    start_with_files(&[("hostile", hostile())], LIMITS, &config)
}

fn ask(gateway: &Gateway, deed: &str) -> Reply {
    gateway.client().get("/a", &[("x-deed", deed)])
}

/// An upstream that answers with the head it got, byte by byte.
fn echo() -> Scripted {
    Scripted::start(|mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            let length = head.len();
            wire.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{head}"
            ));
        }
    })
}

/// Case 38.
#[test]
fn what_is_too_much_is_refused_and_nothing_of_it_stays() {
    let upstream = Upstream::start("a");
    for (deed, expected) in [
        ("keys", 503),
        ("random", 503),
        ("huge-random", 503),
        ("long-key", 503),
        ("giants", 200),
        ("log-flood", 200),
        ("call-flood", 200),
    ] {
        let gateway = gateway(upstream.address, "per_request");
        assert_eq!(ask(&gateway, "nothing").status, 200);
        let before = resident_memory(gateway.pid());
        for round in 0..4 {
            let status = ask(&gateway, deed).status;
            assert_eq!(status, expected, "{deed}, round {round}");
            assert_eq!(ask(&gateway, "nothing").status, 200, "after {deed}");
        }
        let more = resident_memory(gateway.pid()).saturating_sub(before);
        assert!(more < 64 << 20, "{deed}: {more} bytes more than before");
        let log = gateway.log();
        assert!(!log.contains("panicked"), "{deed}: {log}");
        assert!(log.len() < 8 << 20, "{deed}: {} bytes of log", log.len());
    }
}

/// Case 39.
#[test]
fn fields_without_number_are_refused() {
    let upstream = echo();
    let gateway = gateway(upstream.address, "reuse");
    let sent = ask(&gateway, "many-headers").text();
    let fields = sent.lines().filter(|line| line.contains(": ")).count();
    assert!((100..=140).contains(&fields), "{fields} fields: {sent}");
    assert_eq!(ask(&gateway, "many-fields").status, 200);
    assert_eq!(ask(&gateway, "nothing").status, 200);
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

/// Case 39.
#[test]
fn nothing_gets_out_that_a_client_could_not_send() {
    let upstream = echo();
    for hook in ["request", "response"] {
        let step = format!("pipeline: [{{ plugin: hostile, config: \"{hook}:smuggle\" }}]");
        let config = one_route(&[upstream.address], "", &step);
        let gateway = start_with_files(&[("hostile", hostile())], LIMITS, &config);
        let mut wire = Wire::connect(gateway.address);
        for round in 0..3 {
            wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
            let head = wire.head();
            assert!(head.starts_with("HTTP/1.1 200"), "{hook} {round}: {head}");
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            let sent = String::from_utf8(wire.take(length.expect("a length"))).expect("text");
            for smuggled in ["smuggled", "\0", "transfer-encoding", "upgrade", "\n:"] {
                assert!(!head.contains(smuggled), "{hook}: {smuggled:?} in {head}");
                assert!(!sent.contains(smuggled), "{hook}: {smuggled:?} in {sent}");
            }
            // Its one good change came through.
            let (changed, other) = if hook == "request" {
                (&sent, &head)
            } else {
                (&head, &sent)
            };
            assert!(changed.contains("x-good: 1\r\n"), "{hook}: {changed}");
            assert!(!other.contains("x-good"), "{hook}: {other}");
        }
        assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    }
}
