//! Clients that flood, each from an address of its own, and come again whenever
//! they are thrown out.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

/// Clients that flood at the same time.
pub(crate) const FLOODERS: u8 = 4;
/// How long each waits until it comes again: what is measured is the gateway, and
/// not how fast this process takes its processors away.
pub(crate) const AGAIN: Duration = Duration::from_millis(20);

/// What they sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) connections: u64,
    pub(crate) bytes: u64,
    /// Of the connections, those that the gateway has closed at once.
    pub(crate) turned_away: f64,
}

/// Clients that flood until they are stopped.
pub(crate) struct Flooders {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Sent>>,
}

impl Flooders {
    /// Has them send these bytes again and again.
    pub(crate) fn start(port: u16, bytes: &Arc<Vec<u8>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (bytes, stop) = (Arc::clone(bytes), Arc::clone(&stop));
            // Not that of the bystander, as it is in life.
            let address = Ipv4Addr::new(127, 0, 0, 2 + number);
            thread::spawn(move || flood(address, port, &bytes, &stop))
        };
        let threads = (0..FLOODERS).map(start).collect();
        Self { stop, threads }
    }

    /// Stops them; what they sent together.
    pub(crate) fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Sent::default();
        for thread in self.threads {
            let sent = thread.join().unwrap_or_default();
            all.connections += sent.connections;
            all.bytes += sent.bytes;
        }
        all
    }
}

fn flood(from: Ipv4Addr, port: u16, bytes: &[u8], stop: &AtomicBool) -> Sent {
    let mut sent = Sent::default();
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut stream) = connect(from, port) {
            sent.connections += 1;
            sent.bytes += pour(&mut stream, bytes);
        }
        sleep(AGAIN);
    }
    sent
}

/// Sends until the other side closes; how many bytes it took.
fn pour(stream: &mut TcpStream, bytes: &[u8]) -> u64 {
    let mut sent = 0;
    for part in bytes.chunks(16 << 10) {
        match stream.write(part) {
            Ok(count) => sent += count as u64,
            Err(_) => break,
        }
    }
    while matches!(stream.read(&mut [0; 1 << 10]), Ok(count) if count > 0) {}
    sent
}

/// Connects from another address of this machine.
pub(crate) fn connect(from: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let patience = Some(Duration::from_secs(1));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.set_write_timeout(patience)?;
    socket.set_read_timeout(patience)?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket.into())
}
