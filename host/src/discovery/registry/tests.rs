//! Applying configurations, registering, expiring, and what readers see of it.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::{super::*, *};
use crate::config::{HealthCheck, Position};

const CHECK: HealthCheck = HealthCheck {
    path: String::new(),
    interval: Duration::from_secs(1),
    timeout: Duration::from_secs(1),
    unhealthy_after: NonZeroU32::MIN,
    healthy_after: NonZeroU32::MIN,
};

fn service(name: &str, instances: &[(&str, u32)]) -> config::Service {
    let instance = |&(address, weight): &(&str, u32)| config::Instance {
        address: address.to_owned(),
        weight: NonZeroU32::new(weight).expect("not zero"),
        metadata: BTreeMap::new(),
        at: Position::START,
    };
    config::Service {
        name: name.to_owned(),
        instances: instances.iter().map(instance).collect(),
        balancer: None,
        health_check: None,
        tls: None,
        protocol: config::Protocol::default(),
        at: Position::START,
    }
}

fn registry(instances: &[(&str, u32)]) -> Registry {
    let registry = Registry::new();
    registry
        .apply(&[service("a", instances)], &Clients::default())
        .expect("applied");
    registry
}

fn registration(address: &str) -> Registration {
    Registration {
        address: address.parse().expect("an address"),
        weight: NonZeroU32::MIN,
        metadata: BTreeMap::new(),
        ttl: None,
    }
}

fn found(registry: &Registry) -> Arc<Service> {
    registry.service("a").expect("service a")
}

fn ids(registry: &Registry) -> Vec<String> {
    let list = found(registry).list();
    list.instances.iter().map(|i| i.id.to_string()).collect()
}

#[test]
fn lists_instances_by_id() {
    let registry = registry(&[("127.0.0.1:3", 1), ("127.0.0.1:1", 5)]);
    assert_eq!(ids(&registry), ["127.0.0.1:1", "127.0.0.1:3"]);
    let first = found(&registry).list().instances[0].clone();
    assert_eq!((first.weight.get(), first.source), (5, Source::File));
    assert!(registry.service("b").is_none());
}

#[test]
fn keeps_gauges_where_the_address_stays() {
    let registry = registry(&[("127.0.0.1:1", 1), ("127.0.0.1:2", 1)]);
    let before = found(&registry).list();
    let in_flight = before.instances[0].begin();
    in_flight.record_latency(Duration::from_millis(3));

    let changed = service("a", &[("127.0.0.1:1", 7), ("127.0.0.1:3", 1)]);
    registry
        .apply(&[changed], &Clients::default())
        .expect("applied");
    let after = found(&registry).list();
    assert_eq!(after.version, before.version + 1);
    let (kept, new) = (&after.instances[0], &after.instances[1]);
    assert_eq!(kept.number, before.instances[0].number);
    assert_eq!((kept.weight.get(), kept.in_flight()), (7, 1));
    assert!((2_900..=3_000).contains(&kept.latency_us()));
    assert!(before.instances.iter().all(|i| i.number != new.number));
    assert_eq!((new.in_flight(), new.latency_us()), (0, 0));
    drop(in_flight);
    assert_eq!(kept.in_flight(), 0);
}

#[test]
fn the_same_configuration_changes_nothing() {
    let registry = registry(&[("127.0.0.1:1", 1)]);
    let mut watch = Watch::new(found(&registry));
    let before = watch.list().clone();
    let same = service("a", &[("127.0.0.1:1", 1)]);
    registry
        .apply(&[same], &Clients::default())
        .expect("applied");
    assert!(Arc::ptr_eq(&before, watch.list()));
    let more = service("a", &[("127.0.0.1:1", 1), ("127.0.0.1:2", 1)]);
    registry
        .apply(&[more], &Clients::default())
        .expect("applied");
    assert_eq!(watch.list().version, before.version + 1);
    assert!(Arc::ptr_eq(watch.service(), &found(&registry)));
}

