//! One instance after the other.
//!
//! Owns the position in the list and nothing else. Called by the glue: `resize`
//! whenever the list changes, `pick` for every request and retry.

/// The position in a list of instances.
#[derive(Debug, Default)]
pub struct Rotation {
    length: u32,
    next: u32,
}

impl Rotation {
    /// Takes a list of another length. The rotation goes on where it was; the
    /// first list is entered at a place that `random` decides.
    pub fn resize(&mut self, length: u32, random: u64) {
        if self.length == 0 && length > 0 {
            self.next = (random % u64::from(length)) as u32;
        }
        self.length = length;
        self.next = self.next.checked_rem(length).unwrap_or(0);
    }

    /// The next instance. None if there is none.
    pub fn pick(&mut self) -> Option<u32> {
        self.step()
    }

    /// The next instance that was not tried yet, or just the next one if all
    /// were. None if there is none. Leaves the turn where it is: if retries
    /// took turns, every request would meet the same dead instance first.
    pub fn retry(&self, tried: impl Fn(u32) -> bool) -> Option<u32> {
        let mut order = (self.next..self.length).chain(0..self.next);
        order
            .find(|&index| !tried(index))
            .or((self.length > 0).then_some(self.next))
    }

    fn step(&mut self) -> Option<u32> {
        let current = self.next;
        self.next = (current + 1).checked_rem(self.length)?;
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(length: u32, random: u64) -> Rotation {
        let mut rotation = Rotation::default();
        rotation.resize(length, random);
        rotation
    }

    fn picks(rotation: &mut Rotation, count: usize) -> Vec<u32> {
        std::iter::repeat_with(|| rotation.pick())
            .take(count)
            .map_while(|pick| pick)
            .collect()
    }

    #[test]
    fn every_instance_gets_its_turn() {
        assert_eq!(picks(&mut rotation(3, 0), 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(picks(&mut rotation(1, 5), 3), [0, 0, 0]);
    }

    #[test]
    fn workers_start_at_places_of_their_own() {
        assert_eq!(picks(&mut rotation(3, 4), 4), [1, 2, 0, 1]);
        assert_eq!(picks(&mut rotation(3, u64::MAX), 1), [0]);
    }

    #[test]
    fn the_rotation_goes_on_when_instances_come_and_go() {
        let mut rotation = rotation(4, 0);
        picks(&mut rotation, 3);
        rotation.resize(3, 9);
        assert_eq!(picks(&mut rotation, 4), [0, 1, 2, 0]);
        rotation.resize(5, 9);
        assert_eq!(picks(&mut rotation, 5), [1, 2, 3, 4, 0]);
        rotation.resize(0, 9);
        assert_eq!(rotation.pick(), None);
    }

    #[test]
    fn a_retry_goes_elsewhere_while_there_is_elsewhere() {
        let mut rotation = rotation(3, 0);
        assert_eq!(rotation.pick(), Some(0));
        assert_eq!(rotation.retry(|index| index == 0), Some(1));
        assert_eq!(rotation.retry(|index| index != 2), Some(2));
        assert_eq!(rotation.retry(|_| true), Some(1));
        assert_eq!(rotation.pick(), Some(1), "retries take no turn");
    }
}
