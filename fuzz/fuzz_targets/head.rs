//! One host, one framing and a path, or a refusal.
#![no_main]

use http::Version;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::head(bytes, Version::HTTP_11);
    portcullis_fuzz::head(bytes, Version::HTTP_2);
});
