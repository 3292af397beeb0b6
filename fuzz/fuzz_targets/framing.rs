//! Where messages begin and end, whatever comes in whatever parts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis_fuzz::framing(bytes));
