//! The ring: the same key to the same instance, while it is there.
//!
//! Owns where instances stand and who a key belongs to. Every instance stands
//! at many places of a circle, which follow from its id alone; a key belongs
//! to the first instance after the key's own place. When an instance goes, only
//! its keys move, spread over all others; when one comes, it takes its share
//! from all others alike. The hash (XXH64) is fixed by its specification, so
//! workers, processes and versions agree.
//!
//! Called by the glue: `new` whenever the list changes, `pick` for every request and retry.

use xxhash_rust::xxh64::xxh64;

/// The most places on a ring: 768 KiB with the index.
const MOST_PLACES: u64 = 65_536;

/// Places of instances on a circle.
#[derive(Debug, Default)]
pub struct Ring {
    /// In the order of their positions.
    places: Vec<Place>,
    /// The circle in a power of two of equal parts, about as many as there are
    /// places: where each part begins in `places`, and the end of the last.
    /// Since places are spread evenly, a part holds one or two of them.
    parts: Vec<u32>,
    instances: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    position: u32,
    instance: u32,
}

impl Ring {
    /// A ring of instances, given as id and weight by index, with `points`
    /// places per unit of weight. If that would be too many places the number
    /// per unit is halved until it is not: in powers of two, since every
    /// halving moves keys.
    pub fn new<'i>(instances: impl Iterator<Item = (&'i str, u32)> + Clone, points: u32) -> Self {
        let weight = |weight: u32| u64::from(weight.max(1));
        let total: u64 = instances.clone().map(|(_, w)| weight(w)).sum();
        let mut points = u64::from(points.max(1));
        while points > 1 && total * points > MOST_PLACES {
            points /= 2;
        }
        // Beyond that many units of weight, some instances would fill the ring:
        // each stands at least once, and the heaviest at a share of the whole.
        let shrink = total.div_ceil(MOST_PLACES).max(1);
        let mut places = Vec::new();
        let mut count = 0;
        for (id, w) in instances {
            let standing = (weight(w) * points / shrink).max(1);
            places.extend(positions(id).take(standing as usize).map(|position| Place {
                position,
                instance: count,
            }));
            count += 1;
        }
        let (places, parts) = sorted(&places);
        Self {
            places,
            parts,
            instances: count,
        }
    }

    /// The instance a key belongs to; if it was tried, the next on the circle
    /// that was not, or the first again if all were. None if there is no instance.
    pub fn pick(&self, key: &[u8], tried: impl Fn(u32) -> bool) -> Option<u32> {
        let start = self.first_from((xxh64(key, 0) >> 32) as u32)?;
        let owner = self.places[start].instance;
        if tried(owner) {
            return Some(self.heir(start, tried));
        }
        Some(owner)
    }

    /// The index of the first place at or after a position, round the circle.
    fn first_from(&self, position: u32) -> Option<usize> {
        let part = part_of(position, self.parts.len().checked_sub(1)?);
        let begin = self.parts[part] as usize;
        let mut ahead = self.places[begin..].iter();
        let steps = ahead.position(|place| place.position >= position);
        Some(steps.map_or(0, |steps| begin + steps))
    }

    /// The next instance from a place on that was not tried, or the first of
    /// them if all were.
    #[cold]
    fn heir(&self, start: usize, tried: impl Fn(u32) -> bool) -> u32 {
        let (before, after) = self.places.split_at(start);
        let mut avoided = Vec::new();
        for place in after.iter().chain(before) {
            if avoided.contains(&place.instance) {
                continue;
            }
            if !tried(place.instance) {
                return place.instance;
            }
            avoided.push(place.instance);
            if avoided.len() == self.instances as usize {
                break;
            }
        }
        after[0].instance
    }
}

/// The part of the circle, of `parts` (a power of two), that a position is in.
fn part_of(position: u32, parts: usize) -> usize {
    ((u64::from(position) * parts as u64) >> 32) as usize
}

/// Sorts places and indexes them by part. Dealing them out by part first takes
/// time in proportion to their number, which a worker can spare.
fn sorted(places: &[Place]) -> (Vec<Place>, Vec<u32>) {
    if places.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let parts = places.len().next_power_of_two();
    let mut ends = vec![0_u32; parts + 1];
    for place in places {
        ends[part_of(place.position, parts)] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        total += *end;
        *end = total;
    }
    // Filled from its end on, every part's end becomes its beginning.
    let mut dealt = vec![Place::default(); places.len()];
    for place in places {
        let next = &mut ends[part_of(place.position, parts)];
        *next -= 1;
        dealt[*next as usize] = *place;
    }
    for part in ends.windows(2) {
        dealt[part[0] as usize..part[1] as usize].sort_unstable();
    }
    (dealt, ends)
}

