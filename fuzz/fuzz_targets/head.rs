//! One host, one framing and a path, or a refusal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis_fuzz::head(bytes));
