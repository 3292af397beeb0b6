//! The SDK as plugin authors use it: the fake gateway keeps the rules of the
//! WIT package, and a component has just the hooks that were written.

mod balancer;
mod body;
mod component;
mod crypto;
mod exchange;
mod http;
mod state;