/// The places of an instance: an endless stream of random numbers
/// (SplitMix64) that its id seeds.
fn positions(id: &str) -> impl Iterator<Item = u32> {
    let mut state = xxh64(id.as_bytes(), 0);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ (value >> 31)) >> 32) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u32 = 20_000;

    fn ring(instances: &[(&str, u32)]) -> Ring {
        Ring::new(instances.iter().copied(), 128)
    }

    fn addresses(count: usize) -> Vec<String> {
        (1..=count)
            .map(|host| format!("10.0.0.{host}:80"))
            .collect()
    }

    fn even(addresses: &[String]) -> Vec<(&str, u32)> {
        addresses
            .iter()
            .map(|address| (address.as_str(), 1))
            .collect()
    }

    /// Who each of many keys belongs to.
    fn owners<'i>(instances: &[(&'i str, u32)]) -> Vec<&'i str> {
        let ring = ring(instances);
        let owner = |key: u32| ring.pick(format!("user-{key}").as_bytes(), |_| false);
        (0..KEYS)
            .map(|key| instances[owner(key).expect("an owner") as usize].0)
            .collect()
    }

    fn share(owners: &[&str], id: &str) -> f64 {
        owners.iter().filter(|&&owner| owner == id).count() as f64 / f64::from(KEYS)
    }

    #[test]
    fn only_the_keys_of_an_instance_that_goes_are_moved() {
        for count in [2, 3, 5, 10, 50] {
            let addresses = addresses(count);
            let all = even(&addresses);
            let before = owners(&all);
            for gone in [0, count / 2, count - 1] {
                let mut left = all.clone();
                let (id, _) = left.remove(gone);
                let after = owners(&left);
                let moved = before
                    .iter()
                    .zip(&after)
                    .filter(|(from, to)| from != to)
                    .count();
                let bound = 1.5 / count as f64 * f64::from(KEYS);
                assert!(
                    (moved as f64) < bound,
                    "{moved} of {KEYS} moved when 1 of {count} went"
                );
                let needless = before
                    .iter()
                    .zip(&after)
                    .filter(|(from, to)| from != to && **from != id);
                assert_eq!(
                    needless.count(),
                    0,
                    "keys of others stay, seen either way round"
                );
            }
        }
    }

    #[test]
    fn keys_of_an_instance_that_goes_are_spread_over_the_others() {
        let addresses = addresses(5);
        let all = even(&addresses);
        let (before, after) = (owners(&all), owners(&all[1..]));
        for &(id, _) in &all[1..] {
            let gained = share(&after, id) - share(&before, id);
            assert!((0.02..0.09).contains(&gained), "{id} gained {gained}");
        }
    }

    #[test]
    fn shares_follow_weights() {
        let instances = [("a:1", 1), ("b:1", 2), ("c:1", 5)];
        let owners = owners(&instances);
        for (id, expected) in [("a:1", 0.125), ("b:1", 0.25), ("c:1", 0.625)] {
            let share = share(&owners, id);
            assert!((share / expected - 1.0).abs() < 0.25, "{id}: {share}");
        }
    }

    #[test]
    fn a_changed_weight_moves_the_difference_only() {
        let before = owners(&[("a:1", 1), ("b:1", 1), ("c:1", 1)]);
        let after = owners(&[("a:1", 1), ("b:1", 1), ("c:1", 2)]);
        for (from, to) in before.iter().zip(&after) {
            assert!(from == to || *to == "c:1", "{from} to {to}");
        }
        let moved = share(&after, "c:1") - share(&before, "c:1");
        assert!((0.1..0.25).contains(&moved), "{moved}");
    }

    #[test]
    fn a_key_keeps_its_instance_over_versions_of_this_plugin() {
        let ring = ring(&[("a:1", 1), ("b:1", 1), ("c:1", 1), ("d:1", 1)]);
        let owners: Vec<_> = (0..12)
            .filter_map(|user| ring.pick(format!("user-{user}").as_bytes(), |_| false))
            .collect();
        // Written down once: a change here would move every user at an upgrade.
        assert_eq!(owners, [1, 3, 1, 0, 3, 2, 1, 1, 0, 3, 1, 0]);
    }

    #[test]
    fn a_retry_walks_to_the_instance_that_would_inherit_the_key() {
        let instances = [("a:1", 1), ("b:1", 1), ("c:1", 1)];
        let all = ring(&instances);
        for key in 0..1_000_u32 {
            let key = key.to_le_bytes();
            let first = all.pick(&key, |_| false).expect("an owner");
            let second = all.pick(&key, |index| index == first).expect("another");
            let third = all.pick(&key, |index| index == first || index == second);
            assert_eq!(third, Some(3 - first - second));
            assert_eq!(all.pick(&key, |_| true), Some(first));

            let mut left = instances.to_vec();
            left.remove(first as usize);
            let heir = ring(&left).pick(&key, |_| false).expect("an heir");
            assert_eq!(left[heir as usize].0, instances[second as usize].0);
        }
    }

    #[test]
    fn a_key_belongs_to_the_first_place_at_or_after_its_own() {
        let ring = ring(&even(&addresses(7)));
        assert!(ring.places.is_sorted());
        for key in 0..10_000_u32 {
            let position = key.wrapping_mul(0x9E37_79B9);
            let after = |place: &Place| place.position < position;
            let expected = ring.places.partition_point(after) % ring.places.len();
            assert_eq!(ring.first_from(position), Some(expected));
        }
        let last = ring.places[ring.places.len() - 1].position;
        assert_eq!(ring.first_from(last), Some(ring.places.len() - 1));
        assert_eq!(ring.first_from(u32::MAX), Some(0));
    }

    #[test]
    fn great_weights_keep_the_ring_bounded() {
        let heavy = ring(&[("a:1", u32::MAX), ("b:1", u32::MAX), ("c:1", 1)]);
        assert!(heavy.places.len() as u64 <= MOST_PLACES + 3);
        let hundreds = ring(&[("a:1", 100), ("b:1", 300)]);
        assert_eq!(hundreds.places.len(), 400 * 128);
    }

    #[test]
    fn without_instances_there_is_no_pick() {
        assert_eq!(Ring::default().pick(b"key", |_| false), None);
    }
}
