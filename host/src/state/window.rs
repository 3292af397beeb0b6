//! Fixed and sliding windows, exact: counts of two windows and the number of
//! the current one in one word (48 + 40 + 40 bits).

use std::time::Duration;

use super::{
    Decision,
    clock::{Timestamp, nanos},
    key::Kind,
};

/// A window: at most `limit` in `window`.
///
/// Exact for a limit up to 2⁴⁰ − 1 and a window of 1 ms to 4 years; beyond
/// that the nearest of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What may pass in one window.
    pub limit: u64,
    /// How long it is.
    pub window: Duration,
}

const COUNT_BITS: u32 = 40;
const MOST: u64 = (1 << COUNT_BITS) - 1;
const SHORTEST: u64 = 1_000_000;
const LONGEST: u64 = 1 << 57;

/// Whether the window before the current one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// It does not.
    Fixed,
    /// It does, by the share that the sliding window still covers.
    Sliding,
}

impl Window {
    /// What the name of such a window is made with.
    pub(super) fn kind(&self, style: Style) -> Kind {
        match style {
            Style::Fixed => Kind::FixedWindow(self.length()),
            Style::Sliding => Kind::SlidingWindow(self.length()),
        }
    }

    fn length(&self) -> u64 {
        nanos(self.window).clamp(SHORTEST, LONGEST)
    }
}

/// When a window of that length in nanoseconds, and what it leaves to the next
/// one, is as if it had never been.
pub(super) fn expiry(word: u128, length: u64, style: Style) -> Timestamp {
    let windows = match style {
        Style::Fixed => 1,
        Style::Sliding => 2,
    };
    let number = (word >> (2 * COUNT_BITS)) as u64;
    Timestamp::from_nanos((number + windows).saturating_mul(length))
}

/// What was counted, as of one point in time.
struct Counted {
    /// The number of the current window since the epoch; below 2⁴⁴.
    number: u64,
    /// Nanoseconds of it that are over.
    elapsed: u64,
    current: u64,
    previous: u64,
}

impl Counted {
    fn at(word: u128, now: Timestamp, length: u64) -> Self {
        let (number, elapsed) = (now.as_nanos() / length, now.as_nanos() % length);
        let current = (word >> COUNT_BITS) as u64 & MOST;
        let previous = word as u64 & MOST;
        let then = (word >> (2 * COUNT_BITS)) as u64;
        let (current, previous) = match number.saturating_sub(then) {
            0 => (current, previous),
            1 => (0, current),
            _ => (0, 0),
        };
        Self {
            number,
            elapsed,
            current,
            previous,
        }
    }

    fn word(&self) -> u128 {
        u128::from(self.number) << (2 * COUNT_BITS)
            | u128::from(self.current) << COUNT_BITS
            | u128::from(self.previous)
    }
}

/// Counts `cost`, all or nothing; gives back if it is negative.
pub(super) fn take(
    word: u128,
    now: Timestamp,
    window: Window,
    style: Style,
    cost: i32,
) -> (u128, Decision) {
    let (limit, length) = (window.limit.min(MOST), window.length());
    let mut counted = Counted::at(word, now, length);
    if style == Style::Fixed {
        counted.previous = 0;
    }
    let before = counted.current;
    let amount = u64::from(cost.unsigned_abs());
    let allowed = cost <= 0 || amount <= remaining(&counted, limit, length);
    match cost {
        ..=0 => counted.current = before.saturating_sub(amount),
        _ if allowed => counted.current = before + amount,
        _ => {}
    }
    let decision = Decision {
        allowed,
        remaining: remaining(&counted, limit, length),
        reset: Duration::from_nanos(length - counted.elapsed),
        retry_after: match allowed {
            true => Duration::ZERO,
            false => retry_after(&counted, style, limit, length, amount),
        },
    };
    let unchanged = counted.current == before;
    (if unchanged { word } else { counted.word() }, decision)
}

/// What may still be taken: the largest cost with
/// `previous × (length − elapsed) ÷ length + current + cost ≤ limit`.
fn remaining(counted: &Counted, limit: u64, length: u64) -> u64 {
    let left = u128::from(length - counted.elapsed);
    let carried = (u128::from(counted.previous) * left).div_ceil(u128::from(length));
    limit.saturating_sub(counted.current + carried as u64)
}

/// Until `cost` is allowed if nothing else is counted: once few enough of the
/// previous window are covered, else of this one during the next.
fn retry_after(counted: &Counted, style: Style, limit: u64, length: u64, cost: u64) -> Duration {
    let Some(room) = limit.checked_sub(cost) else {
        return Duration::MAX;
    };
    let left = length - counted.elapsed;
    let nanos = match (style, room.checked_sub(counted.current)) {
        (Style::Fixed, _) => left,
        (Style::Sliding, Some(room)) => {
            covered_at_most(counted.previous, room, length).saturating_sub(counted.elapsed)
        }
        (Style::Sliding, None) => left + covered_at_most(counted.current, room, length),
    };
    Duration::from_nanos(nanos)
}

/// How much of a window must be over until at most `room` of the `count` of
/// the window before it are covered.
fn covered_at_most(count: u64, room: u64, length: u64) -> u64 {
    if count <= room {
        return 0;
    }
    let covered = u128::from(length) * u128::from(room) / u128::from(count);
    length - covered as u64
}

#[cfg(test)]
mod tests {
    use super::{super::entries::FRESH, *};

    const MINUTE: Duration = Duration::from_secs(60);

    fn of(limit: u64) -> Window {
        Window {
            limit,
            window: MINUTE,
        }
    }

