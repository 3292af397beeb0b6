//! Answers that are remembered.
//!
//! In two generations: when the young one is full it becomes the old one, and
//! what was in that is forgotten. So it never grows, and forgetting costs nothing.
//! Keys are digests, so that no credentials lie in memory and no client can
//! choose where its entry comes to lie.

use std::{collections::BTreeMap, time::Duration};

use portcullis_sdk::{
    crypto::{DigestAlgorithm, digest},
    prelude::*,
};

use crate::question::Decision;

/// A larger answer is not remembered.
const LARGEST: usize = 4 << 10;

/// What two requests must have in common.
pub type Key = Vec<u8>;

/// Answers, by what two requests must have in common.
#[derive(Debug)]
pub struct Cache {
    ttl: Duration,
    headers: Vec<String>,
    by_target: bool,
    /// How many answers are in a generation at most.
    generation: usize,
    young: BTreeMap<Key, Remembered>,
    old: BTreeMap<Key, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    decision: Decision,
    until: Duration,
}

impl Cache {
    /// Of so many answers in all, each for a time.
    pub fn new(size: usize, ttl: Duration, headers: Vec<String>, by_target: bool) -> Self {
        Self {
            ttl,
            headers,
            by_target,
            generation: (size / 2).max(1),
            young: BTreeMap::new(),
            old: BTreeMap::new(),
        }
    }

    /// The key of a request.
    pub fn key(&self, exchange: &Exchange) -> Key {
        let mut text = Vec::new();
        if self.by_target {
            push(&mut text, exchange.method());
            push(&mut text, exchange.host());
            push(&mut text, exchange.path());
            let query = exchange.query();
            text.push(u8::from(query.is_some()));
            push(&mut text, query.unwrap_or_default());
        }
        for name in &self.headers {
            let values = exchange.request_header_values(name);
            text.extend(values.len().to_le_bytes());
            for value in values {
                push(&mut text, value);
            }
        }
        digest(DigestAlgorithm::Sha256, text)
    }

    /// What is remembered under a key.
    pub fn find(&self, key: &Key, now: Duration) -> Option<&Decision> {
        let found = self.young.get(key).or_else(|| self.old.get(key))?;
        (now < found.until).then_some(&found.decision)
    }

    /// Remembers an answer.
    pub fn keep(&mut self, key: Key, decision: &Decision, now: Duration) {
        if decision.bytes() > LARGEST {
            return;
        }
        if self.young.len() >= self.generation && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let remembered = Remembered {
            decision: decision.clone(),
            until: now + self.ttl,
        };
        self.young.insert(key, remembered);
    }
}

/// With its length, so that two parts never read as two others.
fn push(text: &mut Vec<u8>, part: impl AsRef<[u8]>) {
    let part = part.as_ref();
    text.extend(part.len().to_le_bytes());
    text.extend(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn refusal(bytes: usize) -> Decision {
        Decision::Refuse {
            status: 403,
            headers: Vec::new(),
            body: vec![0; bytes],
        }
    }

    #[test]
    fn it_never_grows_and_what_comes_last_stays() {
        let mut cache = Cache::new(8, SECOND, Vec::new(), true);
        for number in 0..1_000_u32 {
            cache.keep(number.to_le_bytes().to_vec(), &refusal(0), Duration::ZERO);
            assert!(cache.young.len() + cache.old.len() <= 8);
            let last = number.saturating_sub(3)..=number;
            for recent in last {
                let key = recent.to_le_bytes().to_vec();
                assert!(
                    cache.find(&key, Duration::ZERO).is_some(),
                    "{recent} of {number}"
                );
            }
        }
    }

    #[test]
    fn an_answer_is_remembered_for_its_time_and_a_large_one_never() {
        let mut cache = Cache::new(8, SECOND, Vec::new(), true);
        cache.keep(vec![1], &refusal(LARGEST), SECOND);
        cache.keep(vec![2], &refusal(LARGEST + 1), SECOND);
        assert_eq!(cache.find(&vec![1], SECOND), Some(&refusal(LARGEST)));
        assert_eq!(cache.find(&vec![1], 2 * SECOND), None);
        assert_eq!(cache.find(&vec![2], SECOND), None);
    }
}
