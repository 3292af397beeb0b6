//! The better of two random instances.
//!
//! Owns the drawing of two and their comparison. Looking at two and taking the
//! better one keeps the worst load close to the mean, at the same cost for
//! three instances or three thousand; and workers that see the same figures do
//! not all run to the same instance, as they would to the best of all.
//! Called by the glue for every request and retry.

/// What is known of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Requests at it right now.
    pub in_flight: u32,
    /// Its recent time to respond in microseconds; 0 if nothing was measured.
    pub latency_us: u32,
}

impl Load {
    /// True if a request would wait less here than there: less time to respond
    /// times requests to respond to, this one included. While one of the two
    /// has not been measured they are compared by their requests alone, so that
    /// a new instance is neither flooded nor shunned.
    pub fn is_less_than(self, other: Self) -> bool {
        let cost = |load: Self, latency: u32| (u64::from(load.in_flight) + 1) * u64::from(latency);
        if self.latency_us == 0 || other.latency_us == 0 {
            cost(self, 1) < cost(other, 1)
        } else {
            cost(self, self.latency_us) < cost(other, other.latency_us)
        }
    }
}

/// Picks among `length` instances with the help of 64 random bits: `load` tells
/// their load, `tried` whether this request was there already. None if there is
/// no instance.
pub fn pick(
    length: u32,
    random: u64,
    load: impl Fn(u32) -> Load,
    tried: impl Fn(u32) -> bool,
) -> Option<u32> {
    if length < 2 {
        return (length == 1).then_some(0);
    }
    let (first, second) = two_of(length, random);
    match (tried(first), tried(second)) {
        (false, false) if load(second).is_less_than(load(first)) => Some(second),
        (false, _) => Some(first),
        (true, false) => Some(second),
        (true, true) => {
            let mut others = (first..length).chain(0..first);
            others.find(|&index| !tried(index)).or(Some(first))
        }
    }
}

/// Two different indices below `length`, which is at least 2: every ordered
/// pair is as likely.
fn two_of(length: u32, random: u64) -> (u32, u32) {
    let below = |bits: u64, length: u32| ((bits * u64::from(length)) >> 32) as u32;
    let first = below(random >> 32, length);
    let second = below(random & 0xFFFF_FFFF, length - 1);
    (first, second + u32::from(second >= first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator with nothing to be said for it but that it always gives the
    /// same numbers (SplitMix64).
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            value ^ (value >> 31)
        }
    }

    const IDLE: Load = Load {
        in_flight: 0,
        latency_us: 0,
    };

    fn load(in_flight: u32, latency_us: u32) -> Load {
        Load {
            in_flight,
            latency_us,
        }
    }

    fn counts(length: u32, picks: u32, load: impl Fn(u32) -> Load) -> Vec<u32> {
        let mut random = Random(7);
        let mut counts = vec![0; length as usize];
        for _ in 0..picks {
            let picked = pick(length, random.next(), &load, |_| false).expect("a pick");
            counts[picked as usize] += 1;
        }
        counts
    }

    #[test]
    fn waiting_time_is_latency_times_queue() {
        let cases = [
            (load(0, 100), load(0, 200), true),
            (load(2, 100), load(0, 200), false),
            (load(1, 100), load(0, 200), false),
            (load(0, 200), load(1, 100), false),
            (load(0, 0), load(1, 1), true),
            (load(3, 0), load(2, 900), false),
            (load(2, 900), load(3, 0), true),
            (load(u32::MAX, u32::MAX), load(0, u32::MAX), false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(one.is_less_than(other), expected, "{one:?} {other:?}");
        }
    }

    /// Chi-square with 9 degrees of freedom is below 27.9 in 999 of 1,000 runs.
    #[test]
    fn equals_are_picked_equally() {
        let counts = counts(10, 100_000, |_| IDLE);
        let chi_square: f64 = counts
            .iter()
            .map(|&count| (f64::from(count) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi_square < 27.9, "{chi_square}: {counts:?}");
    }

    /// The worst of n is picked only if drawn twice, which cannot happen; the
    /// best whenever it is drawn: 2 of n times.
    #[test]
    fn the_worst_is_never_picked_and_the_best_whenever_drawn() {
        let counts = counts(5, 50_000, |index| load(index, 1_000));
        assert_eq!(counts[4], 0);
        for (count, expected) in counts.into_iter().zip([20_000_u32, 15_000, 10_000, 5_000]) {
            assert!(count.abs_diff(expected) < 500, "{count} of {expected}");
        }
    }

    #[test]
    fn a_slow_instance_gets_what_it_can_take() {
        // Instance 0 takes ten turns for a request, the others one.
        let mut random = Random(1);
        let (mut in_flight, mut counts) = ([0_u32; 4], [0_u32; 4]);
        for turn in 0..10_000 {
            let known = |index: u32| {
                load(
                    in_flight[index as usize],
                    if index == 0 { 10_000 } else { 1_000 },
                )
            };
            let picked = pick(4, random.next(), known, |_| false).expect("a pick") as usize;
            in_flight[picked] += 1;
            counts[picked] += 1;
            for (index, load) in in_flight.iter_mut().enumerate() {
                if index > 0 || turn % 10 == 0 {
                    *load = load.saturating_sub(1);
                }
            }
        }
        assert!(counts[0] < 1_000, "{counts:?}");
        assert!(counts[1..].iter().all(|&count| count > 2_500), "{counts:?}");
    }

    #[test]
    fn a_retry_goes_elsewhere_while_there_is_elsewhere() {
        for seed in 0..1_000 {
            let mut random = Random(seed);
            let mut pick = |tried: &dyn Fn(u32) -> bool| pick(4, random.next(), |_| IDLE, tried);
            assert_eq!(pick(&|index| index != 2), Some(2));
            assert_ne!(pick(&|index| index == 3), Some(3));
            assert!(pick(&|_| true).is_some());
        }
    }

    #[test]
    fn few_instances_need_no_choice() {
        assert_eq!(pick(0, 1, |_| IDLE, |_| false), None);
        assert_eq!(pick(1, 1, |_| IDLE, |_| true), Some(0));
    }
}
