//! One HTTP/2 connection to an instance, which carries many requests at once.

use std::{
    cell::Cell,
    error::Error as StdError,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, Uri, Version, header, uri::PathAndQuery};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::{AbortHandle, spawn_local},
};

use super::{
    body::{Carrier, UpstreamBody},
    connection::{ConnectError, HEAD},
    error::SendError,
    framing,
};
use crate::config::Http2Limits;

/// Fields that a response may have: as many as one of HTTP/1.1.
pub(super) const FIELDS: usize = 100;

/// The largest window (RFC 9113 §6.9.1).
const LARGEST_WINDOW: u32 = i32::MAX as u32;

/// How many times the windows of all its streams a connection's is. Half of it is what
/// the library lets wait in frames of less than 256 bytes, for each of which it counts
/// 256, before it ends the connection.
const ROOM: u32 = 4;

/// Bounds on HTTP/2 connections to instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplexing {
    /// Requests on one connection, above which another is opened. If the other
    /// side allows fewer, requests wait for each other.
    pub streams: u32,
    /// Bytes of one response that may wait for the client.
    pub stream_window: u32,
    /// A connection on which nothing comes for so long, while it has requests, is
    /// asked for a sign of life.
    pub ping_interval: Duration,
    /// How long that may take.
    pub ping_timeout: Duration,
}

impl Multiplexing {
    /// What the defaults of a configuration say.
    pub const USUAL: Self = Self::of(&Http2Limits::USUAL);

    /// What a configuration says.
    pub const fn of(limits: &Http2Limits) -> Self {
        Self {
            streams: limits.streams,
            stream_window: limits.stream_window,
            ping_interval: limits.ping_interval,
            ping_timeout: limits.ping_timeout,
        }
    }

    /// Bytes of all responses of a connection that may wait for their clients: at least
    /// as many as of each, so that clients who take nothing hold up nobody else.
    fn connection_window(&self) -> u32 {
        let all = self.streams.saturating_mul(self.stream_window);
        all.saturating_mul(ROOM).min(LARGEST_WINDOW)
    }
}

/// Work that a connection begins is done by the worker's own tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, work: F) {
        spawn_local(async move {
            work.await;
        });
    }
}

/// What holds for every connection to an instance.
pub(super) fn builder(bounds: &Multiplexing) -> http2::Builder<Local> {
    let head = u32::try_from(HEAD).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(bounds.stream_window)
        .initial_connection_window_size(bounds.connection_window())
        .max_header_list_size(head)
        .keep_alive_interval(bounds.ping_interval)
        .keep_alive_timeout(bounds.ping_timeout);
    builder
}

/// An open connection. It is closed when the last of those who hold it is gone.
pub(super) struct Multiplexed<B> {
    sender: http2::SendRequest<B>,
    task: AbortHandle,
    secured: bool,
    most: usize,
    streams: Cell<usize>,
    /// When the last stream ended.
    idle_since: Cell<Instant>,
}

/// One request on a connection, from its sending to its response's end.
pub(super) struct Stream<B>(Rc<Multiplexed<B>>);

impl<B> Multiplexed<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Speaks HTTP/2 on a connected stream, in a local task of its own. `alive` is
    /// dropped when the socket is closed.
    pub(super) async fn speak(
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        secured: bool,
        bounds: &Multiplexing,
        alive: impl Sized + 'static,
    ) -> Result<Rc<Self>, ConnectError> {
        let (sender, connection) = builder(bounds)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Handshake)?;
        let task = spawn_local(async move {
            let _alive = alive;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "upstream connection broke");
            }
        });
        Ok(Rc::new(Self {
            sender,
            task: task.abort_handle(),
            secured,
            most: usize::try_from(bounds.streams).unwrap_or(usize::MAX),
            streams: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
        }))
    }

    /// Begins a request; its stream counts until it is dropped.
    pub(super) fn begin(self: &Rc<Self>) -> Stream<B> {
        self.streams.update(|streams| streams + 1);
        Stream(Rc::clone(self))
    }
}

impl<B> Multiplexed<B> {
    /// True if it takes another request at once.
    pub(super) fn has_room(&self) -> bool {
        self.is_open() && self.streams.get() < self.most
    }

