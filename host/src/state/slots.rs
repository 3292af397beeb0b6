//! Seats for entries: what bounds a map and lets it be sampled.
//!
//! A concurrent hash map can neither be bounded exactly nor walked from where
//! one left off. So every entry takes a numbered slot first, which holds its
//! hash; slots bound the number of entries, a random slot is a random entry,
//! and a hand that advances over the slots visits all of them bit by bit.

use std::{
    iter,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use crossbeam_queue::SegQueue;

use super::key::ByHash;

/// Slots that are allocated at once: a small gateway pays for few.
const CHUNK: usize = 1024;

type Chunk = Box<[AtomicU64]>;

/// A fixed number of slots, each free (0) or holding the hash of an entry.
#[derive(Debug)]
pub(super) struct Slots {
    limit: u32,
    chunks: Box<[OnceLock<Chunk>]>,
    /// Slots below this one were taken at least once.
    used: AtomicU32,
    /// Slots below `used` that were released.
    free: SegQueue<u32>,
    taken: AtomicU32,
    hand: AtomicU32,
}

/// A slot that is taken. Belongs to one entry, which releases it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slots {
    /// That many slots, at least one.
    pub(super) fn new(limit: usize) -> Self {
        let limit = u32::try_from(limit.max(1)).unwrap_or(u32::MAX);
        let chunks = (limit as usize).div_ceil(CHUNK);
        Self {
            limit,
            chunks: iter::repeat_with(OnceLock::new).take(chunks).collect(),
            used: AtomicU32::new(0),
            free: SegQueue::new(),
            taken: AtomicU32::new(0),
            hand: AtomicU32::new(0),
        }
    }

    /// Slots that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed) as usize
    }

    /// Takes a slot for an entry of that hash; none if all are taken. To be
    /// called before the entry is in the map: an entry that others can see
    /// can also be sampled.
    pub(super) fn take(&self, hash: u64) -> Option<Slot> {
        let index = self.free.pop().or_else(|| self.first_use())?;
        self.slot(index).store(hash, Ordering::Release);
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(Slot(index))
    }

    /// The same while fewer than `most` are taken; threads that come at once
    /// may each take one more.
    pub(super) fn take_within(&self, hash: u64, most: usize) -> Option<Slot> {
        match self.taken() < most {
            true => self.take(hash),
            false => None,
        }
    }

    /// Gives a slot back; once per `take`.
    pub(super) fn release(&self, slot: Slot) {
        self.slot(slot.0).store(0, Ordering::Release);
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.free.push(slot.0);
    }

    /// The entries in some random slots, out of `count` looks.
    pub(super) fn sample(&self, count: usize) -> impl Iterator<Item = ByHash> {
        let used = self.used.load(Ordering::Relaxed);
        let count = if used == 0 { 0 } else { count };
        (0..count).filter_map(move |_| self.look(fastrand::u32(..used)))
    }

    /// The entries in the next slots, out of `count` looks: each caller goes
    /// on where the last one stopped, round and round.
    pub(super) fn next(&self, count: usize) -> impl Iterator<Item = ByHash> {
        let used = self.used.load(Ordering::Relaxed);
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(used);
        let first = self.hand.fetch_add(count, Ordering::Relaxed);
        (0..count).filter_map(move |step| self.look(first.wrapping_add(step) % used))
    }

    fn look(&self, index: u32) -> Option<ByHash> {
        match self.slot(index).load(Ordering::Acquire) {
            0 => None,
            hash => Some(ByHash(hash)),
        }
    }

    fn first_use(&self) -> Option<u32> {
        let next = |used| (used < self.limit).then_some(used + 1);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .ok()
    }

    fn slot(&self, index: u32) -> &AtomicU64 {
        let index = index as usize;
        let new = || iter::repeat_with(AtomicU64::default).take(CHUNK).collect();
        &self.chunks[index / CHUNK].get_or_init(new)[index % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_were_asked_for() {
        let slots = Slots::new(3);
        let taken: Vec<_> = (1..=3).map(|hash| slots.take(hash).unwrap()).collect();
        assert_eq!(slots.take(4), None);
        assert_eq!(slots.taken(), 3);
        slots.release(taken[1]);
        assert_eq!(slots.take(5), Some(taken[1]));
        assert_eq!(slots.take(6), None);
    }

    #[test]
    fn the_hand_visits_every_taken_slot_in_one_round() {
        let slots = Slots::new(10_000);
        let taken: Vec<_> = (1..=2500).map(|hash| slots.take(hash).unwrap()).collect();
        slots.release(taken[41]);
        let mut seen: Vec<_> = (0..5)
            .flat_map(|_| slots.next(500))
            .map(|by| by.0)
            .collect();
        seen.sort_unstable();
        let expected: Vec<_> = (1..=2500).filter(|hash| *hash != 42).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn none_taken_none_seen() {
        let slots = Slots::new(10);
        assert_eq!(slots.sample(5).count() + slots.next(5).count(), 0);
    }
}
