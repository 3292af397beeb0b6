//! The answer to a request of the plugin's own.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::{Error, call::Call, host, part};
use crate::{Result, answer::Part};

/// An answer: its head, and its body as it comes. Dropping it breaks off what
/// has not come yet.
#[derive(Debug)]
pub struct Response {
    call: Rc<Call>,
    head: host::Head,
    /// What has come of the body and was not taken.
    read: Vec<u8>,
    ended: bool,
}

impl Response {
    pub(super) fn new(call: Rc<Call>, head: host::Head) -> Self {
        Self {
            call,
            head,
            read: Vec::new(),
            ended: false,
        }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// True for a status of 200 to 299.
    pub fn is_success(&self) -> bool {
        matches!(self.head.status, 200..=299)
    }

    /// The header fields, in order, with lower-case names.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let fields = self.head.headers.iter();
        fields.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The first value of a header as text; none if it is absent or not UTF-8.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// The next bytes of the body, 64 KiB at most; none at its end. Cancel safe:
    /// a future that is dropped has taken nothing.
    ///
    /// # Errors
    /// If the other side broke off, it took too long, or the body is too large.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if !self.read.is_empty() {
            return Ok(Some(std::mem::take(&mut self.read)));
        }
        self.next().await
    }

    /// The whole body, or what of it has not been taken yet. Cancel safe: what
    /// had come is there for the next call.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        while let Some(chunk) = self.next().await? {
            self.read.extend(chunk);
        }
        Ok(std::mem::take(&mut self.read))
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and if it is not UTF-8.
    pub async fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.bytes().await?)?)
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and if it is not JSON that fits the type.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_slice(&self.bytes().await?)?)
    }

    /// The trailer fields, after the body's end; none before.
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        match self.ended {
            true => self.call.host.trailers(),
            false => Vec::new(),
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let chunk = self.call.ready().await.host.read()?;
        self.ended = chunk.is_none();
        Ok(chunk)
    }
}

/// What has not been read yet, to be handed to the client as it comes.
impl From<Response> for Part {
    fn from(response: Response) -> Self {
        match response.ended {
            true => Self::bytes(response.read),
            false => part::rest(response.read, response.call),
        }
    }
}
