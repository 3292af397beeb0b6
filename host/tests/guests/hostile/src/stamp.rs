//! Which version of a plugin each hook of one exchange was called in.
//!
//! The version is a mark in the file that can be written over without building
//! anew. Request and response get it as the header `x-stamp`, so that a client
//! of an upstream that echoes can compare them. What no client can see is
//! counted: `stamps_total` by hook, and `stamps_mixed_total`, where the hooks of
//! one exchange were of several versions.

use std::hint::black_box;

use crate::{
    bindings::portcullis::gateway::{exchange, metrics},
    deeds::Outcome,
};

/// The mark. Long enough to be in a file only once.
#[used]
static VERSION: [u8; 24] = *b"stamp-of-version-0000001";

/// Leaves the stamp.
pub fn press(hook: &str) -> Outcome {
    let version = black_box(&VERSION);
    let text = String::from_utf8_lossy(version);
    match hook {
        "request" => {
            let _ = exchange::set_request_header("x-stamp", version);
            let _ = exchange::set_attribute("stamp", &text);
        }
        "response" => {
            let _ = exchange::set_response_header("x-stamp", version);
        }
        "completion" => {}
        _ => return Outcome::Nothing,
    }
    if exchange::attribute("stamp").as_deref() != Some(&*text) {
        metrics::add("stamps_mixed_total", &[("hook".into(), hook.into())], 1);
    }
    metrics::add("stamps_total", &[("hook".into(), hook.into())], 1);
    Outcome::Nothing
}
