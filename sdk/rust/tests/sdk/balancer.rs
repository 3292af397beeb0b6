//! The fake gateway runs balancers as `wit/hooks.wit` says.

use portcullis_sdk::{balancing, prelude::*, testing::*};

/// Picks the first instance that was not tried, and keeps count.
#[derive(Default)]
struct First {
    addresses: Vec<String>,
    told: u32,
}

#[plugin(summary = "Picks the first instance that was not tried")]
impl First {
    fn instances_changed(&mut self, instances: Vec<Instance>) {
        self.addresses = instances
            .into_iter()
            .map(|instance| instance.address)
            .collect();
        self.told += 1;
    }

    fn pick(&mut self, _exchange: &mut Exchange, _attempt: u32) -> Option<u32> {
        let count = u32::try_from(self.addresses.len()).ok()?;
        (0..count).find(|&index| !balancing::tried(index))
    }
}

#[test]
fn a_balancer_is_told_the_instances_once_and_again_when_they_change() {
    let gateway = Gateway::new();
    let mut balancer = First::default();
    assert_eq!(
        gateway.run_pick(&mut balancer, Request::get("/").service("users"), 0),
        None
    );
    gateway.set_instances(
        "users",
        [
            instance("b", "127.0.0.1:2", 1),
            instance("a", "127.0.0.1:1", 1),
        ],
    );
    for _ in 0..3 {
        assert_eq!(
            gateway.run_pick(&mut balancer, Request::get("/"), 0),
            Some(0)
        );
    }
    assert_eq!(
        (balancer.told, balancer.addresses[0].as_str()),
        (1, "127.0.0.1:1")
    );
    gateway.set_instances("users", [instance("a", "127.0.0.1:1", 2)]);
    gateway.run_pick(&mut balancer, Request::get("/"), 0);
    assert_eq!(balancer.told, 2);
}

#[test]
fn a_retry_knows_what_was_tried() {
    let gateway = Gateway::new();
    gateway.set_instances(
        "users",
        [
            instance("a", "127.0.0.1:1", 1),
            instance("b", "127.0.0.1:2", 1),
        ],
    );
    let mut balancer = First::default();
    let exchange = gateway.exchange(Request::get("/").service("users"));
    let picks: Vec<_> = (0..3)
        .map(|attempt| exchange.run_pick(&mut balancer, attempt))
        .collect();
    assert_eq!(picks, [Some(0), Some(1), None]);
    let request = Request::get("/").tried([0]);
    assert_eq!(gateway.run_pick(&mut balancer, request, 1), Some(1));
}

/// Picks the least loaded.
#[derive(Default)]
struct Least;

#[plugin(summary = "Picks the least loaded instance")]
impl Least {
    fn instances_changed(&mut self, _instances: Vec<Instance>) {}

    fn pick(&mut self, _exchange: &mut Exchange, _attempt: u32) -> Option<u32> {
        let loads = balancing::all_in_flight();
        let index = (0..loads.len()).min_by_key(|&index| (loads[index], index))?;
        assert_eq!(
            balancing::in_flight(u32::try_from(index).ok()?),
            loads[index]
        );
        u32::try_from(index).ok()
    }
}

#[test]
fn figures_are_those_of_the_test() {
    let gateway = Gateway::new();
    gateway.set_instances(
        "users",
        [
            instance("a", "127.0.0.1:1", 1),
            instance("b", "127.0.0.1:2", 1),
        ],
    );
    gateway.set_in_flight(0, 3);
    gateway.set_latency_us(1, 40);
    assert_eq!(gateway.run_pick(&mut Least, Request::get("/"), 0), Some(1));
}

#[test]
#[should_panic(expected = "a trap")]
fn balancing_outside_of_a_pick_traps() {
    let gateway = Gateway::new();
    gateway
        .exchange(Request::get("/"))
        .with(|_| balancing::in_flight(0));
}
