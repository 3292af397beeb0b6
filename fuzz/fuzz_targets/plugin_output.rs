//! Whatever a plugin says makes a valid head, or is refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (Vec<(String, Vec<u8>)>, u16)| {
    portcullis_fuzz::plugin_output(&input.0, input.1);
});
