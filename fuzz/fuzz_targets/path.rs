//! One form for every path, which stays below the root.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis_fuzz::path(bytes));
