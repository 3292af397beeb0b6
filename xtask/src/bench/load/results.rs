//! What was measured: one sample per contender, loop and round. Filled by
//! `rounds`, read by everything that writes.

use super::{
    contender::{Absent, Contender, Gateway},
    site::Pinning,
};
use crate::bench::machine::Machine;

/// How requests were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each connection at once after its last answer.
    Closed,
    /// At a fixed rate, at random moments.
    Open,
}

impl Mode {
    pub(crate) const BOTH: [Self; 2] = [Self::Closed, Self::Open];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// From 1 on.
    pub(crate) round: u32,
    pub(crate) mode: Mode,
    /// Requests that were answered at all.
    pub(crate) done: u64,
    /// Requests that were not answered, or not with 2xx.
    pub(crate) failed: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// Processor time of the contender, per answered request.
    pub(crate) cpu_us: f64,
    pub(crate) resident_mib: f64,
    pub(crate) peak_mib: f64,
    /// Processors that were busy with anything else than this measurement.
    pub(crate) busy_elsewhere: f64,
}

/// All of one contender.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) contender: Contender,
    pub(crate) samples: Vec<Sample>,
    /// Why it did not stay to the end, if so.
    pub(crate) epitaph: Option<String>,
}

impl Row {
    /// The samples of one loop, in the order of rounds or backwards.
    pub(crate) fn of(&self, mode: Mode) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.mode == mode)
    }

    /// A figure of one loop, of each round.
    pub(crate) fn values(&self, mode: Mode, figure: fn(&Sample) -> f64) -> Vec<f64> {
        self.of(mode).map(figure).collect()
    }

    /// Processor time per request in the closed loop, and that of another
    /// contender in the same round.
    pub(crate) fn cpu_beside(&self, other: &Self) -> Vec<(f64, f64)> {
        let mine = self.of(Mode::Closed);
        let pairs = mine.filter_map(|mine| {
            let mut others = other.of(Mode::Closed);
            let theirs = others.find(|theirs| theirs.round == mine.round)?;
            Some((mine.cpu_us, theirs.cpu_us))
        });
        pairs.collect()
    }

    /// Requests that failed, and requests in all.
    pub(crate) fn failures(&self) -> (u64, u64) {
        let failed = self.samples.iter().map(|sample| sample.failed).sum();
        let done: u64 = self.samples.iter().map(|sample| sample.done).sum();
        (failed, done.max(failed))
    }

    /// Whether its figures may be compared: it answered everything, to the end.
    pub(crate) fn is_sound(&self) -> bool {
        self.epitaph.is_none() && self.failures().0 == 0 && !self.samples.is_empty()
    }
}

/// How it was measured.
pub(crate) struct Settings {
    pub(crate) command: String,
    pub(crate) seconds: f64,
    pub(crate) rounds: u32,
    pub(crate) connections: u32,
    pub(crate) workers: u16,
    pub(crate) rate: f64,
    pub(crate) body: u32,
    pub(crate) pinning: Pinning,
}

/// Everything that is written.
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) rows: Vec<Row>,
    pub(crate) left_out: Vec<Absent>,
}

impl Results {
    /// The row that others are compared with: nginx without filters, or ours
    /// if that is not here or failed.
    pub(crate) fn yardstick(&self) -> Option<&Row> {
        let plain = |gateway| {
            move |row: &&Row| {
                row.contender.gateway == gateway
                    && row.contender.filters == Some(0)
                    && row.is_sound()
            }
        };
        let nginx = self.rows.iter().find(plain(Gateway::Nginx));
        nginx.or_else(|| self.rows.iter().find(plain(Gateway::Portcullis)))
    }
}

/// Rows for the tests of what is written.
#[cfg(test)]
pub(crate) mod sample {
    use std::path::Path;

    use super::*;
    use crate::bench::load::own;

    /// A row with one sample of each loop per given processor time.
    pub(crate) fn row(gateway: Gateway, filters: u32, cpu_us: &[f64], failed: u64) -> Row {
        let mut contender = own::contenders(Path::new("p")).remove(0);
        contender.id = format!("{}-{filters}", gateway.name().to_lowercase());
        contender.title = format!("{} with {filters}", gateway.name());
        contender.gateway = gateway;
        contender.filters = Some(filters);
        let samples = Mode::BOTH.iter().flat_map(|mode| {
            (1..).zip(cpu_us).map(|(round, cpu_us)| Sample {
                round,
                mode: *mode,
                done: 1000,
                failed,
                per_second: 50_000.0,
                p50_us: 600.0,
                p99_us: 900.0,
                p999_us: 1200.0,
                cpu_us: *cpu_us,
                resident_mib: 8.0,
                peak_mib: 9.0,
                busy_elsewhere: 0.1,
            })
        });
        Row {
            contender,
            samples: samples.collect(),
            epitaph: None,
        }
    }

    pub(crate) fn results(rows: Vec<Row>) -> Results {
        Results {
            machine: Machine::from_notes(vec![("processor", "one".to_owned())]),
            settings: Settings {
                command: "cargo xtask bench load".into(),
                seconds: 5.0,
                rounds: 3,
                connections: 64,
                workers: 1,
                rate: 2000.0,
                body: 1024,
                pinning: Pinning::Apart,
            },
            rows,
            left_out: vec![Absent {
                id: "haproxy".into(),
                reason: "not installed".into(),
            }],
        }
    }
}
