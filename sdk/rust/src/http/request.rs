//! What a plugin asks, and the way until there is an answer.

use std::{
    borrow::Cow,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use serde::Serialize;

use super::{
    Error, Response,
    call::{Call, Ready},
    host,
};
use crate::Result;

/// A request to be sent. See the [module](super).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    method: String,
    url: String,
    service: Option<String>,
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    body: Vec<u8>,
    timeout: Duration,
    limit: u64,
    redirects: u32,
}

impl Request {
    /// A `GET` of `http://host[:port]/path?query` or `https://…`; with a
    /// [`service`](Self::service), of a path.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST`, as [`get`](Self::get).
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A request of any method, which is upper-case.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            service: None,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::ZERO,
            limit: 0,
            redirects: 0,
        }
    }

    /// Asks a service of the configuration instead of a host.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// Adds a header field. `host`, framing, and hop-by-hop fields are the
    /// gateway's and left out; `traceparent`, `tracestate`, `x-request-id` and `via`
    /// are those of the exchange unless given.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body: at most what the plugin's limit `http_request_size` says (1
    /// MiB unless configured); more can be [streamed](Self::send_streaming).
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, and `content-type` with it.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value)?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// The longest from start to the answer's last byte. Default, and at most:
    /// the plugin's limit `http_timeout` (5 s unless configured). Whole
    /// milliseconds, at least one.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The most bytes of the answer's body. Default, and at most, but for a body
    /// that is handed to the client unread: the plugin's limit
    /// `http_response_size` (1 MiB unless configured).
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// How many redirects are followed, each allowed like the first: up to 10,
    /// by default none. To another origin only fields go along that do not tell who
    /// asks.
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// Sends the request. It is on its way when this returns: two that are sent
    /// one after the other and awaited afterwards are in flight together.
    /// Dropping the future breaks the request off.
    pub fn send(self) -> Sending {
        let started = self.with_parts(|request| host::Call::start(request, &self.body));
        Sending::of(started.map(Call::new).map_err(Error::from))
    }

    /// Sends the head of a request whose body is written afterwards, piece by
    /// piece. A [`body`](Self::body) that was set goes first.
    ///
    /// # Errors
    /// Those of the request's start.
    pub fn send_streaming(self) -> Result<Upload, Error> {
        let call = self.with_parts(host::Call::start_streaming)?;
        let upload = Upload {
            call: Call::new(call),
        };
        if !self.body.is_empty() {
            upload.call.host.write(&self.body)?;
        }
        Ok(upload)
    }

    fn with_parts<T>(&self, part: impl FnOnce(host::Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (&**name, value.as_slice()))
            .collect();
        part(host::Request {
            method: &self.method,
            url: &self.url,
            service: self.service.as_deref(),
            headers: &headers,
            timeout_ms: milliseconds(self.timeout),
            most: self.limit,
            redirects: self.redirects,
        })
    }
}

/// A request on its way. Await it for the answer's head.
#[derive(Debug)]
#[must_use = "dropping it breaks the request off"]
pub struct Sending {
    started: Option<Result<Ready, Error>>,
}

impl Sending {
    fn of(started: Result<Rc<Call>, Error>) -> Self {
        Self {
            started: Some(started.map(|call| call.ready())),
        }
    }
}

impl Future for Sending {
    type Output = Result<Response, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match self.started.as_mut().expect("it was not awaited before") {
            Ok(ready) => Ok(ready!(Pin::new(ready).poll(context))),
            Err(error) => Err(*error),
        };
        // The answer alone owns the call from now on.
        self.started = None;
        Poll::Ready(result.and_then(|call: Rc<Call>| {
            let head = call.host.head()?;
            Ok(Response::new(call, head))
        }))
    }
}

/// A request whose body is being written.
#[derive(Debug)]
#[must_use = "dropping it breaks the request off"]
pub struct Upload {
    call: Rc<Call>,
}

impl Upload {
    /// Writes a part of the body. Waits until there is room for more; other
    /// futures of the same hook wait, too.
    ///
    /// # Errors
    /// If the request has failed.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        Ok(self.call.host.write(bytes.as_ref())?)
    }

    /// Ends the body. Await what it returns for the answer's head.
    pub fn finish(self) -> Sending {
        let finished = self.call.host.finish();
        Sending::of(finished.map(|()| self.call).map_err(Error::from))
    }
}

/// As the gateway takes it, where 0 means its own limit.
fn milliseconds(timeout: Duration) -> u32 {
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(u32::MAX)
}
