//! A request that may change to another protocol (RFC 9110 §7.8), and what its
//! connection is then: bytes both ways.

use std::{
    any::Any,
    error::Error as StdError,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Body;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{
    body::{Carrier, UpstreamBody},
    connection::{ConnectError, Connection, connect_alone},
    error::SendError,
    extended::Alone,
    framing,
    pool::{Alive, Pool},
    target::{Protocol, Target},
};

/// Any connected stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A connection to an instance that is not HTTP any more. Dropping it closes it.
pub struct Switched {
    stream: Box<dyn Stream>,
    read: Bytes,
    /// Dropped with it.
    _held: Box<dyn Any>,
}

impl Switched {
    pub(super) fn new(stream: Box<dyn Stream>, read: Bytes, held: impl Any) -> Self {
        Self {
            stream,
            read,
            _held: Box::new(held),
        }
    }

    /// Takes the bytes that came right behind the response's head.
    pub fn take_read(&mut self) -> Bytes {
        std::mem::take(&mut self.read)
    }
}

impl<B> Pool<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Sends a request whose `upgrade` header names protocols, on a connection of
    /// its own. If the response is 101, its body has the connection
    /// ([`UpstreamBody::take_switched`]); any other response is as ever, but its
    /// connection is not kept.
    ///
    /// # Errors
    ///
    /// As [`Pool::send`]; also if the response is 101 and names another protocol.
    /// Where the target is spoken to in HTTP/2 without a choice, only WebSockets are
    /// taken, and only by those who say that they take them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn switch(
        &self,
        target: &Target,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        if target.protocol() == Protocol::Http2 {
            return self.extend(target, request).await;
        }
        let (mut connection, switched) = match self.open_alone(target).await {
            Ok(opened) => opened,
            Err(error) => return Err(SendError::connect(error, request)),
        };
        let asked = request.headers().get(header::UPGRADE).cloned();
        let sent = connection.send(request).await;
        let response = sent.map_err(|error| SendError::send(error, false))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            framing::check(&response).map_err(SendError::framing)?;
            let carrier = Carrier::Own(connection);
            return Ok(response.map(|incoming| UpstreamBody::new(incoming, carrier)));
        }
        framing::check_switch(&response, asked.as_ref()).map_err(SendError::framing)?;
        match switched.await {
            Ok(switched) => Ok(response.map(|incoming| UpstreamBody::switched(incoming, switched))),
            Err(_broken) => Err(SendError::framing(framing::Fault::Upgrade)),
        }
    }

    async fn open_alone(&self, target: &Target) -> Result<Opened<B>, ConnectError> {
        let until = Instant::now() + self.shared.options.connect_timeout;
        let stream = connect_alone(target, until).await?;
        Connection::speak_alone(stream, Alive::new(&self.shared)).await
    }

    /// The same where HTTP/2 is spoken.
    async fn extend(
        &self,
        target: &Target,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        match self.open_extended(target).await {
            Ok(Some(connection)) => connection.exchange(request).await,
            Ok(None) => Err(SendError::not_taken(request)),
            Err(error) => Err(SendError::connect(error, request)),
        }
    }

    async fn open_extended(&self, target: &Target) -> Result<Option<Alone<B>>, ConnectError> {
        let options = &self.shared.options;
        let until = Instant::now() + options.connect_timeout;
        let stream = connect_alone(target, until).await?;
        let (secured, alive) = (target.tls().is_some(), Alive::new(&self.shared));
        Alone::speak(stream, secured, &options.multiplexing, alive, until).await
    }
}

/// A connection, and where it is told what becomes of it.
type Opened<B> = (Connection<B>, tokio::sync::oneshot::Receiver<Switched>);

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
