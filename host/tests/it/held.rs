//! What connections hold that have no request.

use std::time::Duration;

use crate::support::{Client, Gateway, Upstream, Wire, eventually, one_route, resident_memory};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn start(upstream: &Upstream, limits: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "");
    Gateway::start(&[], &format!("limits: {{ {limits} }}\n{route}"))
}

/// Connections, and what each of them holds; `begin` has each do something.
fn each_holds(gateway: &Gateway, begin: impl Fn(&mut Wire)) -> (Vec<Wire>, impl Fn() -> u64) {
    const COUNT: u64 = 1_000;
    let before = resident_memory(gateway.pid());
    let mut held: Vec<Wire> = (0..COUNT).map(|_| Wire::connect(gateway.address)).collect();
    held.iter_mut().for_each(begin);
    let pid = gateway.pid();
    let each = move || resident_memory(pid).saturating_sub(before) / COUNT;
    eventually("they are there", || {
        gateway.metric("portcullis_connections") >= Some(COUNT as f64)
    });
    (held, each)
}

// Case 33: what a library keeps ready for a request is not there before one is.
#[test]
fn who_sends_no_request_holds_next_to_nothing() {
    let upstream = Upstream::start("a");
    for (name, sent) in [
        ("silence", ""),
        ("half a head", "GET / HTTP/1.1\r\nhost"),
        ("half a preface", "PRI * HTTP/2.0\r\n"),
    ] {
        let gateway = start(&upstream, "head_timeout: 60s");
        assert_eq!(gateway.get("/").status, 200);
        let (mut held, each) = each_holds(&gateway, |wire| wire.send(sent));
        let bytes = each();
        assert!(bytes < 6 << 10, "{name}: {bytes} bytes each");
        // The first of them is served when it goes on.
        if let Some(rest) = GET.strip_prefix(sent) {
            held[0].send(rest);
            assert_eq!(held[0].reply().status, 200, "{name}");
        }
    }
}

#[test]
fn who_has_had_its_answer_is_served_again_after_a_rest() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "head_timeout: 60s");
    let mut client = Client::new(gateway.address);
    let asked = || upstream.hits();
    assert_eq!(client.get("/", &[]).status, 200);
    let mut wire = Wire::connect(gateway.address);
    wire.send(GET);
    assert_eq!(wire.reply().status, 200);
    // Longer than anything is kept ready.
    assert!(wire.is_silent_for(Duration::from_millis(1_500)));
    let before = asked();
    for cut in [0, 1, GET.len() - 1] {
        wire.send(&GET[..cut]);
        wire.send(&GET[cut..]);
        assert_eq!(wire.reply().status, 200);
    }
    wire.send(GET.repeat(3));
    for _ in 0..3 {
        assert_eq!(wire.reply().status, 200);
    }
    assert_eq!(asked(), before + 6);
    assert!(wire.is_silent_for(Duration::from_millis(1_500)));
    // What is refused is refused after a rest, too, and answered.
    wire.send("GET / HTTP/1.1\nhost: a\n\n");
    assert_eq!(wire.reply().status, 400);
}
