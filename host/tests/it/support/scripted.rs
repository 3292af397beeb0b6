//! An upstream that does to each connection exactly what a test says.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::Wire;

/// A listening socket whose connections run a script. Dropping it closes the
/// socket; a script ends by itself.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    stop: AtomicBool,
}

impl Scripted {
    /// One that says more than anybody takes.
    pub(crate) fn long() -> Self {
        Self::start(|mut wire| {
            wire.head();
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
            while wire.try_send([b'x'; 1 << 16]) {}
        })
    }

    /// Starts one. The script is run once for each connection, in a thread of
    /// its own.
    pub(crate) fn start(script: impl Fn(Wire) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address to listen on");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let (script, seen) = (Arc::new(script), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.stop.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.expect("a connection");
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || script(Wire::of(stream)));
            }
        });
        Self { address, shared }
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}
