//! A blocking HTTP/1.1 client with one keep-alive connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime::Runtime};

/// A client of one address.
pub(crate) struct Client {
    address: SocketAddr,
    runtime: Runtime,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header of text"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON: {error}: {}", self.text()))
    }
}

/// One `GET` on a connection of its own.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Reply {
    Client::new(address).get(path, &[])
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            address,
            runtime,
            connection: None,
        }
    }

    /// A `GET` with headers.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, "")
    }

    /// Any request. Panics if there is no whole response.
    #[track_caller]
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.try_send(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any request.
    pub(crate) fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Reply, Box<dyn std::error::Error>> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        let (address, kept) = (self.address, self.connection.take());
        let (reply, connection) = self.runtime.block_on(exchange(address, kept, request))?;
        self.connection = connection;
        Ok(reply)
    }
}

type Connection = SendRequest<Full<Bytes>>;

async fn exchange(
    address: SocketAddr,
    kept: Option<Connection>,
    request: Request<Full<Bytes>>,
) -> Result<(Reply, Option<Connection>), Box<dyn std::error::Error>> {
    let mut connection = match still_open(kept).await {
        Some(kept) => kept,
        None => connect(address).await?,
    };
    let response = connection.send_request(request).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let close = parts.headers.get(header::CONNECTION) == Some(&"close".parse()?);
    let reply = Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    };
    Ok((reply, Some(connection).filter(|_| !close)))
}

async fn still_open(kept: Option<Connection>) -> Option<Connection> {
    let mut kept = kept?;
    kept.ready().await.ok().map(|()| kept)
}

async fn connect(address: SocketAddr) -> Result<Connection, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
