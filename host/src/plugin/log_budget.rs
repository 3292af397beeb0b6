//! Lines per second that a plugin may cause in the log.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Lines about its failures that are written in one second.
pub(super) const FAILURE_LINES: u32 = 5;

/// Counts a plugin's lines. The word holds the second in its upper half and
/// the lines of that second in its lower; lost lines are counted on.
#[derive(Debug, Default)]
pub(super) struct LogBudget(AtomicU64);

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It is written.
    Write,
    /// It is written, after a note that so many were lost before it.
    WriteAfter(u64),
    /// It is lost.
    Lose,
}

impl LogBudget {
    /// Takes one line of `most` a second, in whole seconds since any fixed
    /// point.
    pub(super) fn take(&self, second: u64, most: u32) -> Line {
        let most = u64::from(most);
        let second = second & u64::from(u32::MAX);
        let mut lost = 0;
        let mut lines = 0;
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let same = word >> 32 == second;
            lost = if same {
                0
            } else {
                (word & 0xffff_ffff).saturating_sub(most)
            };
            lines = if same { (word & 0xffff_ffff) + 1 } else { 1 };
            Some(second << 32 | lines.min(0xffff_ffff))
        });
        match lines > most {
            true => Line::Lose,
            false if lost > 0 => Line::WriteAfter(lost),
            false => Line::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_lines_a_second_and_the_rest_is_counted() {
        let budget = LogBudget::default();
        for _ in 0..1_000 {
            assert_eq!(budget.take(7, 1_000), Line::Write);
        }
        for _ in 0..5 {
            assert_eq!(budget.take(7, 1_000), Line::Lose);
        }
        assert_eq!(budget.take(8, 1_000), Line::WriteAfter(5));
        assert_eq!(budget.take(8, 1_000), Line::Write);
        assert_eq!(budget.take(10, 1_000), Line::Write);
    }

    #[test]
    fn a_plugin_that_may_write_nothing_writes_nothing() {
        let budget = LogBudget::default();
        for second in [0, 0, 7, 8, 8] {
            assert_eq!(budget.take(second, 0), Line::Lose);
        }
    }
}