#[test]
fn all_or_nothing() {
    let registry = registry(&[("127.0.0.1:1", 1)]);
    let bad = [
        service("a", &[("127.0.0.1:2", 1), ("127.0.0.1:2", 1)]),
        service("b", &[("no port", 1), ("127.0.0.1:99999", 1)]),
    ];
    let errors = registry
        .apply(&bad, &Clients::default())
        .expect_err("refused");
    let wrong: Vec<_> = errors.iter().map(|e| (&*e.service, &*e.address)).collect();
    let expected = [
        ("a", "127.0.0.1:2"),
        ("b", "no port"),
        ("b", "127.0.0.1:99999"),
    ];
    assert_eq!(wrong, expected);
    assert_eq!(ids(&registry), ["127.0.0.1:1"]);
    assert!(registry.service("b").is_none());
}

#[test]
fn a_name_may_have_several_addresses() {
    let registry = registry(&[("localhost:80", 1)]);
    let list = found(&registry).list();
    assert!(!list.instances.is_empty());
    assert!(list.instances.iter().all(|i| i.address.ip().is_loopback()));
}

#[test]
fn registers_repeats_and_deregisters() {
    let registry = registry(&[("127.0.0.1:1", 1)]);
    let put = |r: Registration| registry.register("a", "x", r).expect("registered");
    assert_eq!(
        put(registration("127.0.0.1:2")),
        Registered {
            created: true,
            expires_in: Duration::from_secs(30)
        },
    );
    assert_eq!(ids(&registry), ["127.0.0.1:1", "x"]);
    let first = found(&registry).list();

    assert!(!put(registration("127.0.0.1:2")).created);
    assert!(
        Arc::ptr_eq(&first, &found(&registry).list()),
        "a heartbeat changes nothing"
    );

    put(Registration {
        weight: NonZeroU32::MAX,
        ..registration("127.0.0.1:2")
    });
    let heavier = found(&registry).list();
    assert_eq!(heavier.instances[1].weight, NonZeroU32::MAX);
    assert_eq!(heavier.instances[1].number, first.instances[1].number);

    put(registration("127.0.0.1:3"));
    let moved = found(&registry).list();
    assert_ne!(moved.instances[1].number, first.instances[1].number);

    registry.deregister("a", "x").expect("deregistered");
    assert_eq!(ids(&registry), ["127.0.0.1:1"]);
}

#[test]
fn registrations_end_without_a_heartbeat() {
    let registry = registry(&[("127.0.0.1:1", 1)]);
    let start = Instant::now();
    let put = |id: &str, address, seconds| {
        let ttl = Some(Duration::from_secs(seconds));
        let registration = Registration {
            ttl,
            ..registration(address)
        };
        registry
            .register("a", id, registration)
            .expect("registered");
    };
    put("x", "127.0.0.1:2", 5);
    put("y", "127.0.0.1:3", 60);
    assert_eq!(registry.expire(start + Duration::from_secs(4)), 0);
    put("x", "127.0.0.1:2", 20);
    assert_eq!(
        registry.expire(start + Duration::from_secs(19)),
        0,
        "prolonged"
    );
    assert_eq!(registry.expire(start + Duration::from_secs(30)), 1);
    assert_eq!(ids(&registry), ["127.0.0.1:1", "y"]);
}

#[test]
fn registrations_survive_a_reload() {
    let registry = registry(&[("127.0.0.1:1", 1)]);
    for (id, address) in [
        ("x", "127.0.0.1:2"),
        ("y", "127.0.0.1:3"),
        ("127.0.0.1:5", "127.0.0.1:4"),
    ] {
        registry
            .register("a", id, registration(address))
            .expect("registered");
    }
    let before = found(&registry).list();
    let file = service("a", &[("127.0.0.1:2", 1), ("127.0.0.1:5", 1)]);
    registry
        .apply(&[file], &Clients::default())
        .expect("applied");
    assert_eq!(
        ids(&registry),
        ["127.0.0.1:2", "127.0.0.1:5", "y"],
        "the file's come first"
    );
    let after = found(&registry).list();
    let number = |list: &InstanceList, id: &str| {
        list.instances
            .iter()
            .find(|i| &*i.id == id)
            .map(|i| i.number)
    };
    assert_eq!(
        number(&before, "x"),
        number(&after, "127.0.0.1:2"),
        "the address stays"
    );
    assert!(
        after
            .instances
            .iter()
            .all(|i| (i.source == Source::File) == (&*i.id != "y"))
    );
}

