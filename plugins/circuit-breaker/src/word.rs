//! The breaker's whole state in one number, so that a single compare-and-set
//! moves it and no two workers ever see half a change.

/// What a breaker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Requests pass.
    Closed,
    /// Some requests pass, to try whether the service is back.
    HalfOpen,
    /// No request passes.
    Open,
}

impl State {
    /// The value of the gauge `circuit_breaker_state`: 0 closed, 1 half-open,
    /// 2 open.
    pub fn gauge(self) -> f64 {
        match self {
            Self::Closed => 0.0,
            Self::HalfOpen => 1.0,
            Self::Open => 2.0,
        }
    }

    /// The value of the label `to`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// A moment of the clock in milliseconds, kept modulo 2³³ (99 days): what
/// matters is the distance between two that are at most a day apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment(u64);

impl Moment {
    const MASK: u64 = (1 << 33) - 1;

    /// The moment so many milliseconds after the Unix epoch.
    pub fn new(milliseconds: u64) -> Self {
        Self(milliseconds & Self::MASK)
    }

    /// The moment so many milliseconds later.
    pub fn plus(self, milliseconds: u64) -> Self {
        Self::new(self.0 + milliseconds)
    }

    /// Milliseconds from another moment to this one. A moment that lies behind
    /// comes out as a very long time ahead.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0) & Self::MASK
    }
}

/// The state of one breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// What it is at.
    pub state: State,
    /// Counts the transitions, so that the outcome of a request can be told
    /// from one that was let through before the last of them. Wraps around.
    pub epoch: u16,
    /// Closed: failures in a row. Half-open: successful trials. At most 8,191.
    pub count: u16,
    /// Closed: when the last failure was. Open: when it will be half-open.
    pub moment: Moment,
}

impl Word {
    /// A breaker of which nothing was noted yet.
    pub const PRISTINE: Self = Self {
        state: State::Closed,
        epoch: 0,
        count: 0,
        moment: Moment(0),
    };

    /// As a counter's value.
    pub fn pack(self) -> i64 {
        let state = match self.state {
            State::Closed => 0_u64,
            State::HalfOpen => 1,
            State::Open => 2,
        };
        let bits = state << 62
            | u64::from(self.epoch) << 46
            | u64::from(self.count & 0x1fff) << 33
            | self.moment.0;
        bits.cast_signed()
    }

    /// From a counter's value; none is a breaker of which nothing was noted.
    pub fn unpack(value: Option<i64>) -> Self {
        let Some(bits) = value.map(i64::cast_unsigned) else {
            return Self::PRISTINE;
        };
        Self {
            state: match bits >> 62 {
                0 => State::Closed,
                1 => State::HalfOpen,
                _ => State::Open,
            },
            epoch: (bits >> 46 & 0xffff) as u16,
            count: (bits >> 33 & 0x1fff) as u16,
            moment: Moment::new(bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_being_packed() {
        for state in [State::Closed, State::HalfOpen, State::Open] {
            for (epoch, count, at) in [(0, 0, 0), (1, 2, 3), (u16::MAX, 8_191, u64::MAX)] {
                let word = Word {
                    state,
                    epoch,
                    count,
                    moment: Moment::new(at),
                };
                assert_eq!(Word::unpack(Some(word.pack())), word);
            }
        }
        assert_eq!(Word::PRISTINE.pack(), 0);
        assert_eq!(Word::unpack(None), Word::PRISTINE);
    }

    #[test]
    fn moments_are_told_apart_over_the_edge_of_their_range() {
        let edge = 1 << 33;
        assert_eq!(Moment::new(edge + 5).since(Moment::new(edge - 5)), 10);
        assert_eq!(Moment::new(edge - 5).plus(10), Moment::new(edge + 5));
        assert!(Moment::new(5).since(Moment::new(6)) > 86_400_000);
    }
}
