//! A plugin that does what it is told, and the runtime to try it on.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::{
    config::{Allow, PluginLimits, QuarantinePolicy},
    exchange::{Exchange, Phase, RequestId, ResponseHead, RouteIndex, ServiceIndex},
    plugin::{
        Configured, ConfiguredOptions, HostServices, Instance, Names, Plugin, PluginError, Runtime,
        RuntimeOptions,
    },
    state::{Clock, Counters, KeyValue},
};

use super::guests::guest;

/// The plugin that does what it is told.
pub(in crate::plugin) fn hostile() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("hostile", &["outside"]))
}

/// The same, that never gets through its start function.
pub(super) fn spinning_at_start() -> Vec<u8> {
    guest("hostile", &["spin-at-start"])
}

/// One runtime for all tests, as a process has one.
pub(in crate::plugin) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(RuntimeOptions::default()).unwrap())
}

/// Compiled once for all tests.
pub(crate) fn plugin() -> Arc<Plugin> {
    static PLUGIN: OnceLock<Arc<Plugin>> = OnceLock::new();
    Arc::clone(PLUGIN.get_or_init(|| runtime().load("hostile", hostile()).unwrap()))
}

/// How long a call may take in these tests. Long enough for a slow machine.
pub(super) const CALL: Duration = Duration::from_millis(300);

pub(crate) fn options(deed: &str) -> ConfiguredOptions {
    ConfiguredOptions {
        config: format!("\"{deed}\""),
        limits: PluginLimits {
            call_timeout: CALL,
            start_timeout: Duration::from_secs(5),
            // So that what calls without end meets its deadline.
            host_calls: 1_000_000_000,
            ..PluginLimits::default()
        },
        allow: Allow::all(),
        namespace: "hostile".to_owned(),
        quarantine: QuarantinePolicy::default(),
        service: None,
        names: Arc::new(Names::new(["home"], ["users", "orders"])),
        services: Arc::new(HostServices {
            counters: Counters::new(1_000, Clock::system()),
            store: KeyValue::new(1 << 20, Clock::system()),
            ..HostServices::detached()
        }),
    }
}

pub(super) fn configured(deed: &str) -> Configured {
    Configured::new(plugin(), options(deed)).unwrap()
}

/// An instance that does a deed in a hook: `request:spin`.
pub(in crate::plugin) fn told(deed: &str) -> Instance {
    configured(deed).instantiate().unwrap()
}

/// A request of which something can be read.
pub(crate) fn exchange() -> Box<Exchange> {
    let mut exchange = Exchange {
        phase: Phase::Request,
        uri: "/a/b?c=d".parse().unwrap(),
        host: "example.com".into(),
        request_id: RequestId("id-1".parse().unwrap()),
        route: RouteIndex(0),
        service: Some(ServiceIndex(1)),
        ..Exchange::empty()
    };
    exchange.headers.insert("x-in", "value".parse().unwrap());
    Box::new(exchange)
}

/// The same after the upstream has answered.
pub(super) fn answered() -> Box<Exchange> {
    let mut exchange = exchange();
    exchange.phase = Phase::Response;
    exchange.response = Some(ResponseHead {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
    });
    exchange
}

/// Calls one hook by its name in the hostile plugin's configuration.
pub(super) fn call(
    instance: &mut Instance,
    hook: &str,
    exchange: &mut Box<Exchange>,
) -> Result<(), PluginError> {
    match hook {
        "request" => instance.on_request(exchange).map(drop),
        "response" => instance.on_response(exchange).map(drop),
        "completion" => instance.on_completion(exchange, &crate::exchange::Outcome::default()),
        "instances" => instance.instances_changed(&list(2)),
        "pick" => instance
            .instances_changed(&list(2))
            .and_then(|()| instance.pick(exchange, 0))
            .map(drop),
        other => panic!("no hook {other}"),
    }
}

/// A service's instances.
pub(super) fn list(count: u16) -> Arc<crate::discovery::InstanceList> {
    let registry = crate::discovery::Registry::new();
    let instances = (0..count).map(|index| crate::config::Instance {
        address: format!("127.0.0.1:{}", 9_000 + index),
        weight: std::num::NonZeroU32::MIN,
        metadata: [("zone".to_owned(), "a".to_owned())].into(),
        at: crate::config::Position::START,
    });
    let service = crate::config::Service {
        name: "users".into(),
        instances: instances.collect(),
        balancer: None,
        health_check: None,
        tls: None,
        protocol: crate::config::Protocol::default(),
        at: crate::config::Position::START,
    };
    registry
        .apply(&[service], &crate::tls::Clients::default())
        .unwrap();
    registry.service("users").unwrap().list()
}

/// What the plugin found out.
pub(super) fn found(exchange: &Exchange) -> &str {
    exchange.attribute("found").unwrap_or("nothing")
}
