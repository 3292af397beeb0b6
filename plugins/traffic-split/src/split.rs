//! Which service a request goes to: by turn, or by a key.
//!
//! Owns the two ways of choosing and nothing of HTTP. Called by the glue once
//! per request; neither way locks, allocates or asks the gateway.
//!
//! **By turn** uses the additive recurrence of the golden ratio: a point walks
//! round a circle in steps of 0.618 of it, and each service owns an arc as
//! long as its weight. The share is then right to within a few requests after
//! any number of them, where dice would be off by a standard deviation of
//! 0.57 points at 20 % of 5,000. Unlike a fixed rotation it stays right for
//! every second, fifth or eighth request too, so that a page that makes five
//! requests does not send the same one to the canary each time. Workers start
//! at points of their own; their errors add up to a few requests each.
//!
//! **By key** uses weighted rendezvous hashing: every service draws a number
//! from the key, shortened by its weight, and the smallest wins. A changed
//! weight moves only keys from or to that service, whatever the order in which
//! the services are listed; with two services exactly the difference moves.

use xxhash_rust::xxh64::xxh64;

use crate::config::Share;

/// The golden ratio's fraction of 2^64, the step that spreads points best.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The services that get any traffic, with their shares.
#[derive(Debug)]
pub struct Split {
    arms: Vec<Arm>,
}

#[derive(Debug)]
struct Arm {
    service: String,
    weight: f64,
    /// The end of its arc, as a fraction of 2^64.
    end: u64,
    seed: u64,
}

impl Split {
    /// Lays out the shares. Services of weight 0 are left out.
    ///
    /// # Errors
    /// If no service has a weight, or one is listed twice.
    pub fn new(shares: &[Share]) -> Result<Self, String> {
        for (index, share) in shares.iter().enumerate() {
            if shares[..index].iter().any(|other| other.name == share.name) {
                return Err(format!("service `{}` is listed twice", share.name));
            }
        }
        let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
        if total == 0 {
            return Err("all weights are 0: at least one service must get traffic".to_owned());
        }
        let mut before = 0;
        let arms = shares
            .iter()
            .filter(|share| share.weight > 0)
            .map(|share| {
                before += u64::from(share.weight);
                Arm::new(share, before, total)
            })
            .collect();
        Ok(Self { arms })
    }

    /// The service whose arc holds the point.
    pub fn at(&self, point: u64) -> &str {
        let last = self.arms.len() - 1;
        let index = self.arms[..last].iter().position(|arm| point < arm.end);
        &self.arms[index.unwrap_or(last)].service
    }

    /// The service of a key: always the same one while the weights are.
    pub fn for_key(&self, key: &[u8]) -> &str {
        let key = xxh64(key, 0);
        let best = self
            .arms
            .iter()
            .min_by(|a, b| a.draw(key).total_cmp(&b.draw(key)));
        &best
            .expect("invariant: a split has at least one arm")
            .service
    }

    /// The service of that name, if it gets traffic.
    pub fn named(&self, name: &[u8]) -> Option<&str> {
        self.arms
            .iter()
            .map(|arm| arm.service.as_str())
            .find(|service| service.as_bytes() == name)
    }
}

impl Arm {
    fn new(share: &Share, end: u64, total: u64) -> Self {
        let end = (u128::from(end) << 64) / u128::from(total);
        Self {
            service: share.name.clone(),
            weight: f64::from(share.weight),
            end: u64::try_from(end).unwrap_or(u64::MAX),
            seed: xxh64(share.name.as_bytes(), 0),
        }
    }

