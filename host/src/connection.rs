//! One client connection: TLS where its listener speaks it, then HTTP/1.1 or
//! HTTP/2 through hyper, until it ends or drains.
//!
//! Over TLS, ALPN decides which of them (RFC 7301); without, a client that
//! begins with HTTP/2's preface gets HTTP/2.

mod entrance;
mod framing;
mod http1;
mod http2;
mod open;
mod rewound;
mod streams;
mod strict;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

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
    tls::{ServerTls, client_cert, facts, is_http2},
    worker::Worker,
};

/// One connected client.
struct Client {
    peer: SocketAddr,
    fields: ClientFields,
    worker: Rc<Worker>,
    entered: Entered,
}

/// Serves a connection in a task of its own.
pub fn spawn(
    stream: TcpStream,
    peer: SocketAddr,
    worker: &Rc<Worker>,
    open: &Open,
    entrance: &Arc<Entrance>,
) {
    let (worker, entrance) = (Rc::clone(worker), Arc::clone(entrance));
    let entered = open.enter();
    tokio::task::spawn_local(async move {
        let _metric = worker.metrics().connection();
        entered.watch().await;
        // Without it small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let tls = entrance.tls();
        let scheme = match tls {
            None => Scheme::Http,
            Some(_) => Scheme::Https,
        };
        let client = Client {
            peer,
            fields: client_fields(peer, scheme, &entrance),
            worker: Rc::clone(&worker),
            entered,
        };
        match tls {
            None => serve(stream, client).await,
            // Boxed, since the handshake's state would make every task larger.
            Some(tls) => Box::pin(secured(&tls, stream, client)).await,
        }
    });
}

fn client_fields(peer: SocketAddr, scheme: Scheme, entrance: &Entrance) -> ClientFields {
    let mut fields = ClientFields::new(peer.ip().to_canonical(), scheme);
    fields.trust(&entrance.trusted());
    if entrance.hides() {
        fields.show_certificate(None);
    }
    fields
}

/// Shakes hands, and serves what comes then.
async fn secured(tls: &ServerTls, stream: TcpStream, mut client: Client) {
    let worker = &client.worker;
    let shaken = tokio::select! {
        biased;
        shaken = handshake(tls, stream, worker.limits().handshake_timeout) => shaken,
        () = client.entered.closes() => return,
    };
    let stream = match shaken {
        Ok(stream) => stream,
        Err(error) => {
            worker.metrics().handshake_failed();
            return tracing::debug!(peer = %client.peer, "the TLS handshake failed: {error}");
        }
    };
    let session = stream.get_ref().1;
    client.fields.secured(facts(session));
    if tls.forwards() {
        client.fields.show_certificate(client_cert(session));
    }
    match is_http2(session) {
        true => http2::serve(stream, client).await,
        false => serve(stream, client).await,
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, client: Client) {
    if let Some(stream) = http1::serve(stream, &client).await {
        // Boxed, as above.
        Box::pin(http2::serve(stream, client)).await;
    }
}
