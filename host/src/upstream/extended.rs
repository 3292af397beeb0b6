//! A WebSocket where HTTP/2 is spoken: by an extended CONNECT (RFC 8441), which reads
//! to the caller as the change of protocol that it would be over HTTP/1.1.
//!
//! Its connection carries it alone: streams share their connection's window
//! (RFC 9113 §5.2), so that a client who does not read would stop everybody else's.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use hyper::{body::Incoming, client::conn::http2, ext::Protocol, upgrade};
use hyper_util::rt::TokioIo;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::{
    sync::oneshot,
    task::spawn_local,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::io::InspectReader;

use super::{
    body::{Carrier, UpstreamBody},
    connection::ConnectError,
    error::SendError,
    framing::{self, Fault},
    multiplexed::{self, Multiplexing},
    pool::Alive,
    switch::{Stream, Switched},
};

const WEBSOCKET: &str = "websocket";

/// What the key of a WebSocket's handshake is hashed with (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long a connection may take to hand on the end of its tunnel.
const FAREWELL: Duration = Duration::from_secs(5);

/// What proves that a WebSocket's handshake was understood (RFC 6455 §4.2.2).
pub fn websocket_accept(key: &[u8]) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID.as_bytes()].concat());
    STANDARD.encode(hash)
}

/// A connection for one request. When it is dropped the connection ends, as soon as
/// what was given to it is sent.
pub(super) struct Alone<B> {
    sender: http2::SendRequest<B>,
    secured: bool,
    _open: oneshot::Sender<Infallible>,
}

