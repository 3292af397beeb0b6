//! An upstream that takes WebSockets over HTTP/2 (RFC 8441), and sends back every byte
//! of theirs.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use http_body_util::Full;
use hyper::{body::Incoming, ext::Protocol, server::conn::http2, service::service_fn, upgrade};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

/// A server on a free port. What is asked below `/status/` is answered with that
/// status. Dropping it closes it.
pub(crate) struct Tunnels {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Head>>>,
    _stop: oneshot::Sender<Infallible>,
}

/// The head of a request.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) protocol: Option<String>,
    pub(crate) headers: HeaderMap,
}

impl Tunnels {
    /// Starts one, over TLS or not, that says in its settings that it takes extended
    /// CONNECTs, or does not.
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>, enabled: bool) -> Self {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
        socket.set_nonblocking(true).expect("a socket");
        let address = socket.local_addr().expect("a bound socket");
        let (stop, stopped) = oneshot::channel();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(socket).expect("a socket");
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, tls.map(TlsAcceptor::from), enabled, noted) => {}
                }
            });
        });
        Self {
            address,
            asked,
            _stop: stop,
        }
    }

    /// The heads that came so far.
    pub(crate) fn asked(&self) -> Vec<Head> {
        self.asked.lock().expect("a lock").clone()
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    enabled: bool,
    asked: Arc<Mutex<Vec<Head>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (tls, asked) = (tls.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, enabled, asked).await;
                    }
                }
                None => serve(stream, enabled, asked).await,
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    enabled: bool,
    asked: Arc<Mutex<Vec<Head>>>,
) {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    if enabled {
        builder.enable_connect_protocol();
    }
    let service = service_fn(move |request| {
        let answer = answer(request, &asked);
        async { Ok::<_, Infallible>(answer) }
    });
    // Who breaks off has reasons of their own.
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(mut request: Request<Incoming>, asked: &Mutex<Vec<Head>>) -> Response<Full<Bytes>> {
    let protocol = request.extensions().get::<Protocol>();
    let protocol = protocol.map(|protocol| protocol.as_str().to_owned());
    asked.lock().expect("a lock").push(Head {
        method: request.method().clone(),
        uri: request.uri().to_string(),
        protocol: protocol.clone(),
        headers: request.headers().clone(),
    });
    let mut response = Response::new(Full::default());
    let status = request.uri().path().strip_prefix("/status/");
    if let Some(status) = status {
        *response.status_mut() = status.parse::<StatusCode>().expect("a status");
        return response;
    }
    if protocol.is_some() {
        if let Some(chosen) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, chosen.clone());
        }
        let changes = upgrade::on(&mut request);
        tokio::spawn(async move {
            let Ok(stream) = changes.await else {
                return;
            };
            let (mut reader, mut writer) = split(TokioIo::new(stream));
            if copy(&mut reader, &mut writer).await.is_ok() {
                let _ = writer.shutdown().await;
            }
        });
    }
    response
}
