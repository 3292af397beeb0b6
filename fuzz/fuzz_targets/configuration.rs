//! Any text is read, or refused with places in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis_fuzz::configuration(bytes));
