//! `cargo xtask soak`: plugins that do their worst, for as long as one likes.
//!
//! `hostile` has a plugin of each class take a tenth of the traffic, and looks
//! what the rest of it notices. `reload` replaces a plugin again and again under
//! load. `bodies` sends bodies of a gigabyte through filters. `identity` has an
//! identity provider go away. `edge` has clients stall and flood. All write a
//! table and a record into `target/soak`, and end with an error if a bound is
//! broken.
//!
//! `stage` has the origin and starts gateways; `guests` builds the plugins, which
//! are those of the tests; `sender` runs the load generator of `benches/load`.

mod arguments;
mod bodies;
mod bodies_report;
mod classes;
mod edge;
mod edge_bytes;
mod edge_report;
mod flooder;
mod giant;
pub(crate) mod guests;
mod hostile;
mod hostile_report;
mod identity;
mod issuer;
mod overload;
mod reload;
mod reload_report;
mod report;
mod sender;
mod stage;
mod stops;
mod turns;

pub(crate) use arguments::{Arguments, run};
