//! The limit, what is counted against it, and the answers.
//!
//! Owns when a body is too long: as soon as its head says so, and where the
//! head says nothing, as soon as so much has come. Sees lengths only, never
//! the bytes. Called by the glue.

use portcullis_sdk::Answer;

/// How long a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    bytes: u64,
}

/// What has come of one body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count(u64);

/// A body that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Limit {
    /// A limit of so many bytes.
    pub fn new(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Judges a body by the `content-length` of its head. What is no number
    /// says nothing: the gateway refuses it, or it is not there.
    ///
    /// # Errors
    /// If it says more than the limit.
    pub fn announced(self, content_length: Option<&[u8]>) -> Result<(), TooLong> {
        let length = content_length
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(|value| value.trim().parse::<u64>().ok());
        self.within(length.unwrap_or(0))
    }

    /// Counts a chunk.
    ///
    /// # Errors
    /// If more has come than the limit.
    pub fn count(self, count: &mut Count, length: u64) -> Result<(), TooLong> {
        count.0 = count.0.saturating_add(length);
        self.within(count.0)
    }

    /// The answer to a request that is too long (RFC 9110 §15.5.14).
    pub fn content_too_large(self) -> Answer {
        Answer::problem(
            413,
            "Content Too Large",
            format!("a request may have at most {} bytes of content", self.bytes),
        )
    }

    /// The answer in place of a response that is too long.
    pub fn bad_gateway() -> Answer {
        Answer::problem(502, "Bad Gateway", "the response is too long")
    }

    fn within(self, length: u64) -> Result<(), TooLong> {
        if length > self.bytes {
            Err(TooLong)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_may_say_that_a_body_is_too_long() {
        let limit = Limit::new(100);
        for (value, expected) in [
            (None, Ok(())),
            (Some("0"), Ok(())),
            (Some("100"), Ok(())),
            (Some("101"), Err(TooLong)),
            (Some("18446744073709551615"), Err(TooLong)),
            (Some("nonsense"), Ok(())),
        ] {
            assert_eq!(
                limit.announced(value.map(str::as_bytes)),
                expected,
                "{value:?}"
            );
        }
    }

    #[test]
    fn chunks_add_up() {
        for (limit, chunks, expected) in [
            (100, &[50, 50, 0][..], Ok(())),
            (100, &[50, 50, 1], Err(TooLong)),
            (0, &[0], Ok(())),
            (0, &[1], Err(TooLong)),
            (100, &[u64::MAX, u64::MAX], Err(TooLong)),
            (u64::MAX, &[u64::MAX, u64::MAX], Ok(())),
        ] {
            let limit = Limit::new(limit);
            let mut count = Count::default();
            let result = chunks
                .iter()
                .try_for_each(|length| limit.count(&mut count, *length));
            assert_eq!(result, expected, "{chunks:?}");
        }
    }
}
