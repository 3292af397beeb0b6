//! The dynamic table of HPACK (RFC 7541 §2.3), as far as which of its names is
//! `:path` and when an entry goes.

use std::collections::VecDeque;

/// The largest that the table may be: nobody was told of another (RFC 9113 §6.5.2).
const LARGEST: u64 = 4096;

/// What an entry counts for besides its bytes (RFC 7541 §4.1).
const OVERHEAD: u64 = 32;

/// The names of the static table by their length (RFC 7541 appendix A).
const STATIC: [u16; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14,
    16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10,
    25, 17, 10, 4, 3, 16,
];

/// Where `:path` is in the static table.
const PATHS: std::ops::RangeInclusive<u64> = 4..=5;

/// A field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    length: u16,
    is_path: bool,
}

impl Name {
    /// One of so many characters. More than the table could hold are as good as any.
    pub(super) fn new(length: u64, is_path: bool) -> Self {
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        Self { length, is_path }
    }

    /// True if it is `:path`.
    pub(super) fn is_path(self) -> bool {
        self.is_path
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    /// Names, each with the size of its entry; the newest first.
    entries: VecDeque<(Name, u16)>,
    size: u64,
    most: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            most: LARGEST,
        }
    }
}

impl Table {
    /// The name at a place of both tables; none if there is none.
    pub(super) fn name(&self, place: u64) -> Option<Name> {
        let place = place.checked_sub(1)?;
        let number = usize::try_from(place).ok()?;
        match STATIC.get(number) {
            Some(length) => Some(Name {
                length: *length,
                is_path: PATHS.contains(&(place + 1)),
            }),
            None => {
                let entry = self.entries.get(number - STATIC.len());
                // The library ends the connection if there is none.
                Some(entry.map_or(Name::new(0, false), |(name, _)| *name))
            }
        }
    }

    /// Adds an entry whose value has so many characters. One that is larger than the
    /// table empties it (RFC 7541 §4.4).
    pub(super) fn add(&mut self, name: Name, value: u64) {
        let size = u64::from(name.length)
            .saturating_add(value)
            .saturating_add(OVERHEAD);
        self.shrink(self.most.saturating_sub(size));
        if size <= self.most
            && let Ok(short) = u16::try_from(size)
        {
            self.entries.push_front((name, short));
            self.size += size;
        }
    }

    /// From now on it is so large.
    pub(super) fn resize(&mut self, most: u64) {
        self.most = most.min(LARGEST);
        self.shrink(self.most);
    }

    fn shrink(&mut self, most: u64) {
        while self.size > most
            && let Some((_, size)) = self.entries.pop_back()
        {
            self.size -= u64::from(size);
        }
    }
}
