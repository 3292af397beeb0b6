//! The origin server: cheap, so that what is measured is the gateway before it.
//!
//! Every request is answered with 200 and the same body; `/echo` with the head
//! that was received, so that one can see what a gateway sends. A `HEAD` request
//! gets a body too: it is not for browsers.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    rc::Rc,
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::{LocalSet, spawn_local},
    time::sleep,
};

use crate::message::{Kind, parse};

const READ_AT_ONCE: usize = 16 * 1024;

/// What an answer takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// How long it takes.
    pub(crate) delay: Duration,
    /// How many each thread works on at once.
    pub(crate) at_once: usize,
}

#[cfg(test)]
impl Work {
    /// None: each answer comes at once.
    pub(crate) const NONE: Self = Self {
        delay: Duration::ZERO,
        at_once: 1,
    };
}

/// What a thread serves with.
struct Desk {
    page: Vec<u8>,
    delay: Duration,
    seats: Semaphore,
}

impl Desk {
    /// Takes as long as an answer takes.
    async fn work(&self) {
        if self.delay.is_zero() {
            return;
        }
        // Nobody closes it.
        let _seat = self.seats.acquire().await;
        sleep(self.delay).await;
    }
}

/// Listens, and serves from threads of its own until the process ends. Returns
/// the addresses, with ports in place of 0.
///
/// # Errors
///
/// If an address cannot be listened on, or a thread not be started.
pub(crate) fn start(
    addresses: &[SocketAddr],
    body: usize,
    threads: NonZeroUsize,
    work: Work,
) -> io::Result<Vec<SocketAddr>> {
    let workers = (0..threads.get()).map(|_| start_worker(body, work));
    let workers: Vec<_> = workers.collect::<io::Result<_>>()?;
    let mut bound = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address)?;
        bound.push(listener.local_addr()?);
        let workers = workers.clone();
        thread::Builder::new().spawn(move || accept(&listener, &workers))?;
    }
    Ok(bound)
}

/// Hands connections to the workers in turn.
fn accept(listener: &TcpListener, workers: &[UnboundedSender<std::net::TcpStream>]) {
    for worker in workers.iter().cycle() {
        if let Ok((stream, _)) = listener.accept() {
            // A worker ends only with the process.
            let _ = worker.send(stream);
        }
    }
}

fn start_worker(body: usize, work: Work) -> io::Result<UnboundedSender<std::net::TcpStream>> {
    let (sender, receiver) = unbounded_channel();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new().spawn(move || {
        let desk = Rc::new(Desk {
            page: response(&vec![b'a'; body]),
            delay: work.delay,
            seats: Semaphore::new(work.at_once.min(Semaphore::MAX_PERMITS)),
        });
        LocalSet::new().block_on(&runtime, serve_all(receiver, desk));
    })?;
    Ok(sender)
}

async fn serve_all(mut streams: UnboundedReceiver<std::net::TcpStream>, desk: Rc<Desk>) {
    while let Some(stream) = streams.recv().await {
        let prepared = stream.set_nodelay(true).and(stream.set_nonblocking(true));
        if let Ok(stream) = prepared.and_then(|()| TcpStream::from_std(stream)) {
            // Whatever ends a connection is its client's business.
            spawn_local(serve(stream, Rc::clone(&desk)));
        }
    }
}

/// Answers until the client leaves or asks to close.
async fn serve(mut stream: TcpStream, desk: Rc<Desk>) -> io::Result<()> {
    let mut input = Vec::new();
    loop {
        input.reserve(READ_AT_ONCE);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut answered = 0;
        while let Some(message) = parse(Kind::Request, &input[answered..])? {
            let head = &input[answered..answered + message.head];
            desk.work().await;
            match asks_for_echo(head) {
                true => stream.write_all(&response(head)).await?,
                false => stream.write_all(&desk.page).await?,
            }
            if message.closes {
                return stream.shutdown().await;
            }
            answered += message.length;
        }
        input.drain(..answered);
    }
}

fn asks_for_echo(head: &[u8]) -> bool {
    let path = head.split(|byte| *byte == b' ').nth(1);
    path.is_some_and(|path| path.starts_with(b"/echo"))
}

fn response(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn connect() -> std::net::TcpStream {
        let any = "127.0.0.1:0".parse().unwrap();
        let bound = start(&[any], 3, NonZeroUsize::MIN, Work::NONE).unwrap();
        std::net::TcpStream::connect(bound[0]).unwrap()
    }

    fn read_to_end(mut stream: std::net::TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn pipelined_requests_are_answered_in_order() {
        let mut stream = connect();
        let first = "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody";
        let second = "GET /echo HTTP/1.1\r\nx-a: 1\r\nconnection: close\r\n\r\n";
        let (head, rest) = first.split_at(9);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(rest.as_bytes()).unwrap();
        stream.write_all(second.as_bytes()).unwrap();
        let answers = read_to_end(stream);
        assert!(answers.contains("content-length: 3\r\n\r\naaaHTTP/1.1 200 OK"));
        assert!(answers.ends_with(second), "{answers}");
    }
}
