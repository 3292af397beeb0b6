//! Too much of what is allowed: time, lines, calls, bytes.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{
    bindings::portcullis::gateway::{counters, exchange, log, metrics},
    deeds::word,
};

/// Works for nearly as long as a call may take with the usual limits, and then
/// lets the request pass.
pub fn slow() {
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(45) {
        for round in 0..10_000_u32 {
            black_box(round);
        }
    }
}

/// Lines for the log, many times what it takes.
pub fn log_lines() {
    let line = "x".repeat(1_000);
    for _ in 0..2_000 {
        log::write(log::Level::Error, &line);
    }
}

/// Calls of the gateway, most of which want it to keep something.
pub fn calls() {
    for round in 0..1_000_u64 {
        let name = format!("flood-{}-{round}", exchange::request_id());
        counters::add(&name, 1, 60_000);
        #[cfg(feature = "outside")]
        crate::bindings::portcullis::gateway::store::set(&name, b"value", 60_000);
        metrics::add("flood_total", &[("of".into(), name)], 1);
    }
}

/// Thirty-two megabytes for everything that takes text or bytes, none of which
/// may be taken.
pub fn giants() {
    let text = "x".repeat(32 << 20);
    let bytes = text.as_bytes();
    log::write(log::Level::Info, &text);
    metrics::add(&text, &[], 1);
    metrics::add("giant_total", &[("of".into(), text.clone())], 1);
    let said = [
        exchange::set_request_header("x-giant", bytes),
        exchange::set_request_header(&text, b""),
        exchange::append_to_response(&[("x-giant".into(), bytes.to_vec())]),
        exchange::set_path(&text),
        exchange::set_service(&text),
        exchange::set_attribute("giant", &text),
        exchange::set_attribute(&text, ""),
        exchange::respond(200, &[], bytes),
    ];
    assert!(
        said.iter().all(Result::is_err),
        "{}",
        said.map(word).join(" ")
    );
}
