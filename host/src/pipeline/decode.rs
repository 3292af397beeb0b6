//! Undoes a content coding, a bounded step at a time.
//!
//! What a few bytes become may be a thousand times as long: so a step gives at
//! most [`STEP`] bytes, and the next is made when those have gone on.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Read},
    rc::Rc,
};

use bytes::{Buf, Bytes};
use http::HeaderMap;

use crate::exchange::{Coding, Piece};

/// Bytes that one step gives at most.
const STEP: usize = 32 << 10;

/// The bytes are not of the coding that the head names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A coding that is undone.
pub(super) struct Decoder {
    plain: Box<dyn Read>,
    feed: Feed,
    trailers: Option<HeaderMap>,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        let feed = Feed::default();
        let coded = feed.clone();
        Self {
            plain: match coding {
                Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(coded)),
                Coding::Deflate => Box::new(flate2::read::ZlibDecoder::new(coded)),
                Coding::Brotli => Box::new(brotli_decompressor::Decompressor::new(coded, STEP)),
            },
            feed,
            trailers: None,
        }
    }

    /// Takes the next part. The one before must be used up.
    pub(super) fn feed(&mut self, piece: Piece) {
        let mut fed = self.feed.0.borrow_mut();
        fed.bytes = piece.bytes;
        fed.ended = piece.end;
        self.trailers = piece.trailers;
    }

    /// The next plain bytes; none if more has to be fed first.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Malformed> {
        let mut plain = vec![0; STEP];
        loop {
            return match self.plain.read(&mut plain) {
                // Nothing may follow the end of what is coded.
                Ok(0) if self.feed.has_bytes() => Err(Malformed),
                Ok(0) if self.feed.has_ended() => Ok(Some(Piece {
                    trailers: self.trailers.take(),
                    ..Piece::whole(Bytes::new())
                })),
                Ok(0) => Ok(None),
                Ok(length) => {
                    plain.truncate(length);
                    Ok(Some(Piece {
                        bytes: plain.into(),
                        end: false,
                        trailers: None,
                    }))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Err(Malformed),
            };
        }
    }
}

/// What was fed and is not used up yet.
#[derive(Clone, Default)]
struct Feed(Rc<RefCell<Fed>>);

#[derive(Default)]
struct Fed {
    bytes: Bytes,
    ended: bool,
}

impl Feed {
    fn has_bytes(&self) -> bool {
        !self.0.borrow().bytes.is_empty()
    }

    fn has_ended(&self) -> bool {
        self.0.borrow().ended
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut fed = self.0.borrow_mut();
        if fed.bytes.is_empty() && !fed.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = fed.bytes.len().min(buffer.len());
        fed.bytes.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{GzEncoder, ZlibEncoder},
    };

    use super::*;

    /// The letter a, 100,000 times, as Node.js 22 writes it.
    const BROTLI: &[u8] = &[
        0x5b, 0x9f, 0x86, 0x81, 0x5f, 0x22, 0x2c, 0x1e, 0x0b, 0x04, 0xb2, 0xfc, 0x02, 0x00,
    ];

    fn decoded(coding: Coding, coded: &[u8], step: usize) -> Result<Vec<u8>, Malformed> {
        let mut decoder = Decoder::new(coding);
        let mut plain = Vec::new();
        let parts = coded.chunks(step).map(Bytes::copy_from_slice);
        let last = Some(Bytes::new());
        for (bytes, end) in parts
            .map(|bytes| (bytes, false))
            .chain(last.map(|b| (b, true)))
        {
            let trailers = None;
            decoder.feed(Piece {
                bytes,
                end,
                trailers,
            });
            while let Some(piece) = decoder.next()? {
                assert!(piece.bytes.len() <= STEP);
                plain.extend_from_slice(&piece.bytes);
                if piece.end {
                    return Ok(plain);
                }
            }
        }
        Err(Malformed)
    }

    fn coded(coding: Coding, plain: &[u8]) -> Vec<u8> {
        let level = Compression::default();
        match coding {
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => unreachable!("there is no encoder of it"),
        }
    }

    #[test]
    fn bytes_come_out_in_bounded_steps_however_they_come_in() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        for coding in [Coding::Gzip, Coding::Deflate] {
            let coded = coded(coding, &plain);
            for step in [1, 7, 1_000, 1 << 20] {
                assert!(
                    decoded(coding, &coded, step).as_ref() == Ok(&plain),
                    "{step}"
                );
            }
        }
    }

    #[test]
    fn brotli_too() {
        let plain = decoded(Coding::Brotli, BROTLI, 3).unwrap();
        assert!(plain == vec![b'a'; 100_000]);
        assert_eq!(decoded(Coding::Brotli, &BROTLI[..9], 3), Err(Malformed));
    }

    #[test]
    fn members_that_follow_one_another_are_one_body() {
        let two = [coded(Coding::Gzip, b"one "), coded(Coding::Gzip, b"two")].concat();
        assert_eq!(decoded(Coding::Gzip, &two, 5).unwrap(), b"one two");
        let two = [
            coded(Coding::Deflate, b"one "),
            coded(Coding::Deflate, b"two"),
        ]
        .concat();
        assert_eq!(decoded(Coding::Deflate, &two, 5), Err(Malformed));
    }

    #[test]
    fn what_is_cut_short_or_is_something_else_is_malformed() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let coded = coded(coding, b"something of some length, something");
            let short = &coded[..coded.len() - 5];
            assert_eq!(decoded(coding, short, 4), Err(Malformed));
            assert_eq!(decoded(coding, b"plain text, really", 4), Err(Malformed));
        }
        assert_eq!(
            decoded(Coding::Brotli, b"plain text, really", 4),
            Err(Malformed)
        );
    }
}
