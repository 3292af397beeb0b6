//! How many retries there may be, so that they do not finish off an upstream
//! that is in trouble.

use std::{cell::RefCell, time::Instant};

use crate::config::Retries;

/// Seconds that are looked back on.
const WINDOW: usize = 10;

/// The retries of one route or service on one worker over the last ten seconds.
///
/// A retry is within the budget while retries are at most `budget_percent` of
/// requests, or at most `budget_min_per_second` times ten: what one second
/// did not use is there for the next, up to ten. Each worker sees its own part
/// of the traffic and grants the minimum by itself. No locks; time is passed in.
#[derive(Debug)]
pub struct Budget {
    start: Instant,
    window: RefCell<Window>,
}

#[derive(Debug, Default)]
struct Window {
    /// The second, counted from the start, that the last call was in.
    second: u64,
    slots: [Slot; WINDOW],
    total: Slot,
}

#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    requests: u64,
    retries: u64,
}

impl Budget {
    /// A budget without requests yet.
    pub fn new(now: Instant) -> Self {
        Self {
            start: now,
            window: RefCell::default(),
        }
    }

    /// Takes note of a request: its first try, not its retries.
    pub fn request(&self, now: Instant) {
        let mut window = self.window.borrow_mut();
        window.advance(self.second(now)).requests += 1;
        window.total.requests += 1;
    }

    /// Takes a retry out of the budget; false if there is none left.
    pub fn retry(&self, now: Instant, retries: &Retries) -> bool {
        let mut window = self.window.borrow_mut();
        let second = self.second(now);
        window.advance(second);
        let share = window.total.requests * u64::from(retries.budget_percent) / 100;
        let minimum = u64::from(retries.budget_min_per_second) * WINDOW as u64;
        let granted = window.total.retries < share.max(minimum);
        if granted {
            window.advance(second).retries += 1;
            window.total.retries += 1;
        }
        granted
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs()
    }
}

impl Window {
    /// Forgets what is older than the window and returns the slot of now.
    fn advance(&mut self, second: u64) -> &mut Slot {
        let passed = second.saturating_sub(self.second).min(WINDOW as u64);
        self.second = self.second.max(second);
        for back in 0..passed {
            let old = std::mem::take(self.slot(self.second - back));
            self.total.requests -= old.requests;
            self.total.retries -= old.retries;
        }
        self.slot(self.second)
    }

    fn slot(&mut self, second: u64) -> &mut Slot {
        &mut self.slots[(second % WINDOW as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;
    use crate::config::Backoff;

    fn retries(percent: u32, minimum: u32) -> Retries {
        Retries {
            attempts: NonZeroU32::MIN,
            per_try_timeout: None,
            on: Vec::new(),
            backoff: Backoff {
                base: Duration::ZERO,
                max: Duration::ZERO,
            },
            budget_percent: percent,
            budget_min_per_second: minimum,
        }
    }

    fn granted(budget: &Budget, now: Instant, retries: &Retries) -> usize {
        (0..10_000).filter(|_| budget.retry(now, retries)).count()
    }

    #[test]
    fn grants_a_share_of_the_requests() {
        let start = Instant::now();
        let budget = Budget::new(start);
        (0..1_000).for_each(|_| budget.request(start));
        assert_eq!(granted(&budget, start, &retries(20, 3)), 200);
    }

    #[test]
    fn grants_the_minimum_without_requests() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let retries = retries(20, 3);
        assert_eq!(granted(&budget, start, &retries), 30);
        let later = start + Duration::from_secs(9);
        assert_eq!(granted(&budget, later, &retries), 0);
        let later = start + Duration::from_secs(10);
        assert_eq!(granted(&budget, later, &retries), 30);
    }

    #[test]
    fn forgets_requests_after_the_window() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..100).for_each(|_| budget.request(at(0)));
        (0..100).for_each(|_| budget.request(at(5)));
        assert_eq!(granted(&budget, at(9), &retries(10, 0)), 20);
        assert_eq!(granted(&budget, at(12), &retries(30, 0)), 10);
        assert_eq!(granted(&budget, at(1_000), &retries(100, 0)), 0);
    }

    #[test]
    fn nothing_is_granted_where_nothing_is_allowed() {
        let start = Instant::now();
        let budget = Budget::new(start);
        (0..100).for_each(|_| budget.request(start));
        assert_eq!(granted(&budget, start, &retries(0, 0)), 0);
    }
}
