//! What is measured is what is rendered.

use std::{thread, time::Duration};

use http::StatusCode;

use super::{
    text::{read, value},
    *,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn routes_count_requests_durations_and_what_is_in_flight() {
    let metrics = Metrics::new();
    let (users, idle) = (metrics.route("users"), metrics.route("idle"));
    for (status, duration) in [(200, ms(1)), (200, ms(3)), (503, ms(20_000)), (0, ms(0))] {
        users.started();
        users.finished(status, duration);
    }
    users.started();
    users.retried();
    metrics.unrouted(StatusCode::NOT_FOUND);
    let samples = read(&metrics.render());
    let users = ("route", "users");
    for (name, labels, expected) in [
        ("requests_total", &[users, ("status", "200")][..], 2.0),
        ("requests_total", &[users, ("status", "503")], 1.0),
        ("requests_total", &[users, ("status", "0")], 1.0),
        ("requests_total", &[("route", ""), ("status", "404")], 1.0),
        ("requests_in_flight", &[users], 1.0),
        ("requests_in_flight", &[("route", "idle")], 0.0),
        ("retries_total", &[users], 1.0),
        (
            "request_duration_seconds_bucket",
            &[users, ("le", "0.0005")],
            1.0,
        ),
        (
            "request_duration_seconds_bucket",
            &[users, ("le", "0.001")],
            2.0,
        ),
        (
            "request_duration_seconds_bucket",
            &[users, ("le", "10")],
            3.0,
        ),
        (
            "request_duration_seconds_bucket",
            &[users, ("le", "+Inf")],
            4.0,
        ),
        ("request_duration_seconds_count", &[users], 4.0),
        ("request_duration_seconds_sum", &[users], 20.004),
    ] {
        let name = format!("portcullis_{name}");
        assert_eq!(
            value(&samples, &name, labels),
            Some(expected),
            "{name} {labels:?}"
        );
    }
    drop(idle);
}

#[test]
fn nothing_is_lost_among_threads() {
    let metrics = Metrics::new();
    let (route, filter) = (metrics.route("r"), metrics.filter("r", "p", 0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for count in 0..5000 {
                    route.started();
                    filter.called(Hook::Request, Duration::from_nanos(1_000));
                    filter.failed(["trap", "fail"][count % 2]);
                    metrics.plugins().add("p", "seen_total", &[("a", "b")], 2);
                    route.finished(200, ms(count as u64 % 7));
                }
            });
        }
    });
    let samples = read(&metrics.render());
    let (route, plugin, position) = (("route", "r"), ("plugin", "p"), ("position", "0"));
    for (name, labels, expected) in [
        ("requests_total", &[route, ("status", "200")][..], 40_000.0),
        ("requests_in_flight", &[route], 0.0),
        ("request_duration_seconds_count", &[route], 40_000.0),
        (
            "filter_calls_total",
            &[route, plugin, ("hook", "request"), position],
            40_000.0,
        ),
        (
            "filter_duration_seconds_total",
            &[route, plugin, ("hook", "request"), position],
            0.04,
        ),
        (
            "filter_errors_total",
            &[route, plugin, ("kind", "trap"), position],
            20_000.0,
        ),
        (
            "filter_errors_total",
            &[route, plugin, ("kind", "fail"), position],
            20_000.0,
        ),
        ("plugin_seen_total", &[plugin, ("a", "b")], 80_000.0),
    ] {
        let name = format!("portcullis_{name}");
        assert_eq!(
            value(&samples, &name, labels),
            Some(expected),
            "{name} {labels:?}"
        );
    }
}

