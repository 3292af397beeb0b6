//! Many filters that ask others at once: how many may wait, and what is left of
//! those whose clients have gone.

use std::{collections::VecDeque, io::Write, net::TcpStream, time::Duration};

use crate::support::{
    Gateway, Upstream, Wire, asking, eventually, one_route, open_descriptors, resident_memory,
    start_with_files, within,
};

fn gateway(asked: &Upstream, upstream: &Upstream, limits: &str) -> Gateway {
    let allow = format!("allow: {{ http: [\"http://{}\"] }}", asked.address);
    let step = format!("pipeline: [{{ plugin: asking, {allow} }}]\ntimeout: 2m");
    let config = one_route(&[upstream.address], "", &step);
    start_with_files(&[("asking", asking())], limits, &config)
}

/// A request that waits for an answer of `asked`.
fn hold(asked: &Upstream) -> String {
    let deed = format!("x-do: hold http://{}/", asked.address);
    format!("GET / HTTP/1.1\r\nhost: a\r\n{deed}\r\n\r\n")
}

#[test]
fn a_thousand_wait_at_once_and_one_more_is_told_to_come_again() {
    const MOST: usize = 1_000;
    let (slow, upstream) = (Upstream::start("slow"), Upstream::start("a"));
    slow.delay(Duration::from_secs(30));
    let limits = "{ instances: 1000, http_timeout: 1m, wait_timeout: 1m }";
    let gateway = gateway(&slow, &upstream, limits);
    let held: Vec<Wire> = (0..MOST)
        .map(|_| {
            let mut wire = Wire::connect(gateway.address);
            wire.send(hold(&slow));
            wire
        })
        .collect();
    let all = within(Duration::from_secs(25), || slow.hits() == MOST);
    assert!(all, "only {} wait", slow.hits());
    let mut one_more = Wire::connect(gateway.address);
    one_more.send(hold(&slow));
    let reply = one_more.reply();
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(
        reply.json()["detail"],
        "a plugin has as many requests at work as it may"
    );
    assert_eq!(slow.hits(), MOST);
    let limited = "portcullis_plugin_limited_total{plugin=\"asking\",limit=\"instances\"}";
    assert!(gateway.metric(limited).unwrap_or(0.0) >= 1.0);
    for mut wire in held {
        // The patience of a wire is as long as the answers take.
        assert_eq!(wire.reply().status, 200);
    }
    slow.delay(Duration::ZERO);
    let mut one_more = Wire::connect(gateway.address);
    one_more.send(hold(&slow));
    assert_eq!(one_more.reply().status, 200);
}

#[test]
fn ten_thousand_clients_that_leave_end_their_calls() {
    const WARM: usize = 2_000;
    const CALLS: f64 = 12_000.0;
    /// Connections that are there at once, each in another state when it is left.
    const AT_ONCE: usize = 32;
    let (silent, upstream) = (Upstream::start("silent"), Upstream::start("a"));
    silent.delay(Duration::from_secs(120));
    let limits = "{ http_timeout: 2m, wait_timeout: 2m }";
    let gateway = gateway(&silent, &upstream, limits);
    let cancelled = || {
        let labels = "{plugin=\"asking\",kind=\"cancelled\"}";
        let series = format!("portcullis_plugin_http_errors_total{labels}");
        gateway.metric(&series).unwrap_or(0.0)
    };
    let before = open_descriptors(gateway.pid());
    // All is over once nothing is open that was not before, but for a few
    // connections that are kept: some who left have not even been taken yet.
    let held = || {
        let over = within(Duration::from_secs(30), || {
            let series = "portcullis_requests_in_flight{route=\"r\"}";
            gateway.metric(series) == Some(0.0) && open_descriptors(gateway.pid()) <= before + 16
        });
        let open = open_descriptors(gateway.pid());
        assert!(over, "{open} descriptors are open and {before} were");
        resident_memory(gateway.pid())
    };
    let leave = |clients: usize| {
        let mut waiting = VecDeque::new();
        for _ in 0..clients {
            let mut stream = TcpStream::connect(gateway.address).expect("a connection");
            stream
                .write_all(hold(&silent).as_bytes())
                .expect("a request");
            waiting.push_back(stream);
            if waiting.len() > AT_ONCE {
                waiting.pop_front();
            }
        }
    };
    leave(WARM);
    let warm = held();
    // A busy machine lets a crowd gather once in a while, whose memory is kept for
    // the next. What stays of each call would be there after every batch.
    let (mut end, mut least) = (warm, u64::MAX);
    // Who leaves before the plugin has asked ends no call.
    while cancelled() < CALLS {
        leave(WARM);
        let next = held();
        least = least.min(next.saturating_sub(end));
        end = next;
    }
    let bytes = (WARM * 64) as u64;
    assert!(least < bytes, "{least} bytes more after each batch");
    assert!(end < warm + (32 << 20), "bytes: {end} were {warm}");
    silent.delay(Duration::ZERO);
    let mut wire = Wire::connect(gateway.address);
    wire.send(hold(&silent));
    assert_eq!(wire.reply().status, 200);
    eventually("nothing is open to who was asked", || {
        let open = "portcullis_upstream_connections{state=\"open\"}";
        gateway.metric(open).unwrap_or(0.0) <= 2.0
    });
}
