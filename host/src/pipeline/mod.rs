//! Runs a route's filters: forward over the request, back over the response,
//! and once more over the outcome.
//!
//! Owns what filters share with a request (`Run`) and with a worker (`Slots`).
//! Knows plugins only through `plugin::Instance`, and nothing of sockets; of
//! bodies what filters look at (`Chain`). Called by `proxy`; built by `snapshot`.

mod aside;
mod balancer;
mod chain;
mod decode;
mod report;
mod run;
mod slots;
mod stage;
mod step;
#[cfg(test)]
mod tests;
mod tick;
mod waiting;

pub use balancer::{Balancer, Chooser};
pub use chain::{Chain, Passage, Source, Stop};
pub use run::{Progress, Run};
pub use slots::{Lease, Slot, SlotIndex, Slots};
pub use step::{Pipeline, Step};
pub use tick::Tick;