    /// False if the other side has closed it, or wants no more requests.
    pub(super) fn is_open(&self) -> bool {
        self.sender.is_ready()
    }

    /// Requests that are on it.
    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    /// True if it has had no request since `limit` before `now`.
    pub(super) fn is_idle(&self, now: Instant, limit: Duration) -> bool {
        let since = self.idle_since.get();
        self.streams.get() == 0 && now.saturating_duration_since(since) >= limit
    }
}

impl<B> Drop for Multiplexed<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<B: Body + Default + 'static> Stream<B> {
    /// Sends the request, and waits for the response's head.
    pub(super) async fn exchange(
        self,
        request: Request<B>,
        reused: bool,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        // The library gives back only what it has not begun to send. What the other
        // side has not begun to look at comes too late for a connection that it ends.
        let copy = request.body().is_end_stream().then(|| copy(&request));
        let sent = self.send(request).await;
        let response = sent.map_err(|error| SendError::of_stream(error, reused, copy))?;
        framing::check(&response).map_err(SendError::framing)?;
        framing::check_count(&response, FIELDS).map_err(SendError::framing)?;
        Ok(response.map(|incoming| UpstreamBody::new(incoming, Carrier::Stream(self))))
    }
}

impl<B: Body + 'static> Stream<B> {
    /// Sends the request, for those who need no more than the response.
    pub(super) fn send(
        &self,
        mut request: Request<B>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>> + use<B> {
        prepare(&mut request, self.0.secured);
        let mut sender = self.0.sender.clone();
        async move { sender.try_send_request(request).await }
    }
}

impl<B> Drop for Stream<B> {
    fn drop(&mut self) {
        let Self(connection) = self;
        connection.streams.update(|streams| streams - 1);
        if connection.streams.get() == 0 {
            connection.idle_since.set(Instant::now());
        }
    }
}

/// Makes the head one of HTTP/2 (RFC 9113 §8.3.1): what `Host` says is the
/// authority, and trailers are welcome, which gRPC insists on.
pub(super) fn prepare<B>(request: &mut Request<B>, secured: bool) {
    *request.version_mut() = Version::HTTP_2;
    request
        .headers_mut()
        .insert(header::TE, HeaderValue::from_static("trailers"));
    let Some(host) = request.headers().get(header::HOST) else {
        return;
    };
    let uri = request.uri();
    let path = uri.path_and_query().cloned();
    let uri = Uri::builder()
        .scheme(if secured { "https" } else { "http" })
        .authority(host.as_bytes())
        .path_and_query(path.unwrap_or(PathAndQuery::from_static("/")))
        .build();
    // A host that is no authority stays what it is: a field.
    if let Ok(uri) = uri {
        *request.uri_mut() = uri;
        request.headers_mut().remove(header::HOST);
    }
}

/// A request that has no body, once more.
fn copy<B: Default>(request: &Request<B>) -> Request<B> {
    let mut copy = Request::new(B::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

/// Makes the head one of HTTP/1.1 again.
pub(super) fn unprepare<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_11;
    let Some(authority) = request.uri().authority() else {
        return;
    };
    let host = HeaderValue::from_str(authority.as_str());
    let path = request.uri().path_and_query().cloned();
    let headers = request.headers_mut();
    headers.remove(header::TE);
    if let Ok(host) = host {
        headers.insert(header::HOST, host);
    }
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_made_one_of_http2_and_back() {
        for (path, expected) in [
            ("/a?b", "https://a.example:8080/a?b"),
            ("/", "https://a.example:8080/"),
        ] {
            let mut request = Request::builder()
                .uri(path)
                .header("host", "a.example:8080")
                .body(())
                .expect("a request");
            prepare(&mut request, true);
            assert_eq!(request.uri(), expected);
            assert_eq!(request.headers()["te"], "trailers");
            assert!(!request.headers().contains_key("host"));
            // Once more is once: a request may be sent on several connections.
            prepare(&mut request, true);
            assert_eq!(request.uri(), expected);
            unprepare(&mut request);
            assert_eq!(request.uri(), path);
            assert_eq!(request.headers()["host"], "a.example:8080");
            assert_eq!(request.headers().len(), 1);
        }
    }
}