    /// A time that many seconds into a minute of the clock.
    fn second(second: u64) -> Timestamp {
        Timestamp::from_nanos((30_000_000 * 60 + second) * 1_000_000_000)
    }

    #[test]
    fn a_fixed_window_starts_on_the_minute() {
        let (word, decision) = take(FRESH, second(59), of(5), Style::Fixed, 5);
        assert_eq!((decision.allowed, decision.remaining), (true, 0));
        assert_eq!(decision.reset, Duration::from_secs(1));
        let (same, decision) = take(word, second(59), of(5), Style::Fixed, 1);
        assert!(!decision.allowed && same == word);
        assert_eq!(decision.retry_after, Duration::from_secs(1));
        let (_, decision) = take(word, second(60), of(5), Style::Fixed, 2);
        assert_eq!((decision.allowed, decision.remaining), (true, 3));
        assert_eq!(decision.reset, MINUTE);
        assert_eq!(expiry(word, 60_000_000_000, Style::Fixed), second(60));
    }

    #[test]
    fn a_sliding_window_counts_the_covered_share_of_the_one_before() {
        let (word, _) = take(FRESH, second(10), of(100), Style::Sliding, 80);
        // A quarter of the next minute is over: three quarters of 80 count.
        let (word, decision) = take(word, second(75), of(100), Style::Sliding, 10);
        assert_eq!((decision.allowed, decision.remaining), (true, 30));
        let (_, decision) = take(word, second(75), of(100), Style::Sliding, 31);
        assert!(!decision.allowed);
        // 80 × (60 − t) ÷ 60 ≤ 59 from t = 15.75 s on.
        assert_eq!(decision.retry_after, Duration::from_millis(750));
        assert_eq!(expiry(word, 60_000_000_000, Style::Sliding), second(180));
        let (_, decision) = take(word, second(180), of(100), Style::Sliding, 0);
        assert_eq!(decision.remaining, 100);
    }

    #[test]
    fn waiting_exactly_retry_after_is_enough_and_a_nanosecond_less_is_not() {
        for style in [Style::Fixed, Style::Sliding] {
            for (first, then, at, cost) in [
                (7, 0, 61, 3),
                (7, 2, 95, 5),
                (7, 7, 100, 7),
                (0, 7, 119, 1),
                (3, 6, 80, 7),
                (7, 0, 60, 7),
            ] {
                let (word, _) = take(FRESH, second(30), of(7), style, first);
                let (word, _) = take(word, second(at), of(7), style, then);
                let (_, refused) = take(word, second(at), of(7), style, cost);
                if refused.allowed {
                    assert_eq!(refused.retry_after, Duration::ZERO);
                    continue;
                }
                let enough = second(at).after(refused.retry_after);
                let early = second(at).after(refused.retry_after - Duration::from_nanos(1));
                let case = (style, first, then, at, cost);
                assert!(take(word, enough, of(7), style, cost).1.allowed, "{case:?}");
                assert!(!take(word, early, of(7), style, cost).1.allowed, "{case:?}");
            }
        }
    }

    #[test]
    fn no_window_lets_more_than_its_limit_pass() {
        // Ones at every 100 ms for 20 minutes against 37 a minute.
        for style in [Style::Fixed, Style::Sliding] {
            let (mut word, mut passed) = (FRESH, [0u32; 20]);
            for tick in 0..20 * 600 {
                let now = second(0).after(Duration::from_millis(100 * tick));
                let (next, decision) = take(word, now, of(37), style, 1);
                word = next;
                passed[tick as usize / 600] += u32::from(decision.allowed);
            }
            assert!(
                passed.iter().all(|count| *count <= 37),
                "{style:?} {passed:?}"
            );
            // The sliding window is as generous in the long run.
            assert!(
                passed.iter().sum::<u32>() >= 20 * 36,
                "{style:?} {passed:?}"
            );
        }
    }

    #[test]
    fn gives_back_and_looks() {
        for style in [Style::Fixed, Style::Sliding] {
            let (word, _) = take(FRESH, second(1), of(5), style, 5);
            assert_eq!(take(word, second(1), of(5), style, 0).0, word);
            let (word, decision) = take(word, second(1), of(5), style, -2);
            assert_eq!((decision.allowed, decision.remaining), (true, 2));
            let (_, decision) = take(word, second(1), of(5), style, i32::MIN);
            assert_eq!(decision.remaining, 5);
            assert_eq!(take(FRESH, second(1), of(5), style, -1).0, FRESH);
        }
    }

    #[test]
    fn extremes() {
        for style in [Style::Fixed, Style::Sliding] {
            let never = take(FRESH, second(1), of(3), style, 4);
            assert_eq!((never.0, never.1.retry_after), (FRESH, Duration::MAX));
            for window in [Duration::ZERO, Duration::MAX] {
                let most = Window {
                    limit: u64::MAX,
                    window,
                };
                let mut word = FRESH;
                for cost in [i32::MAX, i32::MAX, -1, 0, i32::MIN] {
                    word = take(word, Timestamp::LAST, most, style, cost).0;
                    assert_ne!(word, u128::MAX);
                    expiry(word, most.length(), style);
                }
            }
        }
    }

    #[test]
    fn a_lowered_limit_applies_at_once() {
        let (word, _) = take(FRESH, second(1), of(100), Style::Fixed, 60);
        let (_, decision) = take(word, second(1), of(50), Style::Fixed, 1);
        assert_eq!((decision.allowed, decision.remaining), (false, 0));
    }
}