#[test]
fn filters_and_balancers_show_the_hooks_that_were_called() {
    let metrics = Metrics::new();
    let first = metrics.filter("r", "limit", 0);
    let second = metrics.filter("r", "limit", 1);
    let balancer = metrics.balancer("s", "round-robin");
    first.called(Hook::Request, ms(1));
    first.answered();
    second.called(Hook::Response, ms(2));
    balancer.called(Hook::Pick, ms(3));
    balancer.failed("trap");
    let text = metrics.render();
    let samples = read(&text);
    let (route, plugin) = (("route", "r"), ("plugin", "limit"));
    let calls = "portcullis_filter_calls_total";
    let of = |hook, position| [route, plugin, ("hook", hook), ("position", position)];
    assert_eq!(value(&samples, calls, &of("request", "0")), Some(1.0));
    assert_eq!(value(&samples, calls, &of("response", "0")), None);
    assert_eq!(value(&samples, calls, &of("response", "1")), Some(1.0));
    let answers = "portcullis_filter_answers_total";
    assert_eq!(
        value(&samples, answers, &[route, plugin, ("position", "0")]),
        Some(1.0)
    );
    let of = [
        ("service", "s"),
        ("plugin", "round-robin"),
        ("hook", "pick"),
    ];
    assert_eq!(
        value(&samples, "portcullis_balancer_duration_seconds_total", &of),
        Some(0.003)
    );
    let of = [
        ("service", "s"),
        ("plugin", "round-robin"),
        ("kind", "trap"),
    ];
    assert_eq!(
        value(&samples, "portcullis_balancer_errors_total", &of),
        Some(1.0)
    );
    assert!(!text.contains("balancer_answers"));
}

#[test]
fn more_kinds_of_error_than_places_are_still_counted() {
    let metrics = Metrics::new();
    let filter = metrics.filter("r", "p", 0);
    let kinds = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    kinds.into_iter().for_each(|kind| filter.failed(kind));
    let samples = read(&metrics.render());
    let errors = samples
        .iter()
        .filter(|((name, _), _)| name.ends_with("filter_errors_total"));
    assert_eq!(errors.map(|(_, count)| *count).sum::<f64>(), 10.0);
}

#[test]
fn series_live_as_long_as_a_handle_and_are_resumed() {
    let metrics = Metrics::new();
    let old = metrics.route("users");
    old.started();
    old.finished(200, ms(1));
    // A reload resolves the same route while the old snapshot is still there.
    let new = metrics.route("users");
    drop(old);
    new.started();
    new.finished(200, ms(1));
    let of = [("route", "users"), ("status", "200")];
    let samples = read(&metrics.render());
    assert_eq!(value(&samples, "portcullis_requests_total", &of), Some(2.0));
    drop(new);
    assert!(!metrics.render().contains("users"));
}

#[test]
fn reloads_connections_and_figures() {
    let metrics = Metrics::new();
    metrics.reloaded(true, 1);
    metrics.reloaded(false, 1);
    metrics.reloaded(true, 2);
    let (open, _) = (metrics.connection(), metrics.connection());
    let upstream = metrics.upstream_connection();
    metrics.state_from(|| StateFigures {
        counters: 7,
        value_bytes: 9,
        ..StateFigures::default()
    });
    metrics.health_from(|| {
        let instance = |instance: &str, healthy| InstanceHealth {
            service: "users".to_owned(),
            instance: instance.to_owned(),
            healthy,
        };
        vec![instance("a:1", true), instance("b:2", false)]
    });
    let samples = read(&metrics.render());
    for (name, labels, expected) in [
        (
            "portcullis_reloads_total",
            &[("result", "success")][..],
            2.0,
        ),
        ("portcullis_reloads_total", &[("result", "failure")], 1.0),
        ("portcullis_config_generation", &[], 2.0),
        ("portcullis_connections", &[], 1.0),
        ("portcullis_connections_total", &[], 2.0),
        ("portcullis_upstream_connections", &[], 1.0),
        ("portcullis_state_entries", &[], 7.0),
        ("portcullis_state_value_bytes", &[], 9.0),
        (
            "portcullis_instance_healthy",
            &[("service", "users"), ("instance", "a:1")],
            1.0,
        ),
        (
            "portcullis_instance_healthy",
            &[("service", "users"), ("instance", "b:2")],
            0.0,
        ),
    ] {
        assert_eq!(
            value(&samples, name, labels),
            Some(expected),
            "{name} {labels:?}"
        );
    }
    let read = |name| value(&samples, name, &[]).unwrap_or_default();
    assert!(read("portcullis_reload_last_success_timestamp_seconds") > 1.7e9);
    assert!(read("process_start_time_seconds") > 1.7e9);
    if cfg!(target_os = "linux") {
        assert!(read("process_resident_memory_bytes") > 1e6);
        assert!(read("process_open_fds") >= 3.0);
        assert!(
            samples
                .keys()
                .any(|(name, _)| name == "process_cpu_seconds_total")
        );
    }
    drop((open, upstream));
}
