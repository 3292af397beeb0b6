//! One connection to an instance: the socket, its task, the end that sends.
//!
//! Owns hyper's client settings and the TLS handshake. Called by the pool and by the probe.

use std::{error::Error as StdError, io, rc::Rc, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, Response, header};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
    task::{AbortHandle, spawn_local},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    Protocol, Target,
    multiplexed::{Multiplexed, Multiplexing},
    pool::Alive,
    switch::{Stream, Switched},
};

/// Bytes that a response's head may have, and about what a connection may
/// buffer in each direction. A head may have 100 fields: that is hyper's own
/// default, and setting it would allocate per response.
pub(super) const HEAD: usize = 64 * 1024;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// It was refused, or there is no way.
    Failed(io::Error),
    /// It took too long.
    Timeout,
    /// There is no TLS, or not with whom it should be.
    Tls(io::Error),
    /// hyper would not have it.
    Handshake(hyper::Error),
}

/// A connected stream, and what is spoken on it.
pub(super) enum Connected<B> {
    /// One request at a time.
    Http1(Connection<B>),
    /// Many at once.
    Http2(Rc<Multiplexed<B>>),
}

/// Connects within `limit`, the TLS handshake included where there is one. What
/// `alive` gives is dropped when the socket is closed.
///
/// # Panics
///
/// Outside a `LocalSet`.
pub(super) async fn connect<B, A: 'static>(
    target: &Target,
    limit: Duration,
    bounds: &Multiplexing,
    alive: impl FnOnce() -> A,
) -> Result<Connected<B>, ConnectError>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let until = Instant::now() + limit;
    let connecting = TcpStream::connect(target.address());
    let stream = in_time(until, connecting, ConnectError::Failed).await?;
    stream.set_nodelay(true).map_err(ConnectError::Failed)?;
    let Some((name, client)) = target.tls() else {
        return match target.protocol() {
            Protocol::Http2 => {
                let connection = Multiplexed::speak(stream, false, bounds, alive()).await?;
                Ok(Connected::Http2(connection))
            }
            _ => Ok(Connected::Http1(Connection::speak(stream, alive()).await?)),
        };
    };
    let connector = TlsConnector::from(Arc::clone(client.config()));
    let handshake = connector.connect(name.clone(), stream);
    let stream = in_time(until, handshake, ConnectError::Tls).await?;
    if agreed(target.protocol(), stream.get_ref().1.alpn_protocol())? {
        let connection = Multiplexed::speak(stream, true, bounds, alive()).await?;
        return Ok(Connected::Http2(connection));
    }
    Ok(Connected::Http1(Connection::speak(stream, alive()).await?))
}

/// Connects likewise, for a request that may change to another protocol: in HTTP/1.1
/// wherever that may be chosen, where every service has such requests.
pub(super) async fn connect_alone(
    target: &Target,
    until: Instant,
) -> Result<Box<dyn Stream>, ConnectError> {
    let connecting = TcpStream::connect(target.address());
    let stream = in_time(until, connecting, ConnectError::Failed).await?;
    stream.set_nodelay(true).map_err(ConnectError::Failed)?;
    let Some((name, client)) = target.tls() else {
        return Ok(Box::new(stream));
    };
    let connector = TlsConnector::from(Arc::clone(client.config()));
    let connector = match target.protocol() {
        Protocol::Http2 => connector.with_alpn(vec![b"h2".to_vec()]),
        _ => connector.with_alpn(vec![b"http/1.1".to_vec()]),
    };
    let handshake = connector.connect(name.clone(), stream);
    let stream = in_time(until, handshake, ConnectError::Tls).await?;
    if target.protocol() == Protocol::Http2 {
        agreed(Protocol::Http2, stream.get_ref().1.alpn_protocol())?;
    }
    Ok(Box::new(stream))
}

/// Whether HTTP/2 was agreed on; an error if it had to be.
fn agreed(protocol: Protocol, alpn: Option<&[u8]>) -> Result<bool, ConnectError> {
    let http2 = alpn == Some(b"h2");
    match protocol {
        Protocol::Http2 if !http2 => {
            let error = io::Error::other("the other side has not agreed to HTTP/2");
            Err(ConnectError::Tls(error))
        }
        _ => Ok(http2),
    }
}

/// An open connection. Dropping it closes the socket whatever is under way on
/// it: nobody is left to read the rest, and a half-sent request must not go on.
pub(super) struct Connection<B> {
    sender: http1::SendRequest<B>,
    task: AbortHandle,
}

impl<B> Connection<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Speaks HTTP/1.1 on a connected stream, in a local task of its own.
    async fn speak(
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        alive: impl Sized + 'static,
    ) -> Result<Self, ConnectError> {
        let (sender, mut connection) = http1::Builder::new()
            .max_buf_size(HEAD)
            .max_header_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Handshake)?;
        let task = spawn_local(async move {
            let _alive = alive;
            // Where it is: by itself it would have room for it twice.
            if let Err(error) = (&mut connection).await {
                tracing::debug!(%error, "upstream connection broke");
            }
        });
        Ok(Self {
            sender,
            task: task.abort_handle(),
        })
    }

    /// The same for a request that may change to another protocol: what becomes
    /// of the connection then is told.
    pub(super) async fn speak_alone(
        stream: Box<dyn Stream>,
        alive: Alive,
    ) -> Result<(Self, oneshot::Receiver<Switched>), ConnectError> {
        let (sender, mut connection) = http1::Builder::new()
            .max_buf_size(HEAD)
            .max_header_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Handshake)?;
        let (tell, told) = oneshot::channel();
        let task = spawn_local(async move {
            match (&mut connection).await {
                Ok(()) => {
                    let parts = connection.into_parts();
                    let stream = parts.io.into_inner();
                    // Nobody listens where it has not changed.
                    let _ = tell.send(Switched::new(stream, parts.read_buf, alive));
                }
                Err(error) => tracing::debug!(%error, "upstream connection broke"),
            }
        });
        let task = task.abort_handle();
        Ok((Self { sender, task }, told))
    }

    /// Sends a request; at most one at a time.
    pub(super) fn send(
        &mut self,
        mut request: Request<B>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>> + use<B> {
        frame_unusual_body(&mut request);
        self.sender.try_send_request(request)
    }
}

impl<B> Connection<B> {
    /// True if the last exchange is over in both directions, the connection is
    /// open, and nothing has come on it since, as far as the event loop knows.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Closes the socket from under the sender, which still looks ready.
    #[cfg(test)]
    pub(super) fn break_off(&self) {
        self.task.abort();
    }
}

/// Of a method that has no body as a rule hyper leaves one of unknown length out,
/// without a word, unless the head says how it is framed.
fn frame_unusual_body<B: Body>(request: &mut Request<B>) {
    let unusual = matches!(*request.method(), Method::GET | Method::HEAD);
    if unusual
        && !request.body().is_end_stream()
        && request.body().size_hint().exact().is_none()
        && !request.headers().contains_key(header::CONTENT_LENGTH)
    {
        let chunked = HeaderValue::from_static("chunked");
        request
            .headers_mut()
            .insert(header::TRANSFER_ENCODING, chunked);
    }
}

async fn in_time<T>(
    until: Instant,
    step: impl Future<Output = io::Result<T>>,
    failed: impl FnOnce(io::Error) -> ConnectError,
) -> Result<T, ConnectError> {
    match timeout_at(until, step).await {
        Ok(result) => result.map_err(failed),
        Err(_elapsed) => Err(ConnectError::Timeout),
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
