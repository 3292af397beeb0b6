//! `round-robin`: a balancer that takes one instance after the other.
//!
//! This file is the glue between the gateway and `rotation`.

pub mod rotation;

use portcullis_sdk::prelude::*;
use portcullis_sdk::{balancing, random};

use rotation::Rotation;

/// The balancer.
#[derive(Debug, Default)]
pub struct RoundRobin {
    rotation: Rotation,
}

#[plugin(summary = "Balancer: one instance after the other, whatever their weights")]
impl RoundRobin {
    fn instances_changed(&mut self, instances: Vec<Instance>) {
        self.rotation.resize(instances.len() as u32, random::u64());
    }

    fn pick(&mut self, _: &mut Exchange, attempt: u32) -> Option<u32> {
        match attempt {
            0 => self.rotation.pick(),
            _ => self.rotation.retry(balancing::tried),
        }
    }
}

#[cfg(test)]
mod tests;
