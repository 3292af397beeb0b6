//! How much the heads of a connection's open requests say.
//!
//! Over HTTP/2 a field of kilobytes that was sent once is one byte from then on
//! (RFC 7541 §6.1). What a client may have the gateway hold is therefore counted in
//! what heads say, and not in what of them was sent.

use std::{cell::Cell, rc::Rc};

use http::HeaderMap;

/// What a field counts for besides its bytes (RFC 9113 §6.5.2).
const OVERHEAD: usize = 32;

/// The heads of one connection.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    held: Rc<Cell<usize>>,
    most: usize,
}

/// One head, for as long as its request is open.
#[derive(Debug, Default)]
pub(super) struct OpenHead {
    held: Rc<Cell<usize>>,
    size: usize,
}

impl Heads {
    /// None yet, of which there may be so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            held: Rc::default(),
            most,
        }
    }

    /// One more; none if that were too much. The only one there is, is never.
    pub(super) fn open(&self, fields: &HeaderMap) -> Option<OpenHead> {
        let size = size(fields);
        let before = self.held.get();
        let after = before + size;
        if before > 0 && after > self.most {
            return None;
        }
        self.held.set(after);
        Some(OpenHead {
            held: Rc::clone(&self.held),
            size,
        })
    }
}

fn size(fields: &HeaderMap) -> usize {
    let each = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + OVERHEAD
    };
    // The target's and the other parts of the request line's.
    OVERHEAD + fields.iter().map(each).sum::<usize>()
}

impl Drop for OpenHead {
    fn drop(&mut self) {
        self.held.update(|held| held - self.size);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_is_open_counts_and_what_is_over_does_not() {
        let fields: HeaderMap = [(
            HeaderName::from_static("x-long"),
            HeaderValue::from_static("1234567890"),
        )]
        .into_iter()
        .collect();
        assert_eq!(size(&fields), 80);
        let heads = Heads::new(200);
        let first = heads.open(&fields).expect("room");
        let second = heads.open(&fields).expect("room");
        assert!(heads.open(&fields).is_none());
        drop(first);
        let third = heads.open(&fields).expect("room again");
        assert!(heads.open(&fields).is_none());
        drop((second, third));
        // One that is larger than all may be is for another limit.
        let small = Heads::new(1);
        let alone = small.open(&fields).expect("the only one");
        assert!(small.open(&fields).is_none());
        drop(alone);
        assert!(small.open(&fields).is_some());
    }
}
