//! `least-connections`: a balancer that takes the instance with the fewest
//! requests in flight for its weight.
//!
//! This file is the glue between the gateway and `fewest`.

pub mod fewest;

use portcullis_sdk::prelude::*;
use portcullis_sdk::{balancing, random};

use fewest::Fewest;

/// The balancer.
#[derive(Debug, Default)]
pub struct LeastConnections {
    fewest: Fewest,
}

#[plugin(summary = "Balancer: the instance with the fewest requests in flight for its weight")]
impl LeastConnections {
    fn instances_changed(&mut self, instances: Vec<Instance>) {
        let weights: Vec<_> = instances.iter().map(|instance| instance.weight).collect();
        self.fewest = Fewest::new(&weights, random::u64());
    }

    fn pick(&mut self, _: &mut Exchange, attempt: u32) -> Option<u32> {
        let in_flight = balancing::all_in_flight();
        self.fewest
            .pick(&in_flight, |index| attempt > 0 && balancing::tried(index))
    }
}

#[cfg(test)]
mod tests;