#[test]
fn refuses_what_cannot_be_registered() {
    use RegisterError as E;
    let registry = registry(&[("127.0.0.1:1", 1)]);
    let fine = || registration("127.0.0.1:2");
    registry.register("a", "x", fine()).expect("registered");
    let with_ttl = |ttl| Registration {
        ttl: Some(ttl),
        ..fine()
    };
    let label = |n: usize| BTreeMap::from([("k".to_owned(), "v".repeat(n))]);
    let address = |text: &str| E::Address(text.parse().expect("an address"));
    let cases = [
        ("b", "x", fine(), E::UnknownService("b".to_owned())),
        ("a", "", fine(), E::Id),
        ("a", "a/b", fine(), E::Id),
        ("a", &*"x".repeat(129), fine(), E::Id),
        ("a", "127.0.0.1:1", fine(), E::FromFile),
        ("a", "y", fine(), E::AddressTaken("x".into())),
        (
            "a",
            "y",
            registration("127.0.0.1:1"),
            E::AddressTaken("127.0.0.1:1".into()),
        ),
        (
            "a",
            "x",
            registration("127.0.0.1:0"),
            address("127.0.0.1:0"),
        ),
        ("a", "x", registration("0.0.0.0:80"), address("0.0.0.0:80")),
        ("a", "x", with_ttl(Duration::from_millis(999)), E::Ttl),
        ("a", "x", with_ttl(Duration::from_secs(86_401)), E::Ttl),
        (
            "a",
            "x",
            Registration {
                metadata: label(257),
                ..fine()
            },
            E::Metadata,
        ),
    ];
    for (service, id, registration, expected) in cases {
        let refused = registry.register(service, id, registration);
        assert_eq!(refused, Err(expected), "{service} {id}");
    }
    assert_eq!(
        registry.deregister("a", "z"),
        Err(E::UnknownInstance("z".to_owned()))
    );
    assert_eq!(registry.deregister("a", "127.0.0.1:1"), Err(E::FromFile));
    assert_eq!(ids(&registry), ["127.0.0.1:1", "x"]);
}

#[test]
fn a_service_has_room_for_a_thousand() {
    let registry = registry(&[]);
    let put = |n: u16| {
        let address = format!("127.0.0.1:{}", n + 1);
        registry.register("a", &n.to_string(), registration(&address))
    };
    assert!((0..1_000).all(|n| put(n).is_ok()));
    assert_eq!(put(1_000), Err(RegisterError::Full));
    assert!(put(999).is_ok(), "a heartbeat needs no room");
    assert_eq!(ids(&registry).len(), 1_000);
}

#[test]
fn unhealthy_instances_are_not_listed() {
    let registry = registry(&[]);
    let mut config = service("a", &[("127.0.0.1:1", 1), ("127.0.0.1:2", 1)]);
    config.health_check = Some(CHECK);
    registry
        .apply(&[config.clone()], &Clients::default())
        .expect("applied");
    let service = found(&registry);
    let all = service.list().instances.clone();
    for instance in &all {
        service.checked(instance, false);
    }
    assert!(ids(&registry).is_empty(), "not even if there is no other");
    assert!(
        service
            .members()
            .iter()
            .all(|member| !member.instance.healthy())
    );

    config.instances[0].weight = NonZeroU32::MAX;
    registry
        .apply(&[config.clone()], &Clients::default())
        .expect("applied");
    assert!(ids(&registry).is_empty(), "a reload does not heal");
    service.checked(&all[1], true);
    assert_eq!(ids(&registry), ["127.0.0.1:2"]);

    config.health_check = None;
    registry
        .apply(&[config], &Clients::default())
        .expect("applied");
    assert_eq!(
        ids(&registry),
        ["127.0.0.1:1", "127.0.0.1:2"],
        "nobody says otherwise"
    );
}
