//! The time of day.

use std::time::Duration;

/// Time since the Unix epoch. May jump when the machine's clock is set.
pub fn now() -> Duration {
    #[cfg(target_family = "wasm")]
    {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
    }
    #[cfg(not(target_family = "wasm"))]
    crate::host::now()
}