impl<B> Alone<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Speaks HTTP/2 on a connected stream. None if the other side takes no extended
    /// CONNECT, which it says in its settings (RFC 8441 §3).
    pub(super) async fn speak(
        stream: Box<dyn Stream>,
        secured: bool,
        bounds: &Multiplexing,
        alive: Alive,
        until: Instant,
    ) -> Result<Option<Self>, ConnectError> {
        let (greet, greeted) = oneshot::channel();
        let mut greeting = Greeting::new(greet);
        let stream = InspectReader::new(stream, move |bytes: &[u8]| greeting.came(bytes));
        let (sender, connection) = multiplexed::builder(bounds)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Handshake)?;
        let (tell, told) = oneshot::channel();
        let (open, closed) = oneshot::channel::<Infallible>();
        spawn_local(async move {
            let _alive = alive;
            let mut connection = pin!(connection);
            let mut greeting = Some((greeted, tell));
            let mut serving = pin!(poll_fn(|cx| {
                let came = greeting
                    .as_mut()
                    .map(|(greeted, _)| Pin::new(greeted).poll(cx));
                if let Some(Poll::Ready(greeted)) = came
                    && let Some((_, tell)) = greeting.take()
                    && greeted.is_ok()
                {
                    // Nobody listens who does not wait any more.
                    let _ = tell.send(connection.is_extended_connect_protocol_enabled());
                }
                connection.as_mut().poll(cx)
            }));
            let ended = tokio::select! {
                ended = &mut serving => Some(ended),
                _ = closed => timeout(FAREWELL, serving).await.ok(),
            };
            if let Some(Err(error)) = ended {
                tracing::debug!(%error, "upstream connection broke");
            }
        });
        let takes = match timeout_at(until, told).await {
            Ok(Ok(takes)) => takes,
            Ok(Err(_gone)) => {
                let error = io::Error::other("the other side has closed before its settings");
                return Err(ConnectError::Failed(error));
            }
            Err(_elapsed) => return Err(ConnectError::Timeout),
        };
        Ok(takes.then_some(Self {
            sender,
            secured,
            _open: open,
        }))
    }

    /// Sends a request whose `upgrade` names WebSocket. A response that takes it is
    /// 101 with the connection in its body, as from [`Pool::switch`](super::Pool::switch).
    pub(super) async fn exchange(
        mut self,
        mut request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        let key = request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
        // Without it nobody could prove to the client that it was understood.
        let (true, Some(key)) = (is_websocket(request.headers()), key) else {
            return Err(SendError::not_taken(request));
        };
        ask(&mut request, self.secured);
        let sent = self.sender.try_send_request(request).await;
        let mut response = sent.map_err(|error| SendError::send(error, false))?;
        framing::check(&response).map_err(SendError::framing)?;
        framing::check_count(&response, multiplexed::FIELDS).map_err(SendError::framing)?;
        if !response.status().is_success() {
            let carrier = Carrier::Alone(self);
            return Ok(response.map(|incoming| UpstreamBody::new(incoming, carrier)));
        }
        let fault = |_| SendError::framing(Fault::Upgrade);
        let stream = upgrade::on(&mut response).await.map_err(fault)?;
        say(&mut response, &key);
        let stream = Box::new(TokioIo::new(stream));
        let switched = Switched::new(stream, Bytes::new(), self);
        Ok(response.map(|incoming| UpstreamBody::switched(incoming, switched)))
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let names = headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    let mut names = names.unwrap_or_default().split(|byte| *byte == b',');
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// Makes the request an extended CONNECT.
fn ask<B>(request: &mut Request<B>, secured: bool) {
    for name in [header::CONNECTION, header::UPGRADE] {
        request.headers_mut().remove(name);
    }
    multiplexed::prepare(request, secured);
    request.headers_mut().remove(header::TE);
    *request.method_mut() = Method::CONNECT;
    let protocol = Protocol::from_static(WEBSOCKET);
    request.extensions_mut().insert(protocol);
}

/// Makes the response what it would be over HTTP/1.1.
fn say(response: &mut Response<Incoming>, key: &HeaderValue) {
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
    let accept = HeaderValue::from_str(&websocket_accept(key.as_bytes()));
    let accept = accept.expect("invariant: base64 is a header value");
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
}

/// Tells when the first frame of a connection has come, which is that of the settings
/// (RFC 9113 §3.4): the library says what is in them, and not that they came.
///
/// Whoever is told is another task of the same thread, and so finds them taken: they
/// are, by whoever reads them here, before it lets others go on.
struct Greeting {
    /// The length of the frame, byte by byte.
    length: Vec<u8>,
    /// Bytes before its end, once that is known.
    left: usize,
    tell: Option<oneshot::Sender<()>>,
}

/// The bytes of a frame's length, and those behind it before its payload.
const LENGTH: usize = 3;
const REST_OF_HEAD: usize = 6;

impl Greeting {
    fn new(tell: oneshot::Sender<()>) -> Self {
        Self {
            length: Vec::with_capacity(LENGTH),
            left: REST_OF_HEAD,
            tell: Some(tell),
        }
    }

    /// These bytes came.
    fn came(&mut self, bytes: &[u8]) {
        if self.tell.is_none() {
            return;
        }
        let of_length = bytes.len().min(LENGTH - self.length.len());
        let (length, rest) = bytes.split_at(of_length);
        if !length.is_empty() {
            self.length.extend(length);
            let [a, b, c] = self.length[..] else {
                return;
            };
            self.left += u32::from_be_bytes([0, a, b, c]) as usize;
        }
        self.left = self.left.saturating_sub(rest.len());
        if self.left == 0
            && let Some(tell) = self.tell.take()
        {
            // Nobody listens who does not wait any more.
            let _ = tell.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 §1.3.
    #[test]
    fn a_handshake_is_proved() {
        assert_eq!(
            websocket_accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn a_greeting_has_come_with_its_last_byte() {
        for length in [0_u8, 6] {
            let frame = [
                &[0, 0, length, 4, 0, 0, 0, 0, 0][..],
                &vec![0; length.into()],
            ]
            .concat();
            for cut in 1..=frame.len() {
                let (greet, mut greeted) = oneshot::channel();
                let mut greeting = Greeting::new(greet);
                let (last, before) = frame.split_last().expect("a frame");
                for part in before.chunks(cut) {
                    greeting.came(part);
                    assert!(greeted.try_recv().is_err(), "{length}, {cut}");
                }
                greeting.came(&[*last]);
                assert!(greeted.try_recv().is_ok(), "{length}, {cut}");
            }
        }
    }
}
