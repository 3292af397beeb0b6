//! One client connection: TLS where its listener speaks it, then HTTP/1.1
//! through hyper, until it ends or drains.

mod entrance;
mod open;

use std::{convert::Infallible, future::poll_fn, net::SocketAddr, pin::pin, rc::Rc, sync::Arc};

use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

pub use entrance::Entrance;
pub use open::Open;

use entrance::handshake;
use open::Entered;

use crate::{
    exchange::Scheme,
    forwarding::ClientFields,
    proxy,
    tls::{ServerTls, client_cert, facts},
    worker::Worker,
};

/// Serves a connection in a task of its own.
pub fn spawn(
    stream: TcpStream,
    peer: SocketAddr,
    worker: &Rc<Worker>,
    open: &Open,
    entrance: &Arc<Entrance>,
) {
    let entered = open.enter();
    let (worker, entrance) = (Rc::clone(worker), Arc::clone(entrance));
    tokio::task::spawn_local(async move {
        let _metric = worker.metrics().connection();
        entered.watch().await;
        // Without it small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        match entrance.tls() {
            None => {
                let client = client_fields(peer, Scheme::Http, &entrance);
                serve(stream, peer, client, &worker, &entered).await;
            }
            // Boxed, since the handshake's state would make every task larger.
            Some(tls) => Box::pin(secured(&tls, stream, peer, &worker, &entered, &entrance)).await,
        }
    });
}

/// Shakes hands, and serves what comes then.
async fn secured(
    tls: &ServerTls,
    stream: TcpStream,
    peer: SocketAddr,
    worker: &Worker,
    entered: &Entered,
    entrance: &Entrance,
) {
    let shaken = tokio::select! {
        biased;
        shaken = handshake(tls, stream, worker.limits().handshake_timeout) => shaken,
        () = entered.closes() => return,
    };
    let stream = match shaken {
        Ok(stream) => stream,
        Err(error) => {
            worker.metrics().handshake_failed();
            return tracing::debug!(%peer, "the TLS handshake failed: {error}");
        }
    };
    let session = stream.get_ref().1;
    let mut client = client_fields(peer, Scheme::Https, entrance);
    client.secured(facts(session));
    if tls.forwards() {
        client.show_certificate(client_cert(session));
    }
    serve(stream, peer, client, worker, entered).await;
}

fn client_fields(peer: SocketAddr, scheme: Scheme, entrance: &Entrance) -> ClientFields {
    let mut client = ClientFields::new(peer.ip().to_canonical(), scheme);
    if entrance.hides() {
        client.show_certificate(None);
    }
    client
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    client: ClientFields,
    worker: &Worker,
    entered: &Entered,
) {
    let service = service_fn(|request: Request<Incoming>| async {
        let mut response = proxy::serve(worker, &client, request).await;
        if entered.draining() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok::<_, Infallible>(response)
    });
    let limits = worker.limits();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.request_headers)
        .max_buf_size(limits.request_head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && entered.closing() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%peer, "connection ended: {error}");
    }
}