    /// An exponentially distributed number with the weight as its rate: the
    /// smallest of several is this one with the probability of its share.
    fn draw(&self, key: u64) -> f64 {
        let uniform = ((mix(key ^ self.seed) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -uniform.ln() / self.weight
    }
}

/// Points that fill the circle evenly from the first to any later one.
#[derive(Debug)]
pub struct Sequence(u64);

impl Sequence {
    /// Starts anywhere: at a random point, so that workers are out of step.
    pub fn starting_at(point: u64) -> Self {
        Self(point)
    }

    /// The next point.
    pub fn next_point(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        self.0
    }
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(shares: &[(&str, u32)]) -> Split {
        Split::new(&shares_of(shares)).expect("the shares are valid")
    }

    fn shares_of(shares: &[(&str, u32)]) -> Vec<Share> {
        let share = |&(name, weight): &(&str, u32)| Share {
            name: name.to_owned(),
            weight,
        };
        shares.iter().map(share).collect()
    }

    /// How many of the points of a sequence, of which only each `every`th is
    /// looked at, go to `service`.
    fn taken(split: &Split, service: &str, start: u64, every: usize, requests: usize) -> usize {
        let mut sequence = Sequence::starting_at(start);
        let points = std::iter::repeat_with(|| sequence.next_point()).step_by(every);
        points
            .take(requests)
            .filter(|&point| split.at(point) == service)
            .count()
    }

    #[test]
    fn shares_are_kept_to_within_a_few_requests_from_any_start() {
        for canary in [1, 5, 20, 33, 50] {
            let split = split(&[("canary", canary), ("stable", 100 - canary)]);
            for start in (0..50_u64).map(mix) {
                let count = taken(&split, "canary", start, 1, 5_000);
                let off = count.abs_diff(canary as usize * 50);
                assert!(off <= 6, "{canary} %: {count} of 5,000 from {start:#x}");
            }
        }
    }

    #[test]
    fn shares_are_kept_for_every_nth_request_too() {
        let split = split(&[("canary", 20), ("stable", 80)]);
        for every in 2..=20 {
            for start in (0..10_u64).map(mix) {
                let count = taken(&split, "canary", start, every, 5_000);
                assert!(
                    count.abs_diff(1_000) <= 50,
                    "each {every}th: {count} of 5,000"
                );
            }
        }
    }

    #[test]
    fn keys_are_split_by_weight() {
        let cases: [&[(&str, u32)]; 3] = [
            &[("v1", 50), ("v2", 50)],
            &[("users-v2", 20), ("users", 80)],
            &[("a", 1), ("b", 3), ("c", 6)],
        ];
        for shares in cases {
            let split = split(shares);
            let total: u32 = shares.iter().map(|(_, weight)| weight).sum();
            let owner = |key: u32| split.for_key(format!("user-{key}").as_bytes());
            let owners: Vec<_> = (0..100_000).map(owner).collect();
            for &(service, weight) in shares {
                let count = owners.iter().filter(|&&owner| owner == service).count();
                let expected = (100_000 * weight / total) as usize;
                assert!(count.abs_diff(expected) < 700, "{service}: {count}");
            }
        }
    }

    /// The share of 50,000 keys that another service gets after a change,
    /// and how many of these neither come from nor go to `changed`.
    fn moved(before: &Split, after: &Split, changed: &str) -> (f64, usize) {
        let (mut moved, mut needless) = (0, 0);
        for key in 0..50_000_u32 {
            let key = key.to_le_bytes();
            let (from, to) = (before.for_key(&key), after.for_key(&key));
            moved += usize::from(from != to);
            needless += usize::from(from != to && from != changed && to != changed);
        }
        (moved as f64 / 50_000.0, needless)
    }

    #[test]
    fn a_larger_canary_takes_only_the_difference_and_gives_nobody_back() {
        let before = split(&[("v2", 20), ("v1", 80)]);
        let after = split(&[("v1", 70), ("v2", 30)]);
        let (share, _) = moved(&before, &after, "v2");
        assert!((0.095..0.105).contains(&share), "{share}");
        for key in 0..10_000_u32 {
            let key = key.to_le_bytes();
            assert!(before.for_key(&key) != "v2" || after.for_key(&key) == "v2");
        }
    }

    #[test]
    fn one_changed_weight_of_three_moves_keys_to_that_service_only() {
        let before = split(&[("a", 10), ("b", 20), ("c", 70)]);
        let after = split(&[("a", 20), ("b", 20), ("c", 70)]);
        let (share, needless) = moved(&before, &after, "a");
        assert_eq!(needless, 0);
        assert!((0.075..0.09).contains(&share), "{share}");
    }

    #[test]
    fn a_key_keeps_its_service_over_versions_of_this_plugin() {
        let split = split(&[("v1", 50), ("v2", 50)]);
        let services: Vec<_> = (0..24)
            .map(|user| split.for_key(format!("user-{user}").as_bytes()))
            .collect();
        // Written down once: a change here would move every user of a sticky
        // split at an upgrade.
        let first = "v1 v1 v1 v1 v1 v1 v1 v1 v1 v2 v1 v1";
        let second = "v2 v1 v1 v2 v2 v1 v2 v1 v1 v1 v2 v1";
        assert_eq!(services.join(" "), format!("{first} {second}"));
    }

    #[test]
    fn services_without_weight_get_nothing_and_are_no_valid_choice() {
        let split = split(&[("off", 0), ("on", 1), ("away", 0)]);
        for point in [0, 1, u64::MAX / 2, u64::MAX] {
            assert_eq!(split.at(point), "on");
        }
        assert_eq!(split.for_key(b"ann"), "on");
        assert_eq!(split.named(b"on"), Some("on"));
        assert_eq!(split.named(b"off"), None);
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let error = |shares: &[(&str, u32)]| Split::new(&shares_of(shares)).expect_err("refused");
        assert_eq!(
            error(&[("a", 0), ("b", 0)]),
            "all weights are 0: at least one service must get traffic"
        );
        assert_eq!(error(&[("a", 1), ("a", 2)]), "service `a` is listed twice");
    }
}
