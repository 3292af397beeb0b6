//! Smooth weighted round robin, as nginx does it.
//!
//! Owns the order of picks. Each turn, every instance gains its weight, the
//! richest is picked and pays the sum of all weights: over a round each is
//! picked exactly as often as its weight says, and as far apart as can be
//! (weights 5, 1, 1 give a a b a c a a).
//!
//! That costs a pass over all instances per pick, and the order repeats after
//! one round. So the round is written down once when the instances change, and
//! a pick is a look into it, however many instances there are. Rounds that
//! would take too long to write down are played pick by pick instead.
//!
//! Called by the glue: `new` whenever the list changes, `pick` for every request and retry.

/// The longest round that is written down, in picks: 32 KiB.
const LONGEST_ROUND: u64 = 8_192;
/// The most work that writing a round down may be, in picks times instances:
/// less than a millisecond.
const MOST_WORK: u64 = 262_144;

/// An endless order of picks.
#[derive(Debug)]
pub enum Order {
    /// A round that was written down, and the position in it.
    Round {
        /// Indices of instances; empty if there is none.
        picks: Vec<u32>,
        /// The position of the next pick.
        next: usize,
    },
    /// A game that is played pick by pick.
    Game(Game),
}

impl Default for Order {
    /// That of no instances.
    fn default() -> Self {
        Self::new(&[], 0)
    }
}

impl Order {
    /// The order for these weights, by index. `random` decides where it starts.
    pub fn new(weights: &[u32], random: u64) -> Self {
        let mut game = Game::new(weights);
        let round = u64::try_from(game.total).unwrap_or(u64::MAX);
        let work = round.saturating_mul(weights.len() as u64);
        if round > LONGEST_ROUND || work > MOST_WORK {
            if game.is_even() {
                // The round of equals is the list itself.
                return Self::round((0..weights.len() as u32).collect(), random);
            }
            for _ in 0..random % 16 {
                game.play();
            }
            return Self::Game(game);
        }
        Self::round((0..round).map_while(|_| game.play()).collect(), random)
    }

    fn round(picks: Vec<u32>, random: u64) -> Self {
        let next = random.checked_rem(picks.len() as u64).unwrap_or(0) as usize;
        Self::Round { picks, next }
    }

    /// The next instance in the order. None if there is none.
    pub fn pick(&mut self) -> Option<u32> {
        let picked = self.next()?;
        match self {
            Self::Round { picks, next } if *next + 1 < picks.len() => *next += 1,
            Self::Round { next, .. } => *next = 0,
            Self::Game(game) => game.pay(picked),
        }
        Some(picked)
    }

    /// The next instance in the order that was not tried yet, or just the next
    /// one if all were. None if there is none. Leaves the order where it is:
    /// if retries took turns, requests would go on meeting a dead instance first.
    pub fn retry(&self, tried: impl Fn(u32) -> bool) -> Option<u32> {
        let next = self.next()?;
        Some(match tried(next) {
            true => self.other(next, tried),
            false => next,
        })
    }

    fn next(&self) -> Option<u32> {
        match self {
            Self::Round { picks, next } => picks.get(*next).copied(),
            Self::Game(game) => game.richest(&[]),
        }
    }

    /// The first in the order that was not tried, or `next` if all were.
    #[cold]
    fn other(&self, next: u32, tried: impl Fn(u32) -> bool) -> u32 {
        let mut avoided = vec![next];
        while let Some(other) = self.without(&avoided) {
            if !tried(other) {
                return other;
            }
            avoided.push(other);
        }
        next
    }

    /// Who would be next if those in `avoided` were not there.
    fn without(&self, avoided: &[u32]) -> Option<u32> {
        match self {
            Self::Round { picks, next } => {
                let (before, after) = picks.split_at(*next);
                let mut order = after.iter().chain(before).copied();
                order.find(|index| !avoided.contains(index))
            }
            Self::Game(game) => game.richest(avoided),
        }
    }
}

/// The game that decides the order.
#[derive(Debug)]
pub struct Game {
    players: Vec<Player>,
    total: i64,
}

#[derive(Debug)]
struct Player {
    weight: i64,
    purse: i64,
}

