//! The other side of a plugin's own requests.

use std::{borrow::Cow, time::Duration};

use crate::http::Error;

/// A request that a plugin has made of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) service: Option<String>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Duration,
    pub(super) limit: u64,
    pub(super) redirects: u32,
}

impl HttpRequest {
    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL, or the path if a service is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The service that is asked, if it is one.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The first value of a header as text; bytes that are not UTF-8 are
    /// replaced.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut fields = self.headers.iter();
        let (_, value) = fields.find(|(other, _)| name.eq_ignore_ascii_case(other))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The names of its header fields, in order and in lower case.
    pub fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn body_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// How long the plugin is ready to wait; zero: as long as the gateway lets it.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How many bytes the plugin is ready to take; 0: as many as it may.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How many redirects the gateway is to follow.
    pub fn redirects(&self) -> u32 {
        self.redirects
    }
}

/// What a plugin's request is answered with. Times are those of the gateway's
/// clock, which moves while a hook waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) trailers: Vec<(String, Vec<u8>)>,
    pub(super) delay: Duration,
    pub(super) pause: Duration,
    pub(super) error: Option<Error>,
}

impl HttpResponse {
    /// An answer with this status and nothing else, at once.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            chunks: Vec::new(),
            trailers: Vec::new(),
            delay: Duration::ZERO,
            pause: Duration::ZERO,
            error: None,
        }
    }

    /// No answer, but an error.
    pub fn error(error: Error) -> Self {
        Self {
            error: Some(error),
            ..Self::new(0)
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let field = (name.to_ascii_lowercase(), value.as_ref().to_vec());
        self.headers.push(field);
        self
    }

    /// Sets the body, which comes in one piece.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.chunks = vec![body.into()];
        self
    }

    /// Sets the body to JSON, and `content-type` with it.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json")
            .body(value.to_string())
    }

    /// Adds a piece to the body.
    #[must_use]
    pub fn chunk(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.chunks.push(bytes.into());
        self
    }

    /// Adds a trailer field.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let field = (name.to_ascii_lowercase(), value.as_ref().to_vec());
        self.trailers.push(field);
        self
    }

    /// Sets how long the head takes to come.
    #[must_use]
    pub fn delay(mut self, time: Duration) -> Self {
        self.delay = time;
        self
    }

    /// Sets how long each piece of the body takes to come.
    #[must_use]
    pub fn pause(mut self, time: Duration) -> Self {
        self.pause = time;
        self
    }

    /// Has the body end with an error instead of its end.
    #[must_use]
    pub fn then_error(mut self, error: Error) -> Self {
        self.error = Some(error);
        self
    }
}
