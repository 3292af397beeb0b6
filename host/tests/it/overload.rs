//! More requests at once than a worker may have.

use std::time::Duration;

use crate::support::{Gateway, Upstream, Wire, eventually, one_route};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn start(upstream: &Upstream, limits: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "");
    Gateway::start(&[], &format!("limits: {{ {limits} }}\n{route}"))
}

fn refused(gateway: &Gateway) -> f64 {
    let series = "portcullis_refused_total{reason=\"requests\"}";
    gateway
        .metric(series)
        .expect("a series that is always there")
}

#[test]
fn a_worker_has_so_many_requests_and_answers_503_to_more() {
    const CLIENTS: usize = 40;
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "requests: 3");
    upstream.delay(Duration::from_secs(2));
    let mut wires: Vec<Wire> = (0..CLIENTS)
        .map(|_| Wire::connect(gateway.address))
        .collect();
    wires.iter_mut().for_each(|wire| wire.send(GET));
    eventually("all are under way or refused", || {
        upstream.hits() + refused(&gateway) as usize == CLIENTS
    });
    let under_way = upstream.hits();
    // Of two workers, one of which may have got next to no connection.
    assert!((3..=6).contains(&under_way), "{under_way}");
    upstream.delay(Duration::ZERO);
    let mut answered = 0;
    for wire in &mut wires {
        let reply = wire.reply();
        match reply.status.as_u16() {
            200 => answered += 1,
            status => {
                assert_eq!(status, 503);
                assert_eq!(reply.header("retry-after"), "1");
                assert!(reply.text().contains("as many requests at once"));
            }
        }
    }
    assert_eq!(answered, under_way, "who was refused asks nobody else");
    for wire in &mut wires {
        wire.send(GET);
        assert_eq!(wire.reply().status, 200, "there is room again");
    }
}

#[test]
fn a_request_that_has_ended_makes_room() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "requests: 1");
    for _ in 0..20 {
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(gateway.get("/nowhere-else").status, 200);
    }
    assert_eq!(refused(&gateway), 0.0);
}
