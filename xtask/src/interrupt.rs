//! Ctrl-C and its relatives as a flag that long commands look at, so that what
//! they started is stopped in order. Used by `demo` and `bench`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use anyhow::{Result, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// A flag that is set from now on when somebody wants us to stop.
pub(crate) fn watch() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

/// An error if somebody wants us to stop.
pub(crate) fn check(interrupted: &AtomicBool) -> Result<()> {
    if interrupted.load(Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
