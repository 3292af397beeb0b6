//! A plugin that fails again and again is not called for a while.
//!
//! One [`Quarantine`] stands for one version of a plugin with one
//! configuration: a bad configuration of a good plugin takes down only the
//! filters that have it. It is shared by all workers and outlives reloads that
//! change neither, and starts clean for whatever an operator changes to mend
//! it. Written by `pipeline` for every failed call; a healthy plugin costs one
//! relaxed load a call.
//!
//! ```text
//! healthy ── a failure ──▶ watched ── too many ──▶ quarantined ── a probe succeeds ──▶ watched
//!    ▲                        │                     ▲        │
//!    └──── a quiet window ────┘                     └────────┘ a probe fails: for twice as long
//! ```
//!
//! Too many is a number and a share of the calls of one hook, so that a client
//! who has found the one request on which a plugin traps cannot take the plugin
//! from everybody else: only while something has failed are calls counted.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU8, AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::{Duration, Instant},
};

use crate::{
    config::QuarantinePolicy,
    observe::{Hook, Metrics},
};

use super::Tempo;

const HEALTHY: u8 = 0;
const WATCHED: u8 = 1;
const QUARANTINED: u8 = 2;

/// The state of one version of a plugin with one configuration.
#[derive(Debug)]
pub struct Quarantine {
    plugin: Arc<str>,
    policy: QuarantinePolicy,
    metrics: Arc<Metrics>,
    phase: AtomicU8,
    /// When the next probe may be made, in nanoseconds after `origin`.
    until: AtomicU64,
    origin: Instant,
    /// Calls of each hook that went well since the window began.
    succeeded: [AtomicU32; Hook::COUNT],
    tempo: Arc<Tempo>,
    ledger: Mutex<Ledger>,
}

/// What is only looked at where something has failed.
#[derive(Debug, Default)]
struct Ledger {
    /// When the window began in which failures are counted.
    window: Option<Instant>,
    failed: [u32; Hook::COUNT],
    /// The hook whose failures were too many: a probe has to get through it.
    tripped: Option<Hook>,
    /// Quarantines in a row, failed probes included.
    row: u32,
    /// How long the last one was.
    pause: Duration,
    healed: Option<Instant>,
    failures: u64,
    quarantines: u64,
}

/// How a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The plugin is healthy; nobody asks how the call ends, unless it fails.
    Free,
    /// The plugin is watched: the end of the call is to be noted.
    Counted,
    /// The plugin is quarantined, and this call may show that it has recovered.
    Probe(Probe),
}

/// The right to probe: until the time that it holds nobody else may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe(u64);

/// The plugin is quarantined, and the call is not to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// When to ask again.
    pub after: Duration,
}

/// What an operator is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineFigures {
    /// How long no call is made; none if the plugin is called.
    pub quarantined_for: Option<Duration>,
    /// Failures since this version came with this configuration.
    pub failures: u64,
    /// Quarantines since then, those after a failed probe included.
    pub quarantines: u64,
}

impl Quarantine {
    pub(super) fn new(
        plugin: Arc<str>,
        policy: QuarantinePolicy,
        metrics: Arc<Metrics>,
        now: Instant,
    ) -> Self {
        Self {
            plugin,
            policy,
            metrics,
            phase: AtomicU8::new(HEALTHY),
            until: AtomicU64::new(0),
            origin: now,
            succeeded: Default::default(),
            tempo: Arc::default(),
            ledger: Mutex::default(),
        }
    }

    /// True if calls may be made and their success need not be noted.
    #[inline]
    pub fn is_healthy(&self) -> bool {
        self.phase.load(Relaxed) == HEALTHY
    }

    /// Whether and how a call may be made now. `held` is the right to probe
    /// that the request has from an earlier hook.
    ///
    /// # Errors
    ///
    /// The plugin is quarantined, and the next probe is not due or is made by
    /// somebody else.
    pub fn admit(&self, held: Option<Probe>, now: Instant) -> Result<Admission, Refused> {
        match (self.phase.load(Acquire), held) {
            (HEALTHY, _) => Ok(Admission::Free),
            (WATCHED, _) => Ok(Admission::Counted),
            (_, Some(probe)) => Ok(Admission::Probe(probe)),
            _ => self.probe(now),
        }
    }

    /// Notes that a call went well. True if it ended the quarantine.
    pub fn succeeded(&self, hook: Hook, admission: Admission, now: Instant) -> bool {
        let probe = matches!(admission, Admission::Probe(_));
        match self.phase.load(Acquire) {
            WATCHED => {
                self.succeeded[hook as usize].fetch_add(1, Relaxed);
                false
            }
            QUARANTINED if probe => self.probed_well(hook, now),
            _ => false,
        }
    }

    /// Notes that the plugin failed in a call.
    pub fn failed(&self, hook: Hook, admission: Admission, now: Instant) {
        let mut ledger = self.ledger();
        ledger.failures += 1;
        match (self.phase.load(Acquire), admission) {
            (QUARANTINED, Admission::Probe(_)) => self.begin(&mut ledger, hook, now),
            // It began before the quarantine did.
            (QUARANTINED, _) => {}
            _ if !self.policy.enabled => {}
            _ => self.count(&mut ledger, hook, now),
        }
    }

