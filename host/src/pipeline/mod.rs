//! Runs a route's filters: forward over the request, back over the response,
//! and once more over the outcome.
//!
//! Owns what filters share with a request (`Run`) and with a worker (`Slots`).
//! Knows plugins only through `plugin::Instance`, and nothing of sockets or
//! bodies. Called by `proxy`; built by `snapshot`.

mod balancer;
mod report;
mod run;
mod slots;
mod step;

pub use balancer::{Balancer, Chooser};
pub use run::Run;
pub use slots::{Slot, SlotIndex, Slots};
pub use step::{Pipeline, Step};
