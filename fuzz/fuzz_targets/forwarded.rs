//! Nobody but the gateway says who the client is.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (address, lines) = bytes.split_at(bytes.len().min(16));
    let mut padded = [0; 16];
    padded[..address.len()].copy_from_slice(address);
    portcullis_fuzz::forwarded(lines, padded);
});
