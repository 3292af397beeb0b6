//! The rules of the breaker: from one [`Word`] to the next. Pure functions, so
//! that every interleaving of workers can be played in a test.

use crate::config::Settings;
use crate::word::{Moment, State, Word};

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Pass.
    Pass,
    /// Pass as a trial, if one more may be under way.
    Trial,
    /// Not pass: the breaker is open for so many milliseconds more.
    Refuse(u64),
    /// First move the breaker to this word, then ask again.
    Move(Word),
}

/// What a request that has ended says of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answered well.
    Good,
    /// It failed.
    Bad,
    /// Nothing: the client went away, or the request never got there.
    Unknown,
}

impl Settings {
    /// What a request may do now.
    pub fn admit(&self, word: Word, now: Moment) -> Admission {
        match word.state {
            State::Closed => Admission::Pass,
            State::HalfOpen => Admission::Trial,
            State::Open => match word.moment.since(now) {
                // Zero is over; more than the whole open time means that the
                // moment is past, or that the clock was set back.
                left @ 1.. if left <= self.open_ms => Admission::Refuse(left),
                _ => Admission::Move(half_open(word)),
            },
        }
    }

    /// The word after a request that was let through in `epoch` while closed
    /// ended with success; none if nothing changes.
    pub fn succeeded(&self, word: Word, epoch: u16) -> Option<Word> {
        (is_at(word, State::Closed, epoch) && word.count > 0).then_some(Word { count: 0, ..word })
    }

    /// The word after a request that was let through in `epoch` while closed
    /// failed. `rate` is true if the failure rate now opens the breaker.
    pub fn failed(&self, word: Word, epoch: u16, now: Moment, rate: bool) -> Option<Word> {
        if !is_at(word, State::Closed, epoch) {
            return None;
        }
        if rate {
            return Some(self.open(word, now));
        }
        let threshold = self.failure_threshold?;
        let in_a_row = word.count > 0 && now.since(word.moment) <= self.window_ms;
        let count = if in_a_row { word.count + 1 } else { 1 };
        Some(if count >= threshold {
            self.open(word, now)
        } else {
            Word {
                count,
                moment: now,
                ..word
            }
        })
    }

    /// The word after a trial of `epoch` ended; none if nothing changes.
    pub fn tried(&self, word: Word, epoch: u16, health: Health, now: Moment) -> Option<Word> {
        if !is_at(word, State::HalfOpen, epoch) {
            return None;
        }
        match health {
            Health::Unknown => None,
            Health::Bad => Some(self.open(word, now)),
            Health::Good if word.count + 1 >= self.success_threshold => Some(closed(word)),
            Health::Good => Some(Word {
                count: word.count + 1,
                ..word
            }),
        }
    }

    fn open(&self, word: Word, now: Moment) -> Word {
        Word {
            state: State::Open,
            epoch: word.epoch.wrapping_add(1),
            count: 0,
            moment: now.plus(self.open_ms),
        }
    }
}

fn half_open(word: Word) -> Word {
    Word {
        state: State::HalfOpen,
        epoch: word.epoch.wrapping_add(1),
        count: 0,
        moment: word.moment,
    }
}

fn closed(word: Word) -> Word {
    Word {
        state: State::Closed,
        epoch: word.epoch.wrapping_add(1),
        count: 0,
        moment: word.moment,
    }
}

