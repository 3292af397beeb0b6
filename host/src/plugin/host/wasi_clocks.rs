//! WASI's clocks. A plugin can read them, and cannot wait for them.

use std::time::{Duration, Instant, SystemTime};

use wasmtime::{Result, component::Resource};
use wasmtime_wasi::p2::{
    DynPollable,
    bindings::clocks::{monotonic_clock, wall_clock},
};

use super::{
    super::{data::Data, linker::Linker},
    wasi::{View, Wasi, viewer},
    wasi_io,
};

/// Defines both clocks.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let view = viewer(linker.counting);
    let linker = &mut linker.inner;
    wall_clock::add_to_linker::<Data, Wasi>(linker, view)?;
    monotonic_clock::add_to_linker::<Data, Wasi>(linker, view)
}

impl wall_clock::Host for View<'_> {
    fn now(&mut self) -> Result<wall_clock::Datetime> {
        // A clock before 1970 is shown as 1970.
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Ok(wall_clock::Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        })
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1,
        })
    }
}

impl monotonic_clock::Host for View<'_> {
    fn now(&mut self) -> Result<u64> {
        Ok(u64::try_from(self.0.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        let at = after(self.0.started, when);
        wasi_io::pollable(self.0, Some(at))
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<DynPollable>> {
        wasi_io::pollable(self.0, Some(after(Instant::now(), duration)))
    }
}

/// A time so many nanoseconds later; a year later at most, which no call sees.
fn after(start: Instant, nanoseconds: u64) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    start + Duration::from_nanos(nanoseconds).min(YEAR)
}
