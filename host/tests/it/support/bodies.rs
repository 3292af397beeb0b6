//! The filter that does with bodies what it is told: `tests/guests/bodies`.

use std::{net::SocketAddr, sync::OnceLock};

use super::{Gateway, guests::guest, one_route, start_with_files};

/// The filter that sees bodies as they stream by, built once.
fn streaming() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("bodies", &[]))
}

/// The filter that sees bodies whole, built once.
fn buffering() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("bodies", &["buffered"]))
}

/// Starts a gateway whose one route has a pipeline of both: each step is
/// `stream` or `buffer` and what it is told, `"SIDE:DEED WISHES"`, with more keys behind it.
#[track_caller]
pub(crate) fn start_with_bodies(upstream: SocketAddr, steps: &[(&str, &str, &str)]) -> Gateway {
    let steps: Vec<String> = (steps.iter())
        .map(|(plugin, config, more)| format!("{{ plugin: {plugin}, config: \"{config}\"{more} }}"))
        .collect();
    let pipeline = format!("pipeline: [{}]", steps.join(", "));
    start_with_files(
        &[("stream", streaming()), ("buffer", buffering())],
        "{}",
        &one_route(&[upstream], "", &pipeline),
    )
}
