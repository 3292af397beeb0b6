//! One chunk of a body that streams by.

use super::{Transform, checked, host};
use crate::{Answer, Result};

/// What a filter says of one chunk of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkVerdict {
    /// It goes on as it is, uncopied, after what was written.
    Pass,
    /// It goes on, and so does the rest of the body, without another call.
    PassRest,
    /// What was written goes on in its place: another chunk, or nothing for now
    /// if the filter keeps the bytes to hand them on later.
    Replace,
    /// Send this answer instead. For a request's body until the response's head
    /// has left, for a response's while its head is held
    /// ([`Exchange::hold_head`](crate::Exchange::hold_head)); later it is the
    /// filter's failure.
    Respond(Answer),
}

impl From<Answer> for ChunkVerdict {
    fn from(answer: Answer) -> Self {
        Self::Respond(answer)
    }
}

/// One chunk of a body that streams by: some bytes, or the end, or both.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// /// Counts the lines of each response, and says so in a trailer.
/// #[derive(Default)]
/// struct Lines;
///
/// #[plugin(summary = "Counts lines")]
/// impl Lines {
///     fn on_response_body(
///         &mut self,
///         _exchange: &mut Exchange,
///         lines: &mut usize, // one for each body, kept by the SDK
///         chunk: &mut Chunk,
///     ) -> Result<ChunkVerdict> {
///         *lines += chunk.read().iter().filter(|byte| **byte == b'\n').count();
///         if chunk.is_end() {
///             chunk.set_trailer("x-lines", lines.to_string())?;
///         }
///         Ok(ChunkVerdict::Pass)
///     }
/// }
/// # fn main() {
/// use portcullis_sdk::testing::*;
///
/// let gateway = Gateway::new();
/// let exchange = gateway.exchange(Request::get("/"));
/// exchange.respond_from_upstream(200, []);
/// let body = exchange.run_response_body(&mut Lines, ["one\ntw", "o\n"]);
/// assert_eq!((body.text(), body.trailer("x-lines")), ("one\ntwo\n".into(), Some("2".into())));
/// # }
/// ```
#[derive(Debug)]
pub struct Chunk {
    length: u32,
    end: bool,
    // Keeps it within its hook.
    current: std::marker::PhantomData<*const ()>,
}

impl Chunk {
    /// The one of the hook that runs. For the code that `#[plugin]` writes.
    #[doc(hidden)]
    pub const fn current(length: u32, end: bool) -> Self {
        Self {
            length,
            end,
            current: std::marker::PhantomData,
        }
    }

    /// How many bytes it has: 0 at most at the end.
    pub fn len(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// True if it is but the end.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// True if the body ends with it.
    pub fn is_end(&self) -> bool {
        self.end
    }

    /// Its bytes. Each call copies them; not called, nothing is copied.
    pub fn read(&self) -> Vec<u8> {
        match self.length {
            0 => Vec::new(),
            _ => host::read(),
        }
    }

    /// Hands bytes on: before the chunk with [`ChunkVerdict::Pass`], in its place
    /// with [`ChunkVerdict::Replace`]. More than one call adds up.
    ///
    /// # Errors
    /// Beyond the plugin's limit `response_size` in one hook.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        match bytes.as_ref() {
            [] => Ok(()),
            bytes => checked("write", host::write(bytes)),
        }
    }

    /// Has a transformer take the chunk, and hands on what it makes of it.
    ///
    /// # Errors
    /// Those of the transformer, and as [`write`](Self::write).
    pub fn transform(&mut self, transformer: &mut impl Transform) -> Result<ChunkVerdict> {
        let mut output = Vec::with_capacity(self.len());
        if !self.is_empty() {
            transformer.push(&self.read(), &mut output)?;
        }
        if self.end {
            transformer.finish(&mut output)?;
        }
        self.write(output)?;
        Ok(ChunkVerdict::Replace)
    }

    /// The trailer fields, at the end; else none.
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        match self.end {
            true => host::trailers(),
            false => Vec::new(),
        }
    }

    /// Sets a trailer field to one value, at the end only.
    ///
    /// # Errors
    /// If it may not stand in trailers (RFC 9110, 6.5.1), or before the end.
    pub fn set_trailer(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        checked("set-trailer", host::set_trailer(name, value.as_ref()))
    }

    /// Removes a trailer field; true if there was one.
    pub fn remove_trailer(&mut self, name: &str) -> bool {
        host::remove_trailer(name)
    }
}
