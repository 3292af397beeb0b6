//! More requests at once than a worker may have.

use std::time::Duration;

use crate::support::{Gateway, Http2, Upstream, Wire, eventually, one_route};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn start(upstream: &Upstream, limits: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "");
    Gateway::start(&[], &format!("workers: 1\nlimits: {{ {limits} }}\n{route}"))
}

fn refused(gateway: &Gateway) -> f64 {
    let series = "portcullis_refused_total{reason=\"requests\"}";
    gateway
        .metric(series)
        .expect("a series that is always there")
}

#[test]
fn a_worker_has_so_many_requests_and_answers_503_to_more() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "requests: 3");
    upstream.delay(Duration::from_secs(2));
    let mut held: Vec<Wire> = (0..3).map(|_| Wire::connect(gateway.address)).collect();
    held.iter_mut().for_each(|wire| wire.send(GET));
    eventually("they are under way", || upstream.hits() == 3);
    let mut more = Wire::connect(gateway.address);
    for number in 1..=5 {
        more.send(GET);
        let reply = more.reply();
        assert_eq!(reply.status, 503);
        assert_eq!(reply.header("retry-after"), "1");
        assert!(reply.text().contains("as many requests at once"));
        assert_eq!(refused(&gateway), f64::from(number));
    }
    let http2 = Http2::connect(gateway.address, "a.example");
    let whole = http2.send("GET", "/", &[], "").expect("a reply");
    assert_eq!(whole.reply.status, 503);
    assert_eq!(upstream.hits(), 3, "nobody else is asked");
    // Each that ends makes room, also by leaving.
    held.pop();
    upstream.delay(Duration::ZERO);
    eventually("there is room again", || {
        more.send(GET);
        more.reply().status == 200
    });
    for mut wire in held {
        assert_eq!(wire.reply().status, 200);
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
