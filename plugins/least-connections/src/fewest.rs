//! The instance with the fewest requests in flight for its weight.
//!
//! Owns the comparison and the order among equals. Loads are compared as
//! requests in flight per unit of weight, without rounding. Among equals the
//! turn goes round smoothly by weight, so that a gateway without load spreads
//! its requests as well. Called by the glue: `new` whenever the list changes,
//! `pick` for every request and retry.

/// The instances and whose turn it is among equals.
#[derive(Debug, Default)]
pub struct Fewest {
    instances: Vec<Standing>,
    /// True if all weights are the same: then the turn is a plain rotation,
    /// and looking for the least takes a fraction of the time.
    even: bool,
    /// Whose turn it is in that rotation.
    next: usize,
}

#[derive(Debug)]
struct Standing {
    weight: u64,
    /// What it has gained by waiting while others of equal load were picked.
    purse: i64,
}

impl Fewest {
    /// Weights by index. `random` decides who is first among equals.
    pub fn new(weights: &[u32], random: u64) -> Self {
        let standing = |(index, &weight): (u32, &u32)| {
            let weight = u64::from(weight.max(1));
            let purse = random.rotate_left(index % 64) % (weight + 1);
            Standing {
                weight,
                purse: purse as i64,
            }
        };
        Self {
            instances: (0..).zip(weights).map(standing).collect(),
            even: weights.iter().all(|weight| *weight == weights[0]),
            next: random.checked_rem(weights.len() as u64).unwrap_or(0) as usize,
        }
    }

    /// The least loaded instance that was not tried yet, or just the least
    /// loaded if all were. `in_flight` is by index. None if there is no instance.
    pub fn pick(&mut self, in_flight: &[u32], tried: impl Fn(u32) -> bool) -> Option<u32> {
        let first = if self.even {
            self.least(in_flight)?
        } else {
            self.best(in_flight, &[])?
        };
        let picked = if tried(first) {
            self.other(in_flight, first, tried)
        } else {
            first
        };
        if self.even {
            self.next = (picked as usize + 1) % self.instances.len();
        } else {
            self.settle(in_flight, picked);
        }
        Some(picked)
    }

    /// The least loaded that was not tried, or `first` if all were.
    #[cold]
    fn other(&self, in_flight: &[u32], first: u32, tried: impl Fn(u32) -> bool) -> u32 {
        let mut avoided = vec![first];
        while let Some(other) = self.best(in_flight, &avoided) {
            if !tried(other) {
                return other;
            }
            avoided.push(other);
        }
        first
    }

    /// The least loaded where all weights are the same: from `next` on, the
    /// first with the least.
    fn least(&self, in_flight: &[u32]) -> Option<u32> {
        let in_flight = in_flight.get(..self.instances.len())?;
        let least = in_flight.iter().min()?;
        let (before, after) = in_flight.split_at(self.next);
        let ahead = after.iter().position(|load| load == least);
        let index = match ahead {
            Some(steps) => self.next + steps,
            None => before.iter().position(|load| load == least)?,
        };
        u32::try_from(index).ok()
    }

    /// The least loaded for its weight but for those in `avoided`; among
    /// equals the one that has waited most.
    fn best(&self, in_flight: &[u32], avoided: &[u32]) -> Option<u32> {
        let mut best: Option<(u32, &Standing, u64)> = None;
        for ((index, standing), &load) in (0..).zip(&self.instances).zip(in_flight) {
            let load = u64::from(load);
            let better = best.is_none_or(|(_, other, least)| {
                let (mine, theirs) = (load * other.weight, least * standing.weight);
                mine < theirs || (mine == theirs && standing.claim() > other.claim())
            });
            if better && !avoided.contains(&index) {
                best = Some((index, standing, load));
            }
        }
        best.map(|(index, ..)| index)
    }

