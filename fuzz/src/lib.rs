//! The modules of the gateway that read what others write, compiled by themselves:
//! with all of it a fuzz target would take ten minutes to build.
//!
//! Each has a `proof` beside it, with what holds of any input. The same proofs run in
//! the gateway's own tests, on inputs that proptest makes.

#![cfg(fuzzing)]
#![expect(
    dead_code,
    unused_imports,
    reason = "a part of the gateway, of which a part is under test"
)]

#[path = "../../host/src"]
mod gateway {
    pub mod config;
    pub mod exchange;
    pub mod forwarding;
    pub mod respond;
    pub mod router;

    pub mod connection {
        pub mod framing;
    }

    pub mod observe {
        pub mod exposition;
        pub mod refused;

        pub use refused::Refused;
    }

    pub mod proxy {
        pub mod head;
        pub mod path;
        pub mod refusal;
    }

    pub mod plugin {
        pub mod host {
            pub mod rules;
        }

        /// The one type of the interface that the rules name.
        pub mod wit {
            /// Why something is refused.
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum Refusal {
                WrongPhase,
                Invalid,
                Forbidden,
                TooLarge,
            }
        }
    }
}

// As the modules name one another.
use gateway::{config, exchange, forwarding, observe, respond, router};

/// Any bytes as a connection, in parts.
pub fn framing(input: &[u8]) {
    gateway::connection::framing::proof::fuzzed(input);
}

/// Any bytes as a head.
pub fn head(input: &[u8]) {
    gateway::proxy::head::proof::fuzzed(input);
}

/// Any text as a target.
pub fn path(input: &[u8]) {
    gateway::proxy::path::proof::fuzzed(input);
}

/// Any lines as the fields of a request, of a client at any address.
pub fn forwarded(input: &[u8]) {
    gateway::forwarding::proof::fuzzed(input);
}

/// Any text as a configuration of one of the formats.
pub fn configuration(input: &[u8]) {
    config::proof::fuzzed(input);
}

/// Any words of a plugin.
pub fn plugin_output(words: &[(String, Vec<u8>)], status: u16) {
    gateway::plugin::host::rules::proof::holds(words, status);
}
