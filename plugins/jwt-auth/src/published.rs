//! Keys that one instance has fetched, for all instances on all workers.
//!
//! The keys lie in the store, in parts since a value has a bound; a counter
//! says which version of them is the current one, so that looking whether there
//! is news costs a number. Another counter is the lock of whoever asks the issuer.

use portcullis_sdk::{
    counters,
    crypto::{DigestAlgorithm, digest},
    store,
};
use serde_json::Value;

use crate::fetch::Source;

/// Bytes of a part; a value of the store has 64 KiB at most.
const PART: usize = 60 << 10;

/// Longer than a gateway runs: the counter of the version is to live.
const FOREVER_MS: u64 = 10 * 365 * 86_400_000;

/// What the lock says.
const ASKING: i64 = 1;
const ASKED: i64 = 2;

/// The keys of one source.
#[derive(Debug)]
pub struct Published {
    /// Names the source: other steps of this plugin have others.
    id: String,
}

/// Whether the issuer may be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// By the caller, who says when he is [`done`](Published::done).
    Mine,
    /// Somebody does already.
    Another,
    /// Somebody did, and the cool-down is not over.
    Over,
}

impl Published {
    /// Those of a source.
    pub fn of(source: &Source) -> Self {
        let kind = match source {
            Source::KeySet(_) => "set",
            Source::Issuer(_) => "issuer",
        };
        let name = digest(DigestAlgorithm::Sha256, format!("{kind} {}", source.url()));
        let hex: String = name
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self { id: hex }
    }

    /// The current version; 0: there is none.
    pub fn version(&self) -> i64 {
        counters::get(&self.name("version")).unwrap_or(0)
    }

    /// The keys of a version, unless the store has dropped some of them.
    pub fn keys(&self, version: i64) -> Option<Vec<Value>> {
        serde_json::from_slice(&self.text(version)?).ok()
    }

    /// When the keys were fetched, in milliseconds since the Unix epoch.
    pub fn fetched_ms(&self) -> Option<u64> {
        let bytes = store::get(&self.name("fetched"))?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Publishes keys. A new version only if they are others than before.
    /// False if the store does not take them.
    pub fn publish(&self, keys: &[Value], now_ms: u64) -> bool {
        let text = Value::from(keys).to_string().into_bytes();
        let before = self.version();
        if self.text(before).as_ref() != Some(&text) {
            // Never a version that there was before, also if the counter was dropped.
            let version = i64::try_from(now_ms).unwrap_or(i64::MAX).max(before + 1);
            if !self.keep(version, &text) {
                return false;
            }
            let expected = (before != 0).then_some(before);
            let key = self.name("version");
            counters::compare_and_set(&key, expected, version, FOREVER_MS);
            self.forget(before);
        }
        store::set(&self.name("fetched"), now_ms.to_le_bytes(), 0)
    }

    /// True if the store takes what is given to it: if the step allows it.
    pub fn is_possible(&self) -> bool {
        store::set(&self.name("possible"), [1], 1_000)
    }

    /// Takes the turn to ask the issuer. Lost without a word after so many
    /// milliseconds, should the caller be stopped in the midst of it.
    pub fn take_turn(&self, longest_ms: u64) -> Turn {
        let lock = self.name("lock");
        if counters::compare_and_set(&lock, None, ASKING, longest_ms) {
            return Turn::Mine;
        }
        match counters::get(&lock) {
            Some(ASKING) => Turn::Another,
            _ => Turn::Over,
        }
    }

    /// Ends the turn: nobody asks again before the cool-down is over.
    pub fn done(&self, cool_down_ms: u64) {
        counters::compare_and_set(&self.name("lock"), Some(ASKING), ASKED, cool_down_ms);
    }

    fn name(&self, what: &str) -> String {
        format!("jwks:{}:{what}", self.id)
    }

    fn part(&self, version: i64, number: usize) -> String {
        self.name(&format!("{version}:{number}"))
    }

    /// The first byte of the first part says how many parts there are.
    fn keep(&self, version: i64, text: &[u8]) -> bool {
        let parts: Vec<&[u8]> = text.chunks(PART).collect();
        let Ok(count) = u8::try_from(parts.len()) else {
            return false;
        };
        parts.iter().enumerate().all(|(number, part)| {
            let mut value = vec![count];
            value.extend_from_slice(part);
            store::set(&self.part(version, number), value, 0)
        })
    }

    fn text(&self, version: i64) -> Option<Vec<u8>> {
        let first = store::get(&self.part(version, 0))?;
        let (&count, text) = first.split_first()?;
        let mut text = text.to_vec();
        for number in 1..usize::from(count) {
            text.extend_from_slice(store::get(&self.part(version, number))?.get(1..)?);
        }
        Some(text)
    }

    fn forget(&self, version: i64) {
        let first = store::get(&self.part(version, 0)).unwrap_or_default();
        for number in 0..first.first().copied().map_or(0, usize::from) {
            store::delete(&self.part(version, number));
        }
    }
}