/// True if the breaker still is where it let the request through. The outcome
/// of a request from before the last transition says nothing of what is now.
fn is_at(word: Word, state: State, epoch: u16) -> bool {
    word.state == state && word.epoch == epoch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Scope, Settings};
    use crate::statuses::Statuses;

    fn settings() -> Settings {
        Settings {
            failure_threshold: Some(3),
            failure_rate: None,
            window_ms: 10_000,
            success_threshold: 2,
            open_ms: 60_000,
            trials: 1,
            trial_ms: 30_000,
            statuses: Statuses::default(),
            scope: Scope::Service,
        }
    }

    fn at(milliseconds: u64) -> Moment {
        Moment::new(1_700_000_000_000 + milliseconds)
    }

    fn word(state: State, epoch: u16, count: u16, moment: Moment) -> Word {
        Word {
            state,
            epoch,
            count,
            moment,
        }
    }

    #[test]
    fn failures_in_a_row_open() {
        let first = settings().failed(Word::PRISTINE, 0, at(0), false);
        assert_eq!(first, Some(word(State::Closed, 0, 1, at(0))));
        let second = settings().failed(first.unwrap(), 0, at(10_000), false);
        assert_eq!(second, Some(word(State::Closed, 0, 2, at(10_000))));
        let third = settings().failed(second.unwrap(), 0, at(10_001), false);
        assert_eq!(third, Some(word(State::Open, 1, 0, at(70_001))));
    }

    #[test]
    fn a_pause_or_a_success_begins_the_row_anew() {
        let two = word(State::Closed, 4, 2, at(0));
        let late = settings().failed(two, 4, at(10_001), false);
        assert_eq!(late, Some(word(State::Closed, 4, 1, at(10_001))));
        assert_eq!(settings().succeeded(two, 4).map(|w| w.count), Some(0));
        // Nothing to write where nothing was counted.
        assert_eq!(
            settings().succeeded(word(State::Closed, 4, 0, at(0)), 4),
            None
        );
        assert_eq!(settings().succeeded(Word::PRISTINE, 0), None);
    }

    #[test]
    fn without_a_threshold_only_the_rate_opens() {
        let by_rate = Settings {
            failure_threshold: None,
            ..settings()
        };
        assert_eq!(by_rate.failed(Word::PRISTINE, 0, at(0), false), None);
        let opened = by_rate.failed(Word::PRISTINE, 0, at(0), true);
        assert_eq!(opened, Some(word(State::Open, 1, 0, at(60_000))));
    }

    #[test]
    fn an_open_breaker_refuses_for_its_time_and_then_is_half_open() {
        let open = word(State::Open, 1, 0, at(60_000));
        for (now, expected) in [
            (0, Admission::Refuse(60_000)),
            (59_999, Admission::Refuse(1)),
            (60_000, Admission::Move(half_open(open))),
            (86_400_000, Admission::Move(half_open(open))),
        ] {
            assert_eq!(settings().admit(open, at(now)), expected, "{now}");
        }
        // A clock that was set back by an hour does not keep it shut for that long.
        let back = Moment::new(1_700_000_000_000 - 3_600_000);
        assert!(matches!(settings().admit(open, back), Admission::Move(_)));
        assert_eq!(half_open(open).epoch, 2);
        assert_eq!(settings().admit(half_open(open), at(0)), Admission::Trial);
    }

    #[test]
    fn trials_close_or_open_again() {
        let half = word(State::HalfOpen, 2, 0, at(0));
        let one = settings().tried(half, 2, Health::Good, at(1)).unwrap();
        assert_eq!((one.state, one.count), (State::HalfOpen, 1));
        let two = settings().tried(one, 2, Health::Good, at(2)).unwrap();
        assert_eq!((two.state, two.epoch, two.count), (State::Closed, 3, 0));
        let bad = settings().tried(one, 2, Health::Bad, at(2)).unwrap();
        assert_eq!(bad, word(State::Open, 3, 0, at(60_002)));
        assert_eq!(settings().tried(half, 2, Health::Unknown, at(1)), None);
    }

    #[test]
    fn outcomes_from_before_the_last_transition_do_not_count() {
        let now = at(5);
        for late in [
            // Let through while closed, ended after the breaker moved on.
            settings().failed(word(State::Open, 1, 0, at(0)), 0, now, false),
            settings().failed(word(State::HalfOpen, 2, 0, at(0)), 0, now, true),
            settings().failed(word(State::Closed, 3, 0, at(0)), 0, now, true),
            settings().succeeded(word(State::HalfOpen, 2, 1, at(0)), 0),
            settings().succeeded(word(State::Closed, 3, 2, at(0)), 0),
            // A trial whose sibling opened or closed the breaker first.
            settings().tried(word(State::Open, 3, 0, at(0)), 2, Health::Good, now),
            settings().tried(word(State::Closed, 3, 0, at(0)), 2, Health::Bad, now),
            settings().tried(word(State::HalfOpen, 4, 0, at(0)), 2, Health::Bad, now),
        ] {
            assert_eq!(late, None);
        }
    }
}
