//! The gateway from outside: the real binary, real sockets, real plugins.
//!
//! Every test reads as upstream, gateway, client, assert. Plugins come from
//! `target/plugins`, where `cargo xtask plugins` leaves them.

mod admin;
mod answers;
mod asking;
mod asking_many;
mod auth;
mod background;
mod balancers;
mod bench;
mod bodies;
mod bodies_by_route;
mod bodies_http2;
mod breaker;
mod check;
mod clients;
mod compiling;
mod drain;
mod edge;
mod floods;
mod forwarding;
mod fragments;
mod framing;
mod grpc;
mod heads;
mod hostile;
mod hostile_clients;
mod hostile_files;
mod hostile_words;
mod http2;
mod identity;
mod identity_hostile;
mod layers;
mod limits;
mod listeners_tls;
mod quarantine;
mod quotas;
mod reload;
mod required;
mod retries;
mod routes;
mod services;
mod services_http2;
mod services_tls;
mod silence;
mod slow;
mod soak;
mod split;
mod streaming;
mod strict;
mod support;
mod traps;
mod upgrades;
mod upgrades_http2;
mod upgrades_to_http2;
