//! Where messages begin and end, whatever comes in whatever parts.
#![no_main]

// The first bytes say the parts, so that a corpus is readable text behind them.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (cuts, bytes) = bytes.split_at(bytes.len().min(2));
    let cuts: Vec<u16> = cuts.iter().map(|cut| u16::from(cut % 32)).collect();
    portcullis_fuzz::framing(bytes, &cuts);
});
