//! Binds addresses and accepts connections.
//!
//! Every worker has a socket of its own on each address (`SO_REUSEPORT`), so
//! that the kernel spreads connections and no worker hands one to another.
//! Accepting never fails for good and never waits for a client.

use std::{io, net::SocketAddr, rc::Rc, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::{connection, worker::Worker};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Binds one address once per worker. Port 0 becomes the same free port for all.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let first = bind_one(address)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..workers {
        sockets.push(bind_one(address)?);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until the gateway drains; what waits in the backlog then is still
/// served.
pub async fn accept(
    socket: std::net::TcpListener,
    worker: Rc<Worker>,
    connections: connection::Open,
) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot listen: {error}"),
    };
    let mut draining = worker.draining();
    loop {
        tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connection::spawn(stream, peer, &worker, &connections),
                Err(error) => back_off(&error).await,
            },
        }
    }
    let Ok(listener) = listener.into_std() else {
        return;
    };
    while let Ok((stream, peer)) = listener.accept() {
        if let Ok(stream) = nonblocking(stream) {
            connection::spawn(stream, peer, &worker, &connections);
        }
    }
}

fn nonblocking(stream: std::net::TcpStream) -> io::Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(stream)
}

/// A connection that its client gave up while it waited is no reason to
/// pause. Anything else, above all a lack of descriptors, is: accepting at
/// once would fail again at once.
async fn back_off(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    ) {
        return;
    }
    tracing::warn!("cannot accept a connection, trying again in 50 ms: {error}");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
