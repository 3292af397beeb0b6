//! HTTP/1.1 on a connection, up to a client that begins with HTTP/2's preface.

use std::{
    cell::Cell,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, header};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, Parts},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Sleep,
};

use super::{
    Client,
    pulse::{Due, Pulse, Speaks},
    rewound::Rewound,
    strict::{Heads, Strict},
    tracked::Tracked,
};
use crate::{
    observe::Refused,
    proxy::{self, Alarm, Tunnel},
};

/// The fields that a head may have by the library's own default, which takes it less
/// work than any other number.
const USUAL_HEADERS: usize = 100;

/// Serves a connection to its end. Gives it back, with what was read of it, if
/// it begins with the preface of HTTP/2 (RFC 9113 §3.3: prior knowledge).
///
/// The library is there while there are requests: who is silent costs neither its
/// buffers nor the room for a request.
pub(super) async fn serve<T>(stream: T, client: &Client) -> Option<Rewound<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let pulse = &client.pulse;
    let (mut stream, heads) = Strict::new(stream, pulse);
    pulse.speaks(Speaks::Http1);
    let mut timer = pulse.timer();
    while begins(&mut stream, client, &mut timer).await {
        if stream.is_http2() {
            return Some(stream.into_rewound());
        }
        // Boxed, so that who is silent has no room for it.
        stream = Box::pin(converse(stream, &heads, client, &mut timer)).await?;
    }
    // That nothing more comes is said where TLS has a word for it. Nobody is waited for.
    poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_shutdown(cx).is_ready())).await;
    None
}

/// Waits until a request has begun; false if there will be none.
async fn begins<T>(stream: &mut Strict<T>, client: &Client, timer: &mut Pin<Box<Sleep>>) -> bool
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Client { entered, pulse, .. } = client;
    pulse.rests();
    let begun = poll_fn(|cx| {
        if entered.closing() {
            return Poll::Ready(false);
        }
        if let Poll::Ready(begun) = stream.poll_begun(cx) {
            return Poll::Ready(begun.is_ok() && !stream.is_empty());
        }
        poll_late(pulse, cx, timer).map(|()| false)
    })
    .await;
    pulse.works(timer);
    begun
}

/// Ready when the client has let wait for too long. That the connection is old is
/// said with its next response.
fn poll_late(pulse: &Pulse, cx: &mut Context<'_>, timer: &mut Pin<Box<Sleep>>) -> Poll<()> {
    while ready!(pulse.poll_due(cx, timer)) == Due::Old {}
    Poll::Ready(())
}

/// Serves requests until the connection is without one for a while, which gives it
/// back, or ends.
async fn converse<T>(
    stream: Strict<T>,
    heads: &Heads,
    client: &Client,
    timer: &mut Pin<Box<Sleep>>,
) -> Option<Strict<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Client {
        fields,
        worker,
        entered,
        pulse,
        ..
    } = client;
    let limits = worker.limits();
    let changes: Cell<Option<Box<Tunnel>>> = Cell::new(None);
    let alarm = Alarm::default();
    let service = service_fn(|request: Request<Incoming>| {
        // Now, before the library reads on.
        let (number, fault) = heads.begin();
        let open = pulse.open();
        let changes = &changes;
        let serving = match fault {
            None => Ok(proxy::serve(worker, fields, &alarm, request)),
            Some(why) => Err(why),
        };
        async move {
            let mut response = match serving {
                Ok(serving) => serving.await,
                Err(why) => proxy::refuse(worker, why),
            };
            let tunnel = response.body_mut().take_tunnel();
            match tunnel {
                Some(tunnel) => changes.set(Some(tunnel)),
                None => {
                    heads.goes_on(number);
                    if entered.draining() || pulse.is_last() {
                        let close = HeaderValue::from_static("close");
                        response.headers_mut().insert(header::CONNECTION, close);
                    }
                }
            }
            Ok::<_, Infallible>(response.map(|body| Tracked::new(body, open, None)))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        // The pulse has an eye on that, which sees what is held back, too.
        .header_read_timeout(None)
        .max_buf_size(limits.request_head);
    if limits.request_headers != USUAL_HEADERS {
        builder.max_headers(limits.request_headers);
    }
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && entered.closing() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(Then::Ended(ended));
        }
        while let Poll::Ready(due) = pulse.poll_due(cx, timer) {
            match due {
                // That it is old is said with its next response.
                Due::Old => {}
                Due::Rest => return Poll::Ready(Then::Rests),
                Due::Idle | Due::Late(_) => return Poll::Ready(Then::Late),
            }
        }
        Poll::Pending
    })
    .await;
    let error = match ended {
        Then::Late => return None,
        Then::Rests => return Some(taken_back(connection.into_parts())),
        Then::Ended(Ok(())) => {
            if let Some(tunnel) = changes.take() {
                let parts = connection.into_parts();
                // Boxed, since its state would make every connection's larger.
                Box::pin(run(*tunnel, parts.io.into_inner(), &parts.read_buf)).await;
            }
            return None;
        }
        Then::Ended(Err(error)) => error,
    };
    if error.is_parse_version_h2() {
        return Some(taken_back(connection.into_parts()));
    }
    if error.is_parse_too_large() {
        pulse.refused(Refused::Head);
    }
    tracing::debug!(peer = %client.peer, "connection ended: {error}");
    None
}

/// Why the library is done with a connection, or we are.
enum Then {
    Ended(hyper::Result<()>),
    Rests,
    Late,
}

/// The connection, with what the library had of it.
fn taken_back<T, S>(parts: Parts<TokioIo<Strict<T>>, S>) -> Strict<T> {
    let mut stream = parts.io.into_inner();
    stream.take_back(&parts.read_buf);
    stream
}

/// Serves what is HTTP no longer, to its end.
async fn run<T>(tunnel: Tunnel, stream: Strict<T>, read: &[u8])
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    if let Some((client, behind)) = stream.into_other() {
        tunnel.run(client, &[read, &behind].concat()).await;
    }
}
