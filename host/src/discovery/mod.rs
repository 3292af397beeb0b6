//! Services and their instances: who is there, and how they are.
//!
//! Owns what must survive a reload of them: gauges, health, registrations.
//! One [`Registry`] per process, shared by all threads; readers take no lock,
//! writers are the control thread and the admin API. Refuses to pick: that is
//! a balancer's work. Refuses to hand out what is unhealthy: an
//! [`InstanceList`] holds only what may be picked, and if that is nothing, it
//! is empty.
//!
//! The gateway applies configurations and expires registrations, the admin
//! API registers, [`Checker`] looks after health, workers read through [`Watch`].

mod gauges;
mod health;
mod instance;
mod registration;
mod registry;
mod resolve;
mod service;
mod speech;

pub use health::Checker;
pub use instance::{InFlight, Instance, Source};
pub use registration::{RegisterError, Registered, Registration};
pub use registry::Registry;
pub use resolve::ResolveError;
pub use service::{InstanceList, Member, Service, Watch};
