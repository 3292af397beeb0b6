//! The figures of one instance that change with traffic and with checks.
//!
//! Written by all workers, so everything is an atomic, and each instance's
//! figures have a cache line to themselves.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::config::HealthCheck;

/// What the clock of the latencies counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// In-flight requests, latency and health of one instance.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Gauges {
    in_flight: AtomicU32,
    latency: Latency,
    unhealthy: AtomicBool,
    /// Checks in a row that said the contrary of `unhealthy`.
    contrary: AtomicU32,
}

/// What a check changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    Healthy,
    Unhealthy,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            latency: Latency::default(),
            unhealthy: AtomicBool::new(false),
            contrary: AtomicU32::new(0),
        }
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    pub(super) fn record_latency(&self, latency: Duration) {
        self.latency.record(latency, now());
    }

    pub(super) fn latency_us(&self) -> u32 {
        self.latency.microseconds(now())
    }

    pub(super) fn healthy(&self) -> bool {
        !self.unhealthy.load(Relaxed)
    }

    /// Takes note of a check. Called by one task at a time.
    pub(super) fn checked(&self, passed: bool, check: &HealthCheck) -> Option<Transition> {
        if passed == self.healthy() {
            self.contrary.store(0, Relaxed);
            return None;
        }
        let contrary = self.contrary.load(Relaxed) + 1;
        self.contrary.store(contrary, Relaxed);
        let (threshold, transition) = match passed {
            true => (check.healthy_after, Transition::Healthy),
            false => (check.unhealthy_after, Transition::Unhealthy),
        };
        if contrary < threshold.get() {
            return None;
        }
        self.contrary.store(0, Relaxed);
        self.unhealthy.store(!passed, Relaxed);
        Some(transition)
    }

    /// Healthy again without a check: there are none any more.
    pub(super) fn reset_health(&self) {
        self.unhealthy.store(false, Relaxed);
        self.contrary.store(0, Relaxed);
    }
}

/// Milliseconds on the latencies' clock. Wraps after 49 days, which can only
/// make a figure of that age look fresh.
fn now() -> u32 {
    START.elapsed().as_millis() as u32
}

/// An exponentially weighted moving average over time, in microseconds.
///
/// Value (`f32`, upper half) and time in milliseconds (lower half) in one
/// word. Written without compare-and-swap: of two workers that record at the
/// same instant one sample is lost, as is the second of two samples within a
/// millisecond, and an average does not miss either.
#[derive(Debug, Default)]
struct Latency(AtomicU64);

/// After this time without a sample the average has fallen to 1/e.
const TIME_CONSTANT_MS: f32 = 10_000.0;

impl Latency {
    fn record(&self, sample: Duration, now: u32) {
        // Zero stands for "nothing measured".
        let sample = (sample.as_secs_f32() * 1e6).max(1.0);
        let (average, at) = self.load();
        let average = match average {
            0.0 => sample,
            average => sample + (average - sample) * weight(at, now),
        };
        let packed = u64::from(average.to_bits()) << 32 | u64::from(now);
        self.0.store(packed, Relaxed);
    }

    /// The average, which falls while nothing is measured: an instance that
    /// was slow and is avoided since must be given another chance some time.
    fn microseconds(&self, now: u32) -> u32 {
        let (average, at) = self.load();
        (average * weight(at, now)).round() as u32
    }

    fn load(&self) -> (f32, u32) {
        let packed = self.0.load(Relaxed);
        (f32::from_bits((packed >> 32) as u32), packed as u32)
    }
}

/// How much a figure of `at` still counts at `now`: 1 at once, less later.
fn weight(at: u32, now: u32) -> f32 {
    // Another worker may have written a later time than was read here.
    let elapsed = (now.wrapping_sub(at) as i32).max(0);
    match elapsed {
        0 => 1.0,
        elapsed => (-(elapsed as f32) / TIME_CONSTANT_MS).exp(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn milliseconds(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn latency_follows_the_samples_and_fades() {
        let latency = Latency::default();
        assert_eq!(latency.microseconds(5), 0, "nothing measured");
        latency.record(milliseconds(4), 1_000);
        assert_eq!(
            latency.microseconds(1_000),
            4_000,
            "the first sample counts whole"
        );
        assert_eq!(latency.microseconds(11_000), 1_472, "1/e after ten seconds");
        for now in 1_001..=11_000 {
            latency.record(milliseconds(8), now);
        }
        let average = latency.microseconds(11_000);
        assert!(
            (6_500..6_560).contains(&average),
            "8 - 4/e milliseconds, not {average}"
        );
        assert_eq!(latency.microseconds(500_000), 0, "forgotten");
    }

    #[test]
    fn latency_stays_where_the_samples_are() {
        let latency = Latency::default();
        for now in 0..100_000 {
            latency.record(Duration::from_micros(250), now);
        }
        assert_eq!(latency.microseconds(99_999), 250);
    }

    #[test]
    fn latency_survives_the_end_of_the_clock() {
        let latency = Latency::default();
        latency.record(milliseconds(4), u32::MAX - 4_999);
        assert_eq!(latency.microseconds(5_000), 1_472);
        assert_eq!(
            latency.microseconds(u32::MAX - 5_000),
            4_000,
            "a clock read before"
        );
    }

    #[test]
    fn health_changes_after_so_many_in_a_row() {
        let gauges = Gauges::new();
        let check = HealthCheck {
            path: "/".to_owned(),
            interval: milliseconds(1),
            timeout: milliseconds(1),
            unhealthy_after: NonZeroU32::new(3).expect("not zero"),
            healthy_after: NonZeroU32::new(2).expect("not zero"),
        };
        let mut seen = String::new();
        for result in "..x.xx.xxx.x.x..xx..xxxx".chars() {
            seen.push(match gauges.checked(result == '.', &check) {
                Some(Transition::Healthy) => 'H',
                Some(Transition::Unhealthy) => 'U',
                None => result,
            });
        }
        assert_eq!(seen, "..x.xx.xxU.x.x.Hxx..xxUx");
        gauges.reset_health();
        assert!(gauges.healthy());
    }

    #[test]
    fn an_instances_gauges_share_no_cache_line() {
        assert_eq!(align_of::<Gauges>(), 64);
    }
}
