//! Each limit of a plugin is kept, and counted where it is met.

use std::sync::Arc;

use crate::{
    config::{Allow, PluginLimits},
    exchange::Exchange,
    plugin::{Configured, ConfiguredOptions, HostServices, Instance, PluginErrorKind as Kind},
};

use super::{calls::logged, harness::*};

/// A plugin with some limits of its own, told what to do in the request hook.
struct Limited {
    configured: Configured,
    services: Arc<HostServices>,
}

fn limited(deed: &str, change: impl FnOnce(&mut PluginLimits)) -> Limited {
    let mut options = options(&format!("request:{deed}"));
    change(&mut options.limits);
    let services = Arc::clone(&options.services);
    Limited {
        configured: Configured::new(plugin(), options).unwrap(),
        services,
    }
}

impl Limited {
    fn instance(&self) -> Instance {
        self.configured.instantiate().unwrap()
    }

    /// How often a limit was met.
    #[track_caller]
    fn met(&self, limit: &str) -> u64 {
        let series =
            format!("portcullis_plugin_limited_total{{plugin=\"hostile\",limit=\"{limit}\"}} ");
        let text = self.services.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

/// A request that asks for numbers.
fn asking(numbers: &[(&'static str, usize)]) -> Box<Exchange> {
    let mut exchange = exchange();
    for (name, number) in numbers {
        exchange.headers.insert(*name, (*number).into());
    }
    exchange
}

#[test]
fn memory_tables_and_time_are_bounded_and_counted() {
    let hog = limited("hog", |limits| limits.memory = 4 << 20);
    let error = hog.instance().on_request(&mut exchange()).unwrap_err();
    assert_eq!(error.kind, Kind::Memory);
    assert!(hog.met("memory") >= 1);

    let table = limited("nothing", |limits| limits.table = 1);
    assert!(table.configured.instantiate().is_err());
    assert_eq!(table.met("table"), 1);

    let spin = limited("spin", |_| {});
    let error = spin.instance().on_request(&mut exchange()).unwrap_err();
    assert_eq!(error.kind, Kind::Deadline);
    assert_eq!(
        (spin.met("call_timeout"), spin.met("start_timeout")),
        (1, 0)
    );
}

#[test]
fn a_hook_calls_the_gateway_a_bounded_number_of_times() {
    let chatty = limited("spin-in-calls", |limits| limits.host_calls = 500);
    let error = chatty.instance().on_request(&mut exchange()).unwrap_err();
    assert_eq!(error.kind, Kind::Trap);
    let said = "called the gateway more than 500 times in one hook";
    assert!(error.message.contains(said), "{error}");
    assert_eq!(chatty.met("host_calls"), 1);

    // Two calls in each hook: the bound is for one hook, not for a life.
    let quiet = limited("header", |limits| limits.host_calls = 100);
    let mut instance = quiet.instance();
    for _ in 0..200 {
        instance.on_request(&mut exchange()).unwrap();
    }
    assert_eq!(quiet.met("host_calls"), 0);
}

#[test]
fn instances_of_one_request_each_are_bounded() {
    let few = limited("nothing", |limits| limits.instances = 2);
    let isolated = || few.configured.isolated();
    let (first, _second) = (isolated().unwrap(), isolated().unwrap());
    let error = isolated().map(drop).unwrap_err();
    assert_eq!(error.kind, Kind::Busy);
    assert!(error.message.contains("its 2 instances"), "{error}");
    assert_eq!(few.met("instances"), 1);
    drop(first);
    isolated().unwrap();
}

#[test]
fn an_answer_is_as_long_as_it_may_be() {
    let short = limited("answer", |limits| limits.response_size = 1_000);
    let mut instance = short.instance();
    instance
        .on_request(&mut asking(&[("x-bytes", 1_000)]))
        .unwrap();
    let error = instance
        .on_request(&mut asking(&[("x-bytes", 1_001)]))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Fail, "it was told, and says so itself");
    assert_eq!(short.met("response_size"), 1);
}

#[test]
fn counters_and_values_are_bounded_for_each_namespace() {
    let counters = limited("flood-counters", |limits| limits.counters = 10);
    counters.services.counters.add("other", "k", 7, HOUR);
    let mut flood = asking(&[("x-count", 200)]);
    counters.instance().on_request(&mut flood).unwrap();
    assert_eq!(counters.services.counters.len(), 11);
    assert_eq!(counters.services.counters.get("other", "k"), Some(7));
    assert_eq!(counters.met("counters"), 190);

    let values = limited("store", |limits| limits.store_keys = 10);
    let mut flood = asking(&[("x-count", 50), ("x-bytes", 9)]);
    values.instance().on_request(&mut flood).unwrap();
    assert_eq!((found(&flood), values.met("store")), ("50 10", 40));

    let bytes = limited("store", |limits| limits.store_bytes = 20 << 10);
    let mut flood = asking(&[("x-count", 50), ("x-bytes", 4_000)]);
    bytes.instance().on_request(&mut flood).unwrap();
    assert_eq!((found(&flood), bytes.met("store")), ("50 4", 46));
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

#[test]
fn series_and_lines_are_bounded() {
    let series = limited("flood-metrics", |limits| limits.metric_series = 3);
    let mut flood = asking(&[("x-count", 10)]);
    series.instance().on_request(&mut flood).unwrap();
    let text = series.services.metrics.render();
    let own = |line: &&str| line.starts_with("portcullis_plugin_flood_total{");
    assert_eq!(text.lines().filter(own).count(), 3);
    assert_eq!(series.met("metric_series"), 7);

    let lines = limited("flood-log", |limits| limits.log_lines = 0);
    let logged = logged(|| {
        let mut flood = asking(&[("x-count", 10)]);
        lines.instance().on_request(&mut flood).unwrap();
    });
    assert_eq!(logged, [""; 0]);
    assert_eq!(lines.met("log_lines"), 10);
}

#[test]
fn state_is_shared_by_namespace_and_by_nothing_else() {
    let services = options("").services;
    let count = |namespace: &str, deed: &str| {
        let options = ConfiguredOptions {
            namespace: namespace.to_owned(),
            services: Arc::clone(&services),
            ..options(deed)
        };
        let configured = Configured::new(plugin(), options).unwrap();
        let mut flood = asking(&[("x-count", 1)]);
        let mut instance = configured.instantiate().unwrap();
        instance.on_request(&mut flood).unwrap();
    };
    count("a", "request:flood-counters");
    count("a", "request:flood-counters");
    count("b", "request:flood-counters");
    let of = |namespace| services.counters.get(namespace, "0");
    assert_eq!((of("a"), of("b"), of("hostile")), (Some(2), Some(1), None));
}

#[test]
fn discovery_shows_what_is_allowed() {
    let registry = Arc::new(crate::discovery::Registry::new());
    let service = |name: &str| crate::config::Service {
        name: name.to_owned(),
        instances: Vec::new(),
        balancer: None,
        health_check: None,
        tls: None,
        protocol: crate::config::Protocol::default(),
        at: crate::config::Position::START,
    };
    registry
        .apply(
            &[service("users"), service("orders")],
            &crate::tls::Clients::default(),
        )
        .unwrap();
    let seen = |allow: Allow| {
        let options = ConfiguredOptions {
            allow,
            services: Arc::new(HostServices {
                registry: Arc::clone(&registry),
                ..HostServices::detached()
            }),
            ..options("request:discover")
        };
        let configured = Configured::new(plugin(), options).unwrap();
        let mut exchange = exchange();
        let mut instance = configured.instantiate().unwrap();
        instance.on_request(&mut exchange).unwrap();
        found(&exchange).to_owned()
    };
    assert_eq!(seen(Allow::all()), "orders users | users orders");
    let mut some = Allow::all();
    some.show(["orders".to_owned()].into());
    assert_eq!(seen(some.clone()), "orders | orders");
    some.show([].into());
    assert_eq!(seen(some), " | ");
}
