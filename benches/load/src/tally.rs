//! What became of the requests of one load. Kept by `closed` and `open`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{client::Answer, histogram::Histogram};

/// Counts and latencies of one load.
pub(crate) struct Tally {
    started: Instant,
    last: Instant,
    under_way: u64,
    done: u64,
    non2xx: u64,
    mixed: u64,
    errors: u64,
    latencies: Histogram,
    /// Those of responses that are not 2xx alone.
    of_non2xx: Histogram,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            last: now,
            under_way: 0,
            done: 0,
            non2xx: 0,
            mixed: 0,
            errors: 0,
            latencies: Histogram::new(),
            of_non2xx: Histogram::new(),
        }
    }

    /// When the load began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// A request is due or sent.
    pub(crate) fn begin(&mut self) {
        self.under_way += 1;
    }

    /// A whole response came, to a request that counts from a moment.
    pub(crate) fn answered(&mut self, answer: &Answer, since: Instant) {
        self.under_way -= 1;
        self.done += 1;
        self.mixed += u64::from(answer.mixed);
        self.last = Instant::now();
        self.latencies.record(self.last - since);
        if !(200..300).contains(&answer.status) {
            self.non2xx += 1;
            self.of_non2xx.record(self.last - since);
        }
    }

    /// No whole response came.
    pub(crate) fn failed(&mut self) {
        self.under_way -= 1;
        self.errors += 1;
    }

    /// Nobody waits any longer: what is not answered by now has failed.
    pub(crate) fn give_up(&mut self) {
        self.errors += self.under_way;
        self.under_way = 0;
    }

    /// All of it as one JSON object; latencies in microseconds.
    pub(crate) fn to_json(&self) -> Value {
        let seconds = (self.last - self.started).max(Duration::from_nanos(1));
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let quantile = |share| tenths(self.latencies.quantile(share));
        let of_non2xx = tenths(self.of_non2xx.quantile(0.99));
        json!({
            "done": self.done,
            "non2xx": self.non2xx,
            "mixed": self.mixed,
            "errors": self.errors,
            "rps": tenths(self.done as f64 / seconds.as_secs_f64()),
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "p999_us": quantile(0.999),
            "non2xx_p99_us": of_non2xx,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_has_failed() {
        let mut tally = Tally::new();
        for _ in 0..4 {
            tally.begin();
        }
        for status in [200, 503] {
            let mixed = false;
            tally.answered(&Answer { status, mixed }, tally.started());
        }
        tally.failed();
        tally.give_up();
        let json = tally.to_json();
        let counts = ["done", "non2xx", "errors"].map(|key| json[key].as_u64().unwrap());
        assert_eq!(counts, [2, 1, 2]);
    }
}
