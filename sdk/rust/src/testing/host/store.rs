//! `store`: bytes by key.

use std::time::Duration;

use super::with;

const LARGEST: usize = 64 << 10;

/// A value, and until when it lives.
pub(in crate::testing) struct Value {
    bytes: Vec<u8>,
    until: Option<Duration>,
}

pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
    with(|state| {
        let value = state.values.get(key)?;
        let lives = value.until.is_none_or(|until| state.now < until);
        lives.then(|| value.bytes.clone())
    })
}

pub(crate) fn set(key: &str, value: &[u8], ttl_ms: u64) -> bool {
    if value.len() > LARGEST {
        return false;
    }
    with(|state| {
        let until = (ttl_ms > 0).then(|| state.now + Duration::from_millis(ttl_ms));
        state.values.insert(
            key.to_owned(),
            Value {
                bytes: value.to_vec(),
                until,
            },
        );
    });
    true
}

pub(crate) fn delete(key: &str) -> bool {
    let lived = get(key).is_some();
    with(|state| state.values.remove(key));
    lived
}
