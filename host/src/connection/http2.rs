//! HTTP/2 on a connection: bounded streams, and an end for those that idle.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
};

use http::{Method, Request, Response};
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::http2,
    service::service_fn,
    upgrade::{self, OnUpgrade},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_local,
};

use super::{
    Client,
    flood::Counted,
    heads::Heads,
    pulse::{Due, OpenRequest, Pulse, Speaks},
    stall::{Given, Stall},
    tracked::{self, Tracked},
};
use crate::{
    config::Limits,
    observe::Refused,
    proxy::{self, Alarm, Tunnel},
};

/// Streams are tasks of the worker's own, which end with their clients' patience
/// or ours.
#[derive(Clone)]
struct Local {
    pulse: Rc<Pulse>,
    /// That of the stream which the library is about to start a task for: it does
    /// so right after it has called the service.
    newest: Rc<RefCell<Option<Rc<Given>>>>,
}

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, stream: F) {
        let given = self.newest.take().unwrap_or_default();
        let mut stall = Stall::new(given, Rc::clone(&self.pulse));
        // In a box, since a task has room for what it is given and for what it makes of it.
        let mut stream = Box::pin(stream);
        spawn_local(async move {
            // Dropping the library's part of a stream resets it.
            poll_fn(|cx| match stream.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => stall.poll(cx),
            })
            .await;
        });
    }
}

/// Serves a connection to its end: until the client closes it, until it has
/// been without a request for too long, or until the gateway drains.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, client: Client) {
    let client = Rc::new(client);
    let pulse = Rc::clone(&client.pulse);
    pulse.speaks(Speaks::Http2);
    let local = Local {
        pulse: Rc::clone(&pulse),
        newest: Rc::default(),
    };
    let newest = Rc::clone(&local.newest);
    let service = {
        let client = Rc::clone(&client);
        let heads = Heads::new(pulse.limits().http2.heads);
        service_fn(move |request: Request<Incoming>| {
            let head = heads.open(request.headers());
            let fits = head.is_some();
            let given = Rc::new(Given::new(head.unwrap_or_default()));
            newest.replace(Some(Rc::clone(&given)));
            let client = Rc::clone(&client);
            // In a box, which goes when there is a response: as long as that waits for
            // its client, the library keeps the room that all of this had.
            Box::pin(async move {
                match fits {
                    true => Ok(answer(client, given, request).await),
                    false => Err(refuse(&client)),
                }
            })
        })
    };
    let stream = Counted::new(stream, &pulse);
    let turn = stream.turn();
    let stream = TokioIo::new(stream);
    let mut builder = builder(pulse.limits(), local);
    if client.worker.local().snapshot.has_upgrades() {
        // Else a client would rather try a connection of HTTP/1.1 (RFC 8441 §3).
        builder.enable_connect_protocol();
    }
    let connection = builder.serve_connection(stream, service);
    let mut connection = pin!(connection);
    let mut timer = pulse.timer();
    let ended = poll_fn(|cx| {
        turn.begin();
        loop {
            if client.entered.draining() || pulse.is_last() {
                pulse.tell(|| connection.as_mut().graceful_shutdown());
            }
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            // A request may have been the last that there is to be.
            if pulse.is_last() && !pulse.is_told() {
                continue;
            }
            match ready!(pulse.poll_due(cx, &mut timer)) {
                Due::Old | Due::Rest => {}
                Due::Idle if !pulse.is_told() => {
                    pulse.tell(|| connection.as_mut().graceful_shutdown());
                }
                // Told once already, and still there: it does not listen.
                Due::Idle | Due::Late(_) => return Poll::Ready(None),
            }
        }
    })
    .await;
    if let Some(Err(error)) = ended {
        if is_too_much(&error) {
            pulse.refused(Refused::Resets);
        }
        tracing::debug!(peer = %client.peer, "connection ended: {error}");
    }
}

/// True if the library has ended a connection since there was too much of
/// something, which is: of streams that are reset.
fn is_too_much(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(|error| {
        error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}

fn builder(limits: &Limits, local: Local) -> http2::Builder<Local> {
    let http2 = &limits.http2;
    let head = u32::try_from(limits.request_head).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(local);
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
    given: Rc<Given>,
    mut request: Request<Incoming>,
) -> Response<Tracked> {
    let open = client.pulse.open();
    let changes = match *request.method() == Method::CONNECT {
        true => Some(upgrade::on(&mut request)),
        false => None,
    };
    let alarm = Alarm::default();
    let mut response = proxy::serve(&client.worker, &client.fields, &alarm, request).await;
    if let Some(changes) = changes
        && let Some(tunnel) = response.body_mut().take_tunnel()
    {
        let open = client.pulse.open();
        spawn_local(run(client, changes, *tunnel, open));
    }
    given.head();
    response.map(|body| Tracked::new(body, open, Some(given)))
}

/// Takes no notice of a request, which its client may send again (RFC 9113 §8.7).
fn refuse(client: &Client) -> h2::Error {
    client.pulse.refused(Refused::Head);
    h2::Reason::REFUSED_STREAM.into()
}

/// Serves what is HTTP no longer, to its end.
async fn run(client: Rc<Client>, changes: OnUpgrade, tunnel: Tunnel, open: OpenRequest) {
    match changes.await {
        Ok(stream) => {
            let stream = tracked::stream(TokioIo::new(stream), open);
            tunnel.run(stream, &[]).await;
        }
        Err(error) => tracing::debug!(peer = %client.peer, "a stream ended: {error}"),
    }
}
