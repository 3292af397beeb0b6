//! Clients that leave while a plugin has their request: cases 40 and 41 of
//! `hostile.rs`.

use std::{io::Write, net::TcpStream, time::Duration};

use crate::support::{
    Gateway, Upstream, eventually, hostile, one_route, open_descriptors, resident_memory,
    start_with_files, within,
};

/// A gateway whose plugin counts what hooks of it are called.
fn gateway(upstream: &Upstream) -> Gateway {
    let step = "pipeline: [{ plugin: hostile, config: \"every:stamp\" }]";
    let config = one_route(&[upstream.address], "", step);
    start_with_files(&[("hostile", hostile())], "{}", &config)
}

/// How often a hook ran, as the plugin itself counts.
fn hooks(gateway: &Gateway, hook: &str) -> f64 {
    let series = format!("portcullis_plugin_stamps_total{{plugin=\"hostile\",hook=\"{hook}\"}}");
    gateway.metric(&series).unwrap_or(0.0)
}

fn in_flight(gateway: &Gateway) -> f64 {
    let series = "portcullis_requests_in_flight{route=\"r\"}";
    gateway.metric(series).expect("a series of every route")
}

/// A client that has asked and does not wait for the answer.
fn asked(gateway: &Gateway) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).expect("a connection");
    let request = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

/// Leaves without a word: the system sends a reset instead of an end.
fn reset(stream: TcpStream) {
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("a socket");
}

/// Case 41.
#[test]
fn who_left_gets_no_response_hook_and_one_completion() {
    const CLIENTS: usize = 40;
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    assert_eq!(gateway.get("/a").status, 200);
    for hook in ["request", "response", "completion"] {
        eventually("one hook each", || hooks(&gateway, hook) == 1.0);
    }

    upstream.delay(Duration::from_secs(60));
    let clients: Vec<_> = (0..CLIENTS).map(|_| asked(&gateway)).collect();
    eventually("all are with the upstream", || {
        upstream.hits() == CLIENTS + 1
    });
    for (number, client) in clients.into_iter().enumerate() {
        match number % 2 {
            0 => drop(client),
            _ => reset(client),
        }
    }
    let all = (CLIENTS + 1) as f64;
    eventually("all are completed", || hooks(&gateway, "completion") == all);
    assert_eq!(in_flight(&gateway), 0.0);
    assert_eq!(hooks(&gateway, "request"), all);
    assert_eq!(hooks(&gateway, "response"), 1.0, "nobody waits for these");
    // A late answer, and later requests, change nothing of that.
    upstream.delay(Duration::ZERO);
    assert_eq!(gateway.get("/a").status, 200);
    eventually("one more is completed", || {
        hooks(&gateway, "completion") == all + 1.0
    });
    assert_eq!(hooks(&gateway, "response"), 2.0);
}

/// Case 40.
#[test]
fn ten_thousand_clients_that_leave_leave_nothing_behind() {
    const WARM: usize = 2_000;
    const CALLS: f64 = 12_000.0;
    /// Connections to the upstream that two workers may keep for later.
    const KEPT: usize = 2 * 64;
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    // Longer than this takes: whose leaving is not noticed stays in flight.
    upstream.delay(Duration::from_secs(120));
    let held = || {
        let idle = within(Duration::from_secs(30), || {
            in_flight(&gateway) == 0.0
                && hooks(&gateway, "completion") == hooks(&gateway, "request")
        });
        assert!(idle, "requests are in flight that nobody waits for");
        let pid = gateway.pid();
        (resident_memory(pid), open_descriptors(pid))
    };
    let leave = |clients: usize| {
        let mut waiting = std::collections::VecDeque::new();
        for _ in 0..clients {
            waiting.push_back(asked(&gateway));
            // A few are there at once, each in another state when it leaves.
            if waiting.len() > 16 {
                reset(waiting.pop_front().expect("more than sixteen"));
            }
        }
        waiting.into_iter().for_each(reset);
    };
    leave(WARM);
    let warm = held();
    // Who leaves before the gateway has read its request is nobody's call.
    while hooks(&gateway, "request") < CALLS {
        leave(WARM);
    }
    let end = held();
    assert!(
        end.0 < warm.0 + (8 << 20),
        "bytes: {} were {}",
        end.0,
        warm.0
    );
    // The last ones' sockets are closed after their calls are over.
    eventually("descriptors are as many as before", || {
        open_descriptors(gateway.pid()) <= warm.1 + KEPT
    });
    assert_eq!(hooks(&gateway, "response"), 0.0);
    upstream.delay(Duration::ZERO);
    assert_eq!(gateway.get("/a").status, 200);
}
