//! One connection to an instance: the socket, its task, the end that sends.
//!
//! Owns hyper's client settings. Called by the pool and by the probe.

use std::{error::Error as StdError, io, net::SocketAddr, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::{AbortHandle, spawn_local},
    time::timeout,
};

/// Bytes that a response's head may have, and about what a connection may
/// buffer in each direction. A head may have 100 fields: that is hyper's own
/// default, and setting it would allocate per response.
const HEAD: usize = 64 * 1024;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// It was refused, or there is no way.
    Failed(io::Error),
    /// It took too long.
    Timeout,
    /// hyper would not have it.
    Handshake(hyper::Error),
}

/// Connects with `TCP_NODELAY` set.
pub(super) async fn connect(
    address: SocketAddr,
    limit: Duration,
) -> Result<TcpStream, ConnectError> {
    let stream = timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_elapsed| ConnectError::Timeout)?
        .map_err(ConnectError::Failed)?;
    stream.set_nodelay(true).map_err(ConnectError::Failed)?;
    Ok(stream)
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
    /// Speaks HTTP/1.1 on a connected socket, in a local task of its own.
    /// `alive` is dropped when the socket is closed.
    ///
    /// # Panics
    ///
    /// Outside a `LocalSet`.
    pub(super) async fn open(
        stream: TcpStream,
        alive: impl Sized + 'static,
    ) -> Result<Self, ConnectError> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD)
            .max_header_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Handshake)?;
        let task = spawn_local(async move {
            let _alive = alive;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "upstream connection broke");
            }
        });
        Ok(Self {
            sender,
            task: task.abort_handle(),
        })
    }

    /// Sends a request; at most one at a time.
    pub(super) fn send(
        &mut self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>> + use<B> {
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

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
