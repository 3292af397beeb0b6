//! One look at an instance: does it answer a `GET` with 2xx in time?
//!
//! On a connection of its own, so that being able to connect is part of the
//! answer. Called by the health checks.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::time::timeout;

use super::{
    Target,
    connection::{ConnectError, Connected, connect},
    multiplexed::Multiplexing,
};

/// Bytes of a body that are read; of a longer one the rest is not looked at.
const BODY: usize = 64 * 1024;

/// Why an instance did not pass.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection came about.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    Tls(#[source] std::io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error("no whole response")]
    Exchange(#[source] hyper::Error),
    /// It answered with another status than 200 to 299.
    #[error("answered {0}")]
    Status(StatusCode),
    /// It took too long.
    #[error("no whole answer within {0:?}")]
    Timeout(Duration),
}

/// Asks a target for `path` (with its query) and waits at most `limit` for the whole
/// of it: connecting, head, and body up to 64 KiB. Within a `LocalSet`.
///
/// # Errors
///
/// See [`ProbeError`].
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn probe(target: &Target, path: &Uri, limit: Duration) -> Result<(), ProbeError> {
    timeout(limit, ask(target, path, limit))
        .await
        .unwrap_or(Err(ProbeError::Timeout(limit)))
}

async fn ask(target: &Target, path: &Uri, limit: Duration) -> Result<(), ProbeError> {
    let opening = connect(target, limit, &Multiplexing::USUAL, || ()).await;
    let connected = opening.map_err(|error| match error {
        ConnectError::Tls(error) => ProbeError::Tls(error),
        ConnectError::Failed(error) => ProbeError::Connect(error),
        ConnectError::Handshake(error) => ProbeError::Exchange(error),
        ConnectError::Timeout => ProbeError::Timeout(limit),
    })?;
    let mut request = request(target, path);
    match connected {
        Connected::Http1(mut connection) => {
            let close = HeaderValue::from_static("close");
            request.headers_mut().insert(header::CONNECTION, close);
            judge(connection.send(request).await).await
        }
        Connected::Http2(connection) => judge(connection.begin().send(request).await).await,
    }
}

type Sent = Result<Response<Incoming>, TrySendError<Request<Empty<Bytes>>>>;

async fn judge(sent: Sent) -> Result<(), ProbeError> {
    let response = sent.map_err(|error| ProbeError::Exchange(error.into_error()))?;
    if !response.status().is_success() {
        return Err(ProbeError::Status(response.status()));
    }
    drain(response).await.map_err(ProbeError::Exchange)
}

fn request(target: &Target, path: &Uri) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = path.clone();
    let headers = request.headers_mut();
    headers.insert(header::HOST, target.host());
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static("portcullis-health"),
    );
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    request
}

async fn drain(response: Response<Incoming>) -> hyper::Result<()> {
    let mut body = response.into_body();
    let mut read = 0;
    while read < BODY && !body.is_end_stream() {
        let Some(frame) = body.frame().await.transpose()? else {
            break;
        };
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    Ok(())
}