    /// Gives back the right to probe if it was not used: the request ended
    /// before it came to the hook that had failed.
    pub fn abandon(&self, Probe(until): Probe) {
        // Another may have taken over meanwhile; then there is nothing to give back.
        let _ = self.until.compare_exchange(until, 0, AcqRel, Relaxed);
    }

    /// Forgets failures that are longer ago than the window is long.
    pub(super) fn sweep(&self, now: Instant) {
        if self.phase.load(Acquire) == WATCHED {
            let mut ledger = self.ledger();
            if !self.within(&ledger, now) && self.phase.load(Acquire) == WATCHED {
                self.watch(&mut ledger, None);
                self.phase.store(HEALTHY, Release);
            }
        }
    }

    /// Whether it takes long, which is known of it for as long as its failures.
    pub fn tempo(&self) -> &Arc<Tempo> {
        &self.tempo
    }

    /// The plugin's name.
    pub fn plugin(&self) -> &Arc<str> {
        &self.plugin
    }

    /// What an operator is shown.
    pub fn figures(&self, now: Instant) -> QuarantineFigures {
        let ledger = self.ledger();
        let quarantined = self.phase.load(Acquire) == QUARANTINED;
        let left = self.until.load(Acquire).saturating_sub(self.nanos(now));
        QuarantineFigures {
            quarantined_for: quarantined.then(|| Duration::from_nanos(left)),
            failures: ledger.failures,
            quarantines: ledger.quarantines,
        }
    }

    fn probe(&self, now: Instant) -> Result<Admission, Refused> {
        let until = self.until.load(Acquire);
        let now_nanos = self.nanos(now);
        if let Some(left) = until.checked_sub(now_nanos).filter(|left| *left > 0) {
            let after = Duration::from_nanos(left);
            return Err(Refused { after });
        }
        // Who moves the time on has the right to probe until then.
        let pause = self.ledger().pause;
        let next = now_nanos.saturating_add(nanos(pause));
        match self.until.compare_exchange(until, next, AcqRel, Relaxed) {
            Ok(_) => Ok(Admission::Probe(Probe(next))),
            Err(_) => Err(Refused { after: pause }),
        }
    }

    fn probed_well(&self, hook: Hook, now: Instant) -> bool {
        let mut ledger = self.ledger();
        if ledger.tripped != Some(hook) || self.phase.load(Acquire) != QUARANTINED {
            return false;
        }
        ledger.healed = Some(now);
        ledger.tripped = None;
        self.watch(&mut ledger, Some(now));
        self.phase.store(WATCHED, Release);
        tracing::info!(plugin = %self.plugin, "the quarantine ends: the plugin works again");
        true
    }

    /// Counts a failure of a plugin that is called.
    fn count(&self, ledger: &mut Ledger, hook: Hook, now: Instant) {
        if !self.within(ledger, now) {
            self.watch(ledger, Some(now));
        }
        let failed = &mut ledger.failed[hook as usize];
        *failed = failed.saturating_add(1);
        let failed = u64::from(*failed);
        let calls = failed + u64::from(self.succeeded[hook as usize].load(Relaxed));
        let many = failed >= u64::from(self.policy.failures.get());
        if many && failed * 100 >= calls * u64::from(self.policy.percent) {
            // After a healthy time it is as if it had never been quarantined.
            let relapse = |healed: Instant| now.duration_since(healed) < self.policy.max;
            if !ledger.healed.is_some_and(relapse) {
                ledger.row = 0;
            }
            self.begin(ledger, hook, now);
            tracing::warn!(
                plugin = %self.plugin,
                failures = failed,
                pause_ms = ledger.pause.as_millis() as u64,
                "quarantined: the plugin failed too often and is not called for a while"
            );
        } else {
            self.phase.store(WATCHED, Release);
        }
    }

    fn begin(&self, ledger: &mut Ledger, hook: Hook, now: Instant) {
        let factor = 1_u32.checked_shl(ledger.row).unwrap_or(u32::MAX);
        ledger.pause = (self.policy.base.saturating_mul(factor)).min(self.policy.max);
        ledger.row = ledger.row.saturating_add(1);
        ledger.quarantines += 1;
        self.metrics.plugins().quarantined(&self.plugin);
        ledger.tripped = Some(hook);
        let until = self.nanos(now).saturating_add(nanos(ledger.pause));
        self.until.store(until, Release);
        self.phase.store(QUARANTINED, Release);
    }

    /// Begins a window, or none.
    fn watch(&self, ledger: &mut Ledger, window: Option<Instant>) {
        ledger.window = window;
        ledger.failed = Default::default();
        for count in &self.succeeded {
            count.store(0, Relaxed);
        }
    }

    fn within(&self, ledger: &Ledger, now: Instant) -> bool {
        let recent = |began: Instant| now.duration_since(began) <= self.policy.within;
        ledger.window.is_some_and(recent)
    }

    fn nanos(&self, now: Instant) -> u64 {
        nanos(now.duration_since(self.origin))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
