//! `weighted-round-robin`: a balancer that takes instances in turn, smoothly
//! by weight.
//!
//! This file is the glue between the gateway and `smooth`.

pub mod smooth;

use portcullis_sdk::prelude::*;
use portcullis_sdk::{balancing, random};

use smooth::Order;

/// The balancer.
#[derive(Debug, Default)]
pub struct WeightedRoundRobin {
    order: Order,
}

#[plugin(summary = "Balancer: instances in turn, as often as their weights say and evenly spaced")]
impl WeightedRoundRobin {
    fn instances_changed(&mut self, instances: Vec<Instance>) {
        let weights: Vec<_> = instances.iter().map(|instance| instance.weight).collect();
        self.order = Order::new(&weights, random::u64());
    }

    fn pick(&mut self, _: &mut Exchange, attempt: u32) -> Option<u32> {
        match attempt {
            0 => self.order.pick(),
            _ => self.order.retry(balancing::tried),
        }
    }
}

#[cfg(test)]
mod tests;
