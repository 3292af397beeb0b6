//! HTTP/2 on a connection: bounded streams, and an end for those that idle.

use std::{convert::Infallible, future::poll_fn, pin::pin, rc::Rc, task::Poll};

use http::{Request, Response};
use hyper::{body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_local,
    time::{Instant, sleep_until},
};

use super::{
    Client,
    streams::{Streams, Tracked},
};
use crate::{config::Limits, proxy};

/// Streams are tasks of the worker's own.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, stream: F) {
        spawn_local(async move {
            stream.await;
        });
    }
}

/// Serves a connection to its end: until the client closes it, until it has
/// been without a request for too long, or until the gateway drains.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, client: Client) {
    let client = Rc::new(client);
    let streams = Rc::new(Streams::new(Instant::now()));
    let service = {
        let (client, streams) = (Rc::clone(&client), Rc::clone(&streams));
        service_fn(move |request| answer(Rc::clone(&client), Rc::clone(&streams), request))
    };
    let limits = client.worker.limits();
    let idle_timeout = limits.http2.idle_timeout;
    let connection = builder(limits).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut idle = pin!(sleep_until(Instant::now() + idle_timeout));
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && client.entered.draining() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        while idle.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let until = streams.idle_since().unwrap_or(now) + idle_timeout;
            if until > now {
                idle.as_mut().reset(until);
                continue;
            }
            // Told once already, and still there: it does not listen.
            if std::mem::replace(&mut told, true) {
                return Poll::Ready(None);
            }
            connection.as_mut().graceful_shutdown();
            idle.as_mut().reset(now + limits.http2.ping_timeout);
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
        }
        Poll::Pending
    })
    .await;
    if let Some(Err(error)) = ended {
        tracing::debug!(peer = %client.peer, "connection ended: {error}");
    }
}

fn builder(limits: &Limits) -> http2::Builder<Local> {
    let http2 = &limits.http2;
    let head = u32::try_from(limits.request_head).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(http2.streams)
        .initial_stream_window_size(http2.stream_window)
        .initial_connection_window_size(http2.connection_window)
        .max_send_buf_size(http2.send_buffer)
        .max_header_list_size(head)
        .max_pending_accept_reset_streams(http2.resets)
        .max_local_error_reset_streams(http2.resets)
        .keep_alive_interval(http2.ping_interval)
        .keep_alive_timeout(http2.ping_timeout);
    builder
}

async fn answer(
    client: Rc<Client>,
    streams: Rc<Streams>,
    request: Request<Incoming>,
) -> Result<Response<Tracked>, Infallible> {
    let open = streams.open();
    let response = proxy::serve(&client.worker, &client.fields, request).await;
    Ok(response.map(|body| Tracked::new(body, open)))
}
