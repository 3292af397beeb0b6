//! One form for every path, which stays below the root.
#![no_main]

libfuzzer_sys::fuzz_target!(|target: &str| portcullis_fuzz::path(target));
