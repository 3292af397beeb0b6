//! What becomes of a call that failed, or was not made: counted, logged, and
//! an error that `respond` knows.

use std::time::Instant;

use crate::{
    exchange::Exchange,
    observe::Hook,
    plugin::{Admission, Configured, PluginError, PluginErrorKind, Refused},
    respond::Error,
};

/// What metrics call a call that was not made.
pub(super) const QUARANTINED: &str = "quarantined";

/// Notes a call that failed: the quarantine counts it if the plugin is at
/// fault, and the log has a line of it, or some of them if there are many.
#[cold]
pub(super) fn failed(
    configured: &Configured,
    hook: Hook,
    admission: Admission,
    exchange: &Exchange,
    error: &PluginError,
) {
    log(configured, exchange, error);
    let quarantine = configured.quarantine();
    if error.kind.is_fault() {
        quarantine.failed(hook, admission, Instant::now());
    } else if let Admission::Probe(probe) = admission {
        // That says nothing of whether it works again.
        quarantine.abandon(probe);
    }
}

/// The answer to a request whose call failed.
#[cold]
pub(super) fn answer(error: &PluginError) -> Error {
    match error.kind {
        PluginErrorKind::Busy => Error::PluginBusy,
        _ => Error::Plugin,
    }
}

/// The answer to a request whose call is not made.
#[cold]
pub(super) fn refused(refused: Refused) -> Error {
    let seconds = refused.after.as_secs_f64().ceil();
    // At most the longest quarantine, which is hours.
    Error::Quarantined((seconds as u64).max(1))
}

/// A plugin that fails on every request shall not fill the log: each way to
/// fail is told in full once, and then there are a few lines a second.
fn log(configured: &Configured, exchange: &Exchange, error: &PluginError) {
    let plugin = &*error.plugin;
    let request_id = exchange.request_id.as_str();
    let kind = error.kind.as_str();
    if let Some(backtrace) = &error.backtrace {
        tracing::warn!(plugin, request_id, kind, "{error}\n{backtrace}");
        return;
    }
    match configured.failure_line() {
        Some(0) => tracing::warn!(plugin, request_id, kind, "{error}"),
        Some(lost) => tracing::warn!(
            plugin,
            request_id,
            kind,
            lost,
            "{error}; lines of earlier failures are left out"
        ),
        None => tracing::debug!(plugin, request_id, kind, "{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_is_told_whole_seconds_and_at_least_one() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_500, 60)] {
            let after = Duration::from_millis(millis);
            assert_eq!(refused(Refused { after }), Error::Quarantined(seconds));
        }
    }
}
