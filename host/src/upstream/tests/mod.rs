//! Upstreams that behave and misbehave, on real sockets.

mod failures;
mod keeping;

use std::{
    cell::Cell,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local, yield_now},
    time::timeout,
};

use super::*;

type TestBody = UnsyncBoxBody<Bytes, io::Error>;
type TestPool = Pool<TestBody>;

const OPTIONS: PoolOptions = PoolOptions {
    connect_timeout: Duration::from_millis(500),
    idle_connections: 4,
    idle_timeout: Duration::from_secs(55),
    multiplexing: Multiplexing::USUAL,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that treats its connections as a test says.
struct Upstream {
    address: SocketAddr,
    target: Target,
    connections: Rc<Cell<usize>>,
}

/// One connection that a server has taken.
struct Peer {
    /// How many came before it.
    number: usize,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Upstream {
    async fn start<F>(serve: impl Fn(Peer) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let upstream = Self {
            address,
            target: Target::plain(address),
            connections: Rc::default(),
        };
        let connections = upstream.connections.clone();
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.replace(connections.get() + 1);
                let unread = Vec::new();
                spawn_local(serve(Peer {
                    number,
                    stream,
                    unread,
                }));
            }
        });
        upstream
    }

    /// Answers every request with the same text.
    async fn answering(answer: &'static str) -> Self {
        Self::start(async move |mut peer: Peer| {
            while peer.request().await.is_some() {
                peer.write(answer).await;
            }
        })
        .await
    }
}

impl Peer {
    /// The next request, head and body; none at the connection's end.
    async fn request(&mut self) -> Option<String> {
        let head = loop {
            match self
                .unread
                .windows(4)
                .position(|bytes| bytes == b"\r\n\r\n")
            {
                Some(position) => break position + 4,
                None => self.read().await?,
            }
        };
        let text = String::from_utf8_lossy(&self.unread[..head]).into_owned();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().expect("a length"));
        while self.unread.len() < head + length {
            self.read().await?;
        }
        let request: Vec<u8> = self.unread.drain(..head + length).collect();
        Some(String::from_utf8_lossy(&request).into_owned())
    }

    async fn read(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.unread).await;
        matches!(read, Ok(1..)).then_some(())
    }

    async fn write(&mut self, text: &str) {
        // That the gateway has left is for it to judge, not for this side.
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Waits until the gateway closes the connection.
    async fn end(&mut self) {
        while self.read().await.is_some() {
            self.unread.clear();
        }
    }
}

/// A body that fails after its first frame.
struct Broken(bool);

/// A body without an end.
struct Endless;

impl Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match std::mem::replace(&mut self.0, true) {
            false => Ok(Frame::data(Bytes::from_static(b"begin"))),
            true => Err(io::Error::other("the client left")),
        };
        Poll::Ready(Some(frame))
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 8192])))))
    }
}

fn request(method: Method, path: &str, body: TestBody) -> Request<TestBody> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "test")
        .body(body)
        .expect("a request")
}

fn get(path: &str) -> Request<TestBody> {
    let body = Empty::new().map_err(|never| match never {});
    request(Method::GET, path, body.boxed_unsync())
}

fn post(path: &str, body: &'static str) -> Request<TestBody> {
    let body = Full::from(body).map_err(|never| match never {});
    request(Method::POST, path, body.boxed_unsync())
}

async fn text(response: Response<UpstreamBody<TestBody>>) -> Result<String, hyper::Error> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn fetch(pool: &TestPool, upstream: &Upstream, path: &str) -> String {
    let response = pool.send(&upstream.target, get(path)).await;
    text(response.expect("a response")).await.expect("a body")
}

async fn fail(pool: &TestPool, upstream: &Upstream, path: &str) -> SendError<TestBody> {
    let response = pool.send(&upstream.target, get(path)).await;
    response
        .map(|response| response.status())
        .expect_err("no response")
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let limited = async { timeout(Duration::from_secs(60), test).await };
    let ended = runtime.block_on(LocalSet::new().run_until(limited));
    assert!(ended.is_ok(), "the test hangs");
}
