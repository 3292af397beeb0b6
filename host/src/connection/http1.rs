//! HTTP/1.1 on a connection, up to a client that begins with HTTP/2's preface.

use std::{convert::Infallible, future::poll_fn, pin::Pin};

use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Client, rewound::Rewound, strict::Strict};
use crate::proxy;

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
        ..
    } = client;
    let limits = worker.limits();
    let (stream, faults) = Strict::new(stream, limits.request_head);
    let service = service_fn(|request: Request<Incoming>| {
        // Now, before the library reads on.
        let fault = faults.take();
        async move {
            let mut response = match fault {
                None => proxy::serve(worker, fields, request).await,
                Some(why) => proxy::refuse(worker, why),
            };
            if entered.draining() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.request_headers)
        .max_buf_size(limits.request_head)
        .serve_connection(TokioIo::new(stream), service);
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && entered.closing() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await;
    match ended {
        Ok(()) => None,
        Err(error) if error.is_parse_version_h2() => {
            let parts = connection.into_parts();
            Some(Rewound::new(
                parts.read_buf,
                parts.io.into_inner().into_inner(),
            ))
        }
        Err(error) => {
            tracing::debug!(peer = %client.peer, "connection ended: {error}");
            None
        }
    }
}
