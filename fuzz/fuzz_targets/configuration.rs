//! Any text is read, or refused with places in it.
#![no_main]

// The first character says the format: `y`, `t` or `j`.
libfuzzer_sys::fuzz_target!(|text: &str| {
    let format = match text.as_bytes() {
        [b't', ..] => 1,
        [b'j', ..] => 2,
        _ => 0,
    };
    portcullis_fuzz::configuration(text.get(1..).unwrap_or_default(), format);
});
