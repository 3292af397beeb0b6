//! A real upstream that can be told how to behave.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

type Body = BoxBody<Bytes, Infallible>;

/// An HTTP/1.1 server on a free port. It answers with JSON of what it was
/// asked: `instance`, `method`, `path`, `headers`, `body`. Dropping it closes
/// its socket and all its connections.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    behaviour: Arc<Behaviour>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What an upstream speaks.
#[derive(Clone)]
enum Speaks {
    Http1,
    Http2,
    /// What ALPN decides, over TLS.
    Tls(TlsAcceptor),
}

#[derive(Default)]
struct Behaviour {
    name: String,
    connections: AtomicUsize,
    hits: AtomicUsize,
    status: AtomicU16,
    delay_ms: AtomicU64,
    unhealthy: AtomicBool,
}

impl Upstream {
    /// Starts one on a free port.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_on(name, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts one that speaks TLS.
    pub(crate) fn start_secured(name: &str, tls: Arc<ServerConfig>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_as(name, address, Speaks::Tls(tls.into()))
    }

    /// Starts one that speaks HTTP/2 and nothing else.
    pub(crate) fn start_http2(name: &str) -> Self {
        Self::start_http2_on(name, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same on an address, for one that comes back.
    pub(crate) fn start_http2_on(name: &str, address: SocketAddr) -> Self {
        Self::start_as(name, address, Speaks::Http2)
    }

    /// Starts one on an address, for one that comes back.
    pub(crate) fn start_on(name: &str, address: SocketAddr) -> Self {
        Self::start_as(name, address, Speaks::Http1)
    }

    fn start_as(name: &str, address: SocketAddr, speaks: Speaks) -> Self {
        let behaviour = Arc::new(Behaviour {
            name: name.into(),
            status: AtomicU16::new(200),
            ..Behaviour::default()
        });
        let socket = std::net::TcpListener::bind(address).expect("an address to listen on");
        socket.set_nonblocking(true).expect("a socket");
        let address = socket.local_addr().expect("a bound socket");
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&behaviour);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(socket).expect("a socket");
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, shared, speaks) => {}
                }
            });
        });
        Self {
            address,
            behaviour,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Requests so far, health checks left out.
    pub(crate) fn hits(&self) -> usize {
        self.behaviour.hits.load(Ordering::SeqCst)
    }

    /// Connections so far on which it spoke HTTP, health checks included.
    pub(crate) fn connections(&self) -> usize {
        self.behaviour.connections.load(Ordering::SeqCst)
    }

    /// The status of every answer from now on.
    pub(crate) fn answer_with(&self, status: u16) {
        self.behaviour.status.store(status, Ordering::SeqCst);
    }

    /// How long every answer takes from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).expect("a short time");
        self.behaviour.delay_ms.store(ms, Ordering::SeqCst);
    }

    /// What `/health` answers from now on: 200 or 500.
    pub(crate) fn healthy(&self, healthy: bool) {
        self.behaviour.unhealthy.store(!healthy, Ordering::SeqCst);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, behaviour: Arc<Behaviour>, speaks: Speaks) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (behaviour, speaks) = (Arc::clone(&behaviour), speaks.clone());
        tokio::spawn(async move {
            match speaks {
                Speaks::Http1 => serve(stream, behaviour, false).await,
                Speaks::Http2 => serve(stream, behaviour, true).await,
                Speaks::Tls(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        serve(stream, behaviour, http2).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    behaviour: Arc<Behaviour>,
    http2: bool,
) {
    behaviour.connections.fetch_add(1, Ordering::SeqCst);
    let service = service_fn(move |request| answer(Arc::clone(&behaviour), request));
    let stream = TokioIo::new(stream);
    let _ = match http2 {
        true => {
            let executor = TokioExecutor::new();
            let server = http2::Builder::new(executor);
            server.serve_connection(stream, service).await
        }
        false => {
            http1::Builder::new()
                .serve_connection(stream, service)
                .await
        }
    };
}

async fn answer(
    behaviour: Arc<Behaviour>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/health" {
        let status = match behaviour.unhealthy.load(Ordering::SeqCst) {
            true => 500,
            false => 200,
        };
        return Ok(response(status, "{}".into()));
    }
    behaviour.hits.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body = body.collect().await;
    let trailers = body.as_ref().ok().and_then(|body| body.trailers().cloned());
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let delay = behaviour.delay_ms.load(Ordering::SeqCst);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if parts
        .headers
        .get("content-type")
        .is_some_and(|of| of == "application/grpc")
    {
        return Ok(called(body, trailers.unwrap_or_default()));
    }
    let headers: serde_json::Map<_, _> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value.into())
        })
        .collect();
    let json = json!({
        "instance": behaviour.name,
        "version": format!("{:?}", parts.version),
        "authority": parts.uri.authority().map(|authority| authority.as_str()),
        "method": parts.method.as_str(),
        "path": parts.uri.path_and_query().map_or("", |path| path.as_str()),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    Ok(response(
        behaviour.status.load(Ordering::SeqCst),
        json.to_string(),
    ))
}

/// What a call of gRPC is answered: what it sent, and a status behind it.
fn called(body: Bytes, mut trailers: HeaderMap) -> Response<Body> {
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(body).with_trailers(async { Some(Ok(trailers)) });
    Response::builder()
        .header("content-type", "application/grpc")
        .body(body.boxed())
        .expect("a response")
}

fn response(status: u16, body: String) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(body.into()).boxed())
        .expect("a response")
}
