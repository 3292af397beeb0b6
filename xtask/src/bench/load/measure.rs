//! One measurement: a load, and what it cost the contender. Used by `rounds`.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    results::{Mode, Sample},
    start::Runner,
    tool::Tool,
    usage::{self, Threads},
};

/// Puts a load on a contender, and takes the difference of all accounts.
pub(crate) fn sample(
    runner: &Runner,
    origin: u32,
    tool: &Tool,
    mode: Mode,
    round: u32,
) -> Result<Sample> {
    let contender = runner.process.pid();
    let before = Accounts::look(contender, origin);
    let counted = tool.run(runner.port, mode, tool.load.seconds)?;
    let after = Accounts::look(contender, origin);
    let cpu = after.contender.since(&before.contender);
    let (resident_mib, peak_mib) = usage::memory(&usage::family(contender));
    Ok(Sample {
        round,
        mode,
        done: counted.done,
        failed: counted.failed,
        per_second: counted.per_second,
        p50_us: counted.p50_us,
        p99_us: counted.p99_us,
        p999_us: counted.p999_us,
        cpu_us: cpu.as_secs_f64() * 1e6 / counted.done.max(1) as f64,
        resident_mib,
        peak_mib,
        busy_elsewhere: after.elsewhere_since(&before),
    })
}

/// Processor times at one moment.
struct Accounts {
    at: Instant,
    contender: Threads,
    origin: Threads,
    /// Of this program and the loads that it has run.
    own: Duration,
    machine: Duration,
}

impl Accounts {
    fn look(contender: u32, origin: u32) -> Self {
        Self {
            at: Instant::now(),
            contender: Threads::of(&usage::family(contender)),
            origin: Threads::of(&usage::family(origin)),
            own: usage::own_time(),
            machine: usage::machine_time(),
        }
    }

    /// How many processors were busy with something else.
    fn elsewhere_since(&self, before: &Self) -> f64 {
        let contender = self.contender.since(&before.contender);
        let origin = self.origin.since(&before.origin);
        let ours = contender + origin + self.own.saturating_sub(before.own);
        let busy = self.machine.saturating_sub(before.machine);
        busy.saturating_sub(ours).as_secs_f64() / (self.at - before.at).as_secs_f64()
    }
}
