//! Binds addresses and accepts connections.
//!
//! Every worker has a socket of its own on each address (`SO_REUSEPORT`), so
//! that the kernel spreads connections and no worker hands one to another.
//! Accepting never fails for good and never waits for a client.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::{connection, worker::Worker};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Binds one address once per worker. Port 0 becomes the same free port for all.
///
/// # Errors
/// As `bind(2)` and `listen(2)`; also where another gateway listens already:
/// sharing a port is between the workers of one process.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let first = unbound(address)?;
    // Shared only once it is bound, so that it is refused where anybody else
    // listens, also somebody who shares.
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let mut sockets = vec![listening(first)?];
    for _ in 1..workers {
        let socket = unbound(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        sockets.push(listening(socket)?);
    }
    Ok(sockets)
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn listening(socket: Socket) -> io::Result<std::net::TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until the gateway drains; what waits in the backlog then is still
/// served.
pub async fn accept(
    socket: std::net::TcpListener,
    worker: Rc<Worker>,
    connections: connection::Open,
    entrance: Arc<connection::Entrance>,
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
                Ok((stream, peer)) => {
                    connection::spawn(stream, peer, &worker, &connections, &entrance);
                }
                Err(error) => back_off(&error).await,
            },
        }
    }
    let Ok(listener) = listener.into_std() else {
        return;
    };
    while let Ok((stream, peer)) = listener.accept() {
        if let Ok(stream) = nonblocking(stream) {
            connection::spawn(stream, peer, &worker, &connections, &entrance);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_port_and_gateways_do_not() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let any = any.parse().expect("an address");
            let sockets = bind(any, 3).expect("bound");
            let addresses: Vec<_> = (sockets.iter())
                .map(|socket| socket.local_addr().expect("bound"))
                .collect();
            assert_ne!(addresses[0].port(), 0);
            assert!(addresses.iter().all(|address| *address == addresses[0]));
            let second = bind(addresses[0], 3).expect_err("taken");
            assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
            drop(sockets);
            bind(addresses[0], 3).expect("free again");
        }
    }

    #[test]
    fn connections_reach_every_worker() {
        let sockets = bind("127.0.0.1:0".parse().expect("an address"), 2).expect("bound");
        let address = sockets[0].local_addr().expect("bound");
        let clients: Vec<_> = (0..64)
            .map(|_| std::net::TcpStream::connect(address).expect("connected"))
            .collect();
        let accepted: Vec<_> = (sockets.iter())
            .map(|socket| std::iter::from_fn(|| socket.accept().ok()).count())
            .collect();
        assert_eq!(accepted.iter().sum::<usize>(), clients.len());
        assert!(accepted.iter().all(|&count| count > 0), "{accepted:?}");
    }
}
