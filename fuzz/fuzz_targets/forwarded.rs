//! Nobody but the gateway says who the client is.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis_fuzz::forwarded(bytes));
