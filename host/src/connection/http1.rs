//! HTTP/1.1 on a connection, up to a client that begins with HTTP/2's preface.

use std::{cell::Cell, convert::Infallible, future::poll_fn, pin::Pin, task::Poll};

use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Client,
    pulse::{Due, Speaks},
    rewound::Rewound,
    strict::Strict,
    tracked::Tracked,
};
use crate::{
    observe::Refused,
    proxy::{self, Alarm, Tunnel},
};

/// Serves a connection to its end. Gives it back, with what was read of it, if
/// it begins with the preface of HTTP/2 (RFC 9113 §3.3: prior knowledge).
pub(super) async fn serve<T>(stream: T, client: &Client) -> Option<Rewound<T>>
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
    let (stream, heads) = Strict::new(stream, pulse);
    pulse.speaks(Speaks::Http1);
    let changes: Cell<Option<Box<Tunnel>>> = Cell::new(None);
    let alarm = Alarm::default();
    let service = service_fn(|request: Request<Incoming>| {
        // Now, before the library reads on.
        let (number, fault) = heads.begin();
        let open = pulse.open();
        let (heads, changes) = (&heads, &changes);
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
    let mut connection = http1::Builder::new()
        // The pulse has an eye on that, which sees what is held back, too.
        .header_read_timeout(None)
        .max_headers(limits.request_headers)
        .max_buf_size(limits.request_head)
        .serve_connection(TokioIo::new(stream), service);
    let mut told = false;
    let mut timer = pulse.timer();
    let ended = poll_fn(|cx| {
        if !told && entered.closing() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(Some(ended));
        }
        while let Poll::Ready(due) = pulse.poll_due(cx, &mut timer) {
            // That it is old is said with its next response.
            if due != Due::Old {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await;
    let ended = ended?;
    match ended {
        Ok(()) => {
            if let Some(tunnel) = changes.take() {
                let parts = connection.into_parts();
                // Boxed, since its state would make every connection's larger.
                Box::pin(run(*tunnel, parts.io.into_inner(), &parts.read_buf)).await;
            }
            None
        }
        Err(error) if error.is_parse_version_h2() => {
            let parts = connection.into_parts();
            Some(Rewound::new(
                parts.read_buf,
                parts.io.into_inner().into_inner(),
            ))
        }
        Err(error) => {
            if error.is_parse_too_large() {
                pulse.refused(Refused::Head);
            }
            tracing::debug!(peer = %client.peer, "connection ended: {error}");
            None
        }
    }
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
