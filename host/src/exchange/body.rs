//! What is said of bodies.

use bytes::Bytes;
use http::HeaderMap;

/// One of the two messages of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The request.
    Request,
    /// The response.
    Response,
}

/// What a step asks of a body before it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To be left alone with it.
    Skip,
    /// To get it without this content coding.
    Decode(Coding),
    /// That the head waits for the first bytes that come out of the filters.
    HoldHead,
}

/// A content coding that the gateway can undo (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` and `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950).
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
}

/// A part of a body.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// Its bytes; none are a part too, if it is the last.
    pub bytes: Bytes,
    /// Whether it is the last.
    pub end: bool,
    /// With the last: the trailer fields, if there are any.
    pub trailers: Option<HeaderMap>,
}

impl Piece {
    /// Takes off what comes after so many bytes, if there is more; with it the
    /// end. Nothing is copied.
    pub fn split_behind(&mut self, most: usize) -> Option<Self> {
        (self.bytes.len() > most).then(|| Self {
            bytes: self.bytes.split_off(most),
            end: std::mem::take(&mut self.end),
            trailers: self.trailers.take(),
        })
    }

    /// All that is left of a body, without trailers.
    pub fn whole(bytes: Bytes) -> Self {
        Self {
            bytes,
            end: true,
            trailers: None,
        }
    }
}
