//! One client connection: whom it is for, TLS where its listener speaks it, then HTTP/1.1 or
//! HTTP/2 through hyper, until it ends or drains.
//!
//! Over TLS, ALPN decides which of them (RFC 7301); without, a client that
//! begins with HTTP/2's preface gets HTTP/2.

mod entrance;
mod flood;
mod framing;
mod gate;
mod heads;
mod hpack;
mod http1;
mod http2;
mod open;
mod pulse;
mod rewound;
mod sender;
mod stall;
mod strict;
mod tracked;
mod watched;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;

pub use entrance::Entrance;
pub use open::Open;

use entrance::handshake;
use gate::ClientSeat;
use open::Entered;
use pulse::Pulse;
use sender::{SenderError, sender};
use watched::Watched;

use crate::{
    exchange::Scheme,
    forwarding::ClientFields,
    observe::Refused,
    tls::{ServerTls, client_cert, facts, is_http2},
    worker::Worker,
};

/// One connected client.
struct Client {
    peer: SocketAddr,
    fields: ClientFields,
    worker: Rc<Worker>,
    entered: Entered,
    pulse: Rc<Pulse>,
}

/// Serves a connection in a task of its own, unless there are too many.
pub fn spawn(
    stream: TcpStream,
    peer: SocketAddr,
    worker: &Rc<Worker>,
    open: &Open,
    entrance: &Arc<Entrance>,
) {
    let Some(seat) = entrance.gate().enter() else {
        // Closed, and no word: who has no room for it has none for an answer.
        return worker.metrics().refused(Refused::Connections);
    };
    let (worker, entrance) = (Rc::clone(worker), Arc::clone(entrance));
    let entered = open.enter();
    tokio::task::spawn_local(async move {
        let _seat = seat;
        let _metric = worker.metrics().connection();
        entered.watch().await;
        // Without it small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        if let Some((stream, peer)) = behind(stream, peer, &worker, &entrance, &entered).await {
            welcome(stream, peer, worker, entered, &entrance).await;
        }
    });
}

/// Learns for whom a connection is, where its listener's clients say so. None if
/// they do not.
async fn behind(
    mut stream: TcpStream,
    peer: SocketAddr,
    worker: &Worker,
    entrance: &Entrance,
    entered: &Entered,
) -> Option<(TcpStream, SocketAddr)> {
    let Some(senders) = entrance.senders() else {
        return Some((stream, peer));
    };
    let told = async {
        match senders.contains(peer.ip()) {
            true => sender(&mut stream).await,
            false => Err(SenderError::Stranger),
        }
    };
    let told = tokio::select! {
        biased;
        told = timeout(worker.limits().handshake_timeout, told) => told,
        () = entered.closes() => return None,
    };
    match told.unwrap_or(Err(SenderError::Timeout)) {
        Ok(behind) => Some((stream, behind.unwrap_or(peer))),
        Err(error) => {
            worker.metrics().refused(Refused::ProxyProtocol);
            tracing::debug!(%peer, "whom the connection is for is not known: {error}");
            None
        }
    }
}

/// Serves a client, unless it has too many connections.
async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    worker: Rc<Worker>,
    entered: Entered,
    entrance: &Entrance,
) {
    let seat = match client_seat(peer, entrance) {
        Ok(seat) => seat,
        Err(why) => return worker.metrics().refused(why),
    };
    let tls = entrance.tls();
    let scheme = match tls {
        None => Scheme::Http,
        Some(_) => Scheme::Https,
    };
    let client = Client {
        peer,
        fields: client_fields(peer, scheme, entrance),
        pulse: Pulse::new(&worker, seat),
        worker,
        entered,
    };
    match tls {
        None => {
            let stream = Watched::new(stream, &client.pulse);
            serve(stream, client).await;
        }
        // Boxed, since its state would make every task larger. That of the handshake
        // goes with its box.
        Some(tls) => {
            let shaken = Box::pin(shake_hands(&tls, stream, client)).await;
            if let Some((stream, client)) = shaken {
                Box::pin(secured(stream, client)).await;
            }
        }
    }
}

/// The client's seat. A proxy that is trusted needs none: it has the connections
/// of many.
fn client_seat(peer: SocketAddr, entrance: &Entrance) -> Result<Option<ClientSeat>, Refused> {
    match entrance.trusted().contains(peer.ip()) {
        true => Ok(None),
        false => entrance.gate().enter_of(peer.ip()).map(Some),
    }
}

fn client_fields(peer: SocketAddr, scheme: Scheme, entrance: &Entrance) -> ClientFields {
    let mut fields = ClientFields::new(peer.ip().to_canonical(), scheme);
    fields.trust(&entrance.trusted());
    if entrance.hides() {
        fields.show_certificate(None);
    }
    fields
}

/// Shakes hands, and learns who the client is. None if that fails.
async fn shake_hands(
    tls: &ServerTls,
    stream: TcpStream,
    mut client: Client,
) -> Option<(Box<TlsStream<TcpStream>>, Client)> {
    let worker = &client.worker;
    let shaken = tokio::select! {
        biased;
        shaken = handshake(tls, stream, worker.limits().handshake_timeout) => shaken,
        () = client.entered.closes() => return None,
    };
    let stream = match shaken {
        // In a box, since it is large, and handed on from stage to stage.
        Ok(stream) => Box::new(stream),
        Err(error) => {
            worker.metrics().handshake_failed();
            tracing::debug!(peer = %client.peer, "the TLS handshake failed: {error}");
            return None;
        }
    };
    let session = stream.get_ref().1;
    client.fields.secured(facts(session));
    if tls.forwards() {
        client.fields.show_certificate(client_cert(session));
    }
    Some((stream, client))
}

/// Serves what comes behind a handshake.
async fn secured(stream: Box<TlsStream<TcpStream>>, client: Client) {
    let http2 = is_http2(stream.get_ref().1);
    let stream = Watched::new(stream, &client.pulse);
    match http2 {
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
