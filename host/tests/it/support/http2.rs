//! A blocking HTTP/2 client with one connection, by prior knowledge or ALPN.

use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::Frame,
    client::conn::http2::{SendRequest, handshake},
    ext::Protocol,
    upgrade,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Runtime,
};

use super::{Reply, stream::Stream};

type Body = BoxBody<Bytes, io::Error>;

/// A client with one connection.
pub(crate) struct Http2 {
    runtime: Arc<Runtime>,
    sender: SendRequest<Body>,
    origin: String,
    /// The server has said that it takes extended CONNECTs.
    takes_connects: Arc<AtomicBool>,
}

/// A response with its trailers.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) reply: Reply,
    pub(crate) trailers: HeaderMap,
}

impl Http2 {
    /// Connects without TLS. `authority` is what requests ask for.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr, authority: &str) -> Self {
        let runtime = Arc::new(runtime());
        let (sender, takes_connects) = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.expect("a connection");
            begin(stream).await
        });
        let origin = format!("http://{authority}");
        Self {
            runtime,
            sender,
            origin,
            takes_connects,
        }
    }

    /// A request with a whole body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<Whole, Box<dyn Error>> {
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let body = body.map_err(|never| match never {}).boxed();
        self.send_body(method, path, fields, body)
    }

    /// A request whose body ends with trailers.
    pub(crate) fn call(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
        trailers: HeaderMap,
    ) -> Result<Whole, Box<dyn Error>> {
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let body = body.with_trailers(async { Some(Ok(trailers)) });
        let body = body.map_err(|never: Infallible| match never {}).boxed();
        let call = [("content-type", "application/grpc"), ("te", "trailers")];
        self.send_body("POST", path, &[&call, fields].concat(), body)
    }

    /// A request with a body in parts, whose length it does not say.
    pub(crate) fn stream(&self, path: &str, parts: &[&str]) -> Result<Whole, Box<dyn Error>> {
        let parts = parts
            .iter()
            .map(|part| Bytes::copy_from_slice(part.as_bytes()));
        let body = InParts(parts.collect()).boxed();
        self.send_body("POST", path, &[], body)
    }

    /// An extended CONNECT (RFC 8441): the response, and the stream if it was
    /// taken.
    #[track_caller]
    pub(crate) fn change(
        &self,
        path: &str,
        protocol: &str,
        fields: &[(&str, &str)],
    ) -> (Reply, Option<Stream>) {
        let uri = format!("{}{path}", self.origin);
        let mut request = Request::builder().method(Method::CONNECT).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::new()).map_err(|never| match never {});
        let mut request = request.body(body.boxed()).expect("a request");
        request.extensions_mut().insert(Protocol::from(protocol));
        let mut sender = self.sender.clone();
        self.runtime.block_on(async {
            while !self.takes_connects.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            let mut response = sender.send_request(request).await.expect("a response");
            let taken = response.status().is_success();
            let changes = taken.then(|| upgrade::on(&mut response));
            let (parts, body) = response.into_parts();
            let mut reply = Reply {
                status: parts.status,
                headers: parts.headers,
                body: Bytes::new(),
            };
            let Some(changes) = changes else {
                reply.body = body.collect().await.expect("a body").to_bytes();
                return (reply, None);
            };
            let stream = changes.await.expect("a stream");
            (reply, Some(Stream::new(Arc::clone(&self.runtime), stream)))
        })
    }

    fn send_body(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: Body,
    ) -> Result<Whole, Box<dyn Error>> {
        let uri = format!("{}{path}", self.origin);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(body)?;
        let mut sender = self.sender.clone();
        self.runtime.block_on(async move {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            let reply = Reply {
                status: parts.status,
                headers: parts.headers,
                body: body.to_bytes(),
            };
            Ok(Whole { reply, trailers })
        })
    }
}

/// A body whose length nobody knows.
struct InParts(VecDeque<Bytes>);

impl hyper::body::Body for InParts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> (SendRequest<Body>, Arc<AtomicBool>) {
    let executor = TokioExecutor::new();
    let (sender, mut connection) = handshake(executor, TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    let takes_connects = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&takes_connects);
    tokio::spawn(async move {
        // The library says it to whoever asks, and wakes nobody.
        let again = Duration::from_millis(5);
        while let Err(_elapsed) = tokio::time::timeout(again, &mut connection).await {
            let takes = connection.is_extended_connect_protocol_enabled();
            told.store(takes, Ordering::SeqCst);
        }
    });
    (sender, takes_connects)
}
