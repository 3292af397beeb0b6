//! `random-two-choices`: a balancer that takes the better of two random
//! instances by latency and load.
//!
//! This file is the glue between the gateway and `choice`.

pub mod choice;

use portcullis_sdk::prelude::*;
use portcullis_sdk::{balancing, random};

use choice::Load;

/// The balancer.
#[derive(Debug, Default)]
pub struct RandomTwoChoices {
    length: u32,
}

#[plugin(summary = "Balancer: of two random instances the one where the request would wait less")]
impl RandomTwoChoices {
    fn instances_changed(&mut self, instances: Vec<Instance>) {
        self.length = instances.len() as u32;
    }

    fn pick(&mut self, _: &mut Exchange, attempt: u32) -> Option<u32> {
        let load = |index| Load {
            in_flight: balancing::in_flight(index),
            latency_us: balancing::latency_us(index),
        };
        let tried = |index| attempt > 0 && balancing::tried(index);
        choice::pick(self.length, random::u64(), load, tried)
    }
}

#[cfg(test)]
mod tests;
