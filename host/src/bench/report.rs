//! What was found out about a route's pipeline, put together.

use serde_json::{Value, json};

use crate::{config::Isolation, plugin::Work};

use super::{
    Place, clock,
    compare::{Comparison, Contrast},
    ledger::Entry,
    measure::{Measured, Times},
    request::Request,
    scene::{Plan, Scene},
    track::Row,
};

/// What a route's pipeline costs.
pub struct Report {
    pub(super) route: String,
    /// Method and target.
    pub(super) request: String,
    /// Requests of which the hooks were timed.
    pub(super) requests: u64,
    /// Calls in a row of which the processor time was measured.
    pub(super) block: u64,
    pub(super) lines: Vec<Line>,
    pub(super) whole: Times,
    /// What one reading of the clock takes, in nanoseconds.
    pub(super) clock: f64,
    /// What came of calls, if anything but success did.
    pub(super) remarks: Vec<String>,
}

/// One hook in one place.
pub(super) struct Line {
    pub(super) row: Row,
    /// Whether each request has an instance of its own, made at its first hook.
    pub(super) per_request: bool,
    pub(super) calls: Entry,
    pub(super) times: Times,
    pub(super) work: Option<Work>,
    /// Of the time of all hooks, from 0 to 1.
    pub(super) share: f64,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        request: &Request,
        scene: &Scene,
        measured: Measured,
        work: Vec<Option<Work>>,
    ) -> Self {
        let Measured {
            track,
            rows,
            whole,
            ledger,
            requests,
            block,
        } = measured;
        let all: u64 = rows.iter().map(|times| times.wall.sum()).sum();
        let lines: Vec<Line> = (track.rows.into_iter().zip(rows).enumerate())
            .map(|(number, (row, times))| Line {
                per_request: per_request(scene, row.place),
                calls: ledger.row(number).clone(),
                work: work.get(number).copied().flatten(),
                share: times.wall.sum() as f64 / all.max(1) as f64,
                row,
                times,
            })
            .collect();
        let remarks = lines.iter().filter_map(|line| line.calls.remark(&line.row));
        Self {
            route: plan.route().name.clone(),
            request: format!("{} {}", request.method, request.uri),
            requests,
            block,
            remarks: remarks.collect(),
            lines,
            whole,
            clock: clock::reading(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "route": self.route,
            "request": self.request,
            "requests": self.requests,
            "debug_build": cfg!(debug_assertions),
            "calls_per_block": self.block,
            "clock_ns": self.clock,
            "hooks": self.lines.iter().map(Line::to_json).collect::<Vec<_>>(),
            "whole": times(&self.whole),
            "remarks": self.remarks,
        })
    }
}

fn per_request(scene: &Scene, place: Place) -> bool {
    let steps = &scene.route().pipeline.steps;
    matches!(place, Place::Step(step) if steps[step].isolation == Isolation::PerRequest)
}

impl Line {
    fn to_json(&self) -> Value {
        json!({
            "step": step(self.row.place),
            "plugin": self.row.plugin,
            "hook": self.row.hook.as_str(),
            "calls": self.calls.calls,
            "answers": self.calls.answers,
            "failures": self.calls.failures,
            "time": times(&self.times),
            "work": self.work.map(work),
            "share": self.share,
        })
    }
}

/// A step's number; null for the balancer.
fn step(place: Place) -> Option<usize> {
    match place {
        Place::Step(number) => Some(number),
        Place::Balancer => None,
    }
}

fn times(times: &Times) -> Value {
    json!({
        "p50_ns": times.wall.percentile(50),
        "p99_ns": times.wall.percentile(99),
        "mean_ns": times.wall.mean(),
        "cpu_ns": times.processor,
    })
}

fn work(work: Work) -> Value {
    json!({
        "instructions": work.instructions,
        "host_calls": work.host_calls,
        "bytes_to_host": work.bytes_to_host,
        "bytes_to_plugin": work.bytes_to_plugin,
    })
}

impl Comparison {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "route": self.route,
            "step": step(self.place),
            "plugin": self.plugin,
            "old": self.old,
            "new": self.new,
            "pairs": self.pairs,
            "requests_per_block": self.block,
            "debug_build": cfg!(debug_assertions),
            "hooks": self.contrasts.iter().map(Contrast::to_json).collect::<Vec<_>>(),
            "remarks": self.remarks,
        })
    }
}

impl Contrast {
    fn to_json(&self) -> Value {
        let difference = self.difference.as_ref().map(|difference| {
            json!({
                "old_ns": difference.old,
                "new_ns": difference.new,
                "median_ns": difference.interval.median,
                "interval_ns": [difference.interval.low, difference.interval.high],
                "median_percent": difference.percent(difference.interval.median),
                "verdict": difference.verdict.as_str(),
            })
        });
        json!({
            "hook": self.hook,
            "difference": difference,
            "old": self.old.map(work),
            "new": self.new.map(work),
        })
    }
}