impl Game {
    /// Weights by index; divided by what they have in common, which shortens the round.
    fn new(weights: &[u32]) -> Self {
        let weight = |weight: u32| i64::from(weight.max(1));
        let common = weights
            .iter()
            .map(|&w| weight(w))
            .fold(0, common_divisor)
            .max(1);
        let player = |&w: &u32| Player {
            weight: weight(w) / common,
            purse: 0,
        };
        let players: Vec<_> = weights.iter().map(player).collect();
        let total = players.iter().map(|player| player.weight).sum();
        Self { players, total }
    }

    fn is_even(&self) -> bool {
        self.players.iter().all(|player| player.weight == 1)
    }

    fn play(&mut self) -> Option<u32> {
        let picked = self.richest(&[])?;
        self.pay(picked);
        Some(picked)
    }

    /// The first of those who will have most once every one has its weight.
    fn richest(&self, avoided: &[u32]) -> Option<u32> {
        let mut best: Option<(u32, i64)> = None;
        for (index, player) in (0..).zip(&self.players) {
            let purse = player.purse + player.weight;
            if best.is_none_or(|(_, most)| purse > most) && !avoided.contains(&index) {
                best = Some((index, purse));
            }
        }
        best.map(|(index, _)| index)
    }

    fn pay(&mut self, picked: u32) {
        for (index, player) in (0..).zip(&mut self.players) {
            player.purse += player.weight;
            if index == picked {
                player.purse -= self.total;
            }
        }
    }
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(order: &mut Order, count: usize) -> Vec<u32> {
        std::iter::repeat_with(|| order.pick())
            .take(count)
            .map_while(|pick| pick)
            .collect()
    }

    fn counts(order: &mut Order, instances: usize, picked: usize) -> Vec<usize> {
        let mut counts = vec![0; instances];
        for index in picks(order, picked) {
            counts[index as usize] += 1;
        }
        counts
    }

    #[test]
    fn the_order_is_that_of_nginx() {
        let cases: [(&[u32], &[u32]); 6] = [
            (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
            (&[50, 10, 10], &[0, 0, 1, 0, 2, 0, 0]),
            (&[3, 1], &[0, 0, 1, 0]),
            (&[1, 1, 1], &[0, 1, 2]),
            (&[7], &[0, 0, 0]),
            (&[4, 2, 1], &[0, 1, 0, 2, 0, 1, 0]),
        ];
        for (weights, expected) in cases {
            let twice = picks(&mut Order::new(weights, 0), expected.len() * 2);
            assert_eq!(twice, [expected, expected].concat(), "{weights:?}");
            let mut game = Order::Game(Game::new(weights));
            assert_eq!(picks(&mut game, expected.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn shares_are_exact_after_each_round_from_any_start() {
        for random in 0..20 {
            let mut order = Order::new(&[3, 5, 8], random);
            for _ in 0..3 {
                assert_eq!(counts(&mut order, 3, 16), [3, 5, 8]);
            }
        }
    }

    #[test]
    fn a_round_too_long_to_write_down_is_played() {
        let weights = [100_003, 200_001, 50_000];
        let mut order = Order::new(&weights, 0);
        assert!(matches!(order, Order::Game(_)));
        assert_eq!(counts(&mut order, 3, 350_004), [100_003, 200_001, 50_000]);
    }

    #[test]
    fn many_instances_of_equal_weight_are_a_plain_rotation() {
        let mut order = Order::new(&[9; 10_000], 0);
        assert!(matches!(order, Order::Round { .. }));
        assert_eq!(counts(&mut order, 10_000, 20_000), vec![2; 10_000]);
    }

    #[test]
    fn weights_as_large_as_they_get_do_not_overflow() {
        let mut order = Order::new(&[u32::MAX, u32::MAX - 1, 0], 15);
        let counts = counts(&mut order, 3, 1_000);
        assert_eq!(counts, [500, 500, 0]);
    }

    #[test]
    fn a_retry_goes_elsewhere_while_there_is_elsewhere() {
        for mut order in [
            Order::new(&[5, 1, 1], 0),
            Order::Game(Game::new(&[5, 1, 1])),
        ] {
            assert_eq!(order.retry(|index| index == 0), Some(1));
            assert_eq!(order.retry(|index| index != 2), Some(2));
            assert_eq!(order.retry(|_| true), Some(0));
            assert_eq!(order.pick(), Some(0), "retries take no turn");
        }
    }

    #[test]
    fn without_instances_there_is_no_pick() {
        assert_eq!(Order::new(&[], 7).pick(), None);
    }
}