    /// Lets all that were as lightly loaded gain their weight, and the one that
    /// was picked pay for it.
    fn settle(&mut self, in_flight: &[u32], picked: u32) {
        let Some(chosen) = self.instances.get(picked as usize) else {
            return;
        };
        let (weight, load) = (chosen.weight, u64::from(in_flight[picked as usize]));
        let mut pot = 0;
        for (standing, &other) in self.instances.iter_mut().zip(in_flight) {
            if u64::from(other) * weight == load * standing.weight {
                standing.purse += standing.weight as i64;
                pot += standing.weight as i64;
            }
        }
        self.instances[picked as usize].purse -= pot;
    }
}

impl Standing {
    fn claim(&self) -> i64 {
        self.purse + self.weight as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(_: u32) -> bool {
        false
    }

    #[test]
    fn the_least_loaded_for_its_weight_is_picked() {
        let cases: [(&[u32], &[u32], u32); 5] = [
            (&[1, 1, 1], &[2, 1, 3], 1),
            (&[3, 1], &[2, 1], 0),
            (&[3, 1], &[4, 1], 1),
            (&[1, 10], &[0, 1], 0),
            (&[u32::MAX, 1], &[u32::MAX, 2], 0),
        ];
        for (weights, in_flight, expected) in cases {
            let picked = Fewest::new(weights, 0).pick(in_flight, free);
            assert_eq!(picked, Some(expected), "{weights:?} {in_flight:?}");
        }
    }

    #[test]
    fn equals_take_turns_by_weight() {
        for random in [0, 1, 0x0123_4567_89AB_CDEF] {
            let mut fewest = Fewest::new(&[1, 2, 5], random);
            let mut counts = [0; 3];
            for _ in 0..800 {
                let picked = fewest.pick(&[0, 0, 0], free).expect("a pick");
                counts[picked as usize] += 1;
            }
            for (count, expected) in counts.into_iter().zip([100_i32, 200, 500]) {
                assert!((count - expected).abs() <= 2, "{counts:?}");
            }
        }
    }

    /// Every request that is picked stays in flight: the instances fill up in
    /// the proportion of their weights, and never far from it.
    #[test]
    fn load_settles_in_proportion_to_weights() {
        let mut fewest = Fewest::new(&[1, 2, 3], 0);
        let mut in_flight = [0; 3];
        for round in 1..=50 {
            for _ in 0..6 {
                let picked = fewest.pick(&in_flight, free).expect("a pick");
                in_flight[picked as usize] += 1;
            }
            assert_eq!(in_flight, [round, 2 * round, 3 * round]);
        }
    }

    #[test]
    fn a_slow_instance_gets_less() {
        // Instance 0 finishes a request every tenth turn, the others each turn.
        let mut fewest = Fewest::new(&[1, 1, 1], 0);
        let (mut in_flight, mut counts) = ([0_u32; 3], [0_u32; 3]);
        for turn in 0..3_000 {
            for _ in 0..2 {
                let picked = fewest.pick(&in_flight, free).expect("a pick") as usize;
                in_flight[picked] += 1;
                counts[picked] += 1;
            }
            for (index, load) in in_flight.iter_mut().enumerate() {
                if index > 0 || turn % 10 == 0 {
                    *load = load.saturating_sub(1);
                }
            }
        }
        assert!(counts[0] < counts[1] / 3, "{counts:?}");
    }

    #[test]
    fn a_retry_goes_elsewhere_while_there_is_elsewhere() {
        let mut fewest = Fewest::new(&[1, 1, 1], 0);
        assert_eq!(fewest.pick(&[0, 5, 2], |index| index == 0), Some(2));
        assert_eq!(fewest.pick(&[0, 5, 2], |index| index != 1), Some(1));
        assert_eq!(fewest.pick(&[0, 5, 2], |_| true), Some(0));
    }

    #[test]
    fn without_instances_there_is_no_pick() {
        assert_eq!(Fewest::default().pick(&[], free), None);
    }
}
