//! Routes of the admin API and the connections that they are asked on.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{Admin, instances, views};

/// Bytes of a request's body that are read.
const BODY_LIMIT: usize = 64 * 1024;
/// The longest a connection may take for one request, its answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at a time; more wait in the kernel's backlog.
const CONNECTIONS: usize = 64;

/// An answer of the admin API.
pub(super) type Answer = Response<Full<Bytes>>;

/// Accepts for ever. Cancel safe: dropping the future closes the listener.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the admin listener cannot accept: {error}");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let admin = admin.clone();
        spawn_local(async move {
            let _permit = permit;
            let service =
                service_fn(|request| async { Ok::<_, Infallible>(answer(&admin, request).await) });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!("admin connection ended: {error}");
            }
        });
    }
}

async fn answer(admin: &Admin, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    match path.as_slice() {
        ["api", "v1", "services", service, "instances", id] => {
            let body = timeout(REQUEST_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
            match (parts.method, body) {
                (Method::PUT, Ok(Ok(body))) => instances::put(admin, service, id, &body.to_bytes()),
                (Method::DELETE, _) => instances::delete(admin, service, id),
                (Method::PUT, _) => problem(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the body could not be read, or is over 64 KiB",
                ),
                _ => not_allowed("PUT, DELETE"),
            }
        }
        path => match show(admin, path) {
            None => problem(StatusCode::NOT_FOUND, "there is no such resource"),
            Some(_) if parts.method != Method::GET && parts.method != Method::HEAD => {
                not_allowed("GET, HEAD")
            }
            Some(answer) => answer,
        },
    }
}

/// What can only be looked at.
fn show(admin: &Admin, path: &[&str]) -> Option<Answer> {
    Some(match path {
        ["health"] => json(StatusCode::OK, &json!({ "status": "alive" })),
        ["ready"] => match admin.ready.load(Ordering::Acquire) {
            true => json(StatusCode::OK, &views::ready(admin)),
            false => problem(StatusCode::SERVICE_UNAVAILABLE, "the gateway drains"),
        },
        ["metrics"] => text(admin.metrics.render()),
        ["api", "v1", "plugins"] => json(StatusCode::OK, &views::plugins(admin)),
        ["api", "v1", "routes"] => json(StatusCode::OK, &views::routes(admin)),
        ["api", "v1", "services"] => json(StatusCode::OK, &views::services(admin)),
        ["api", "v1", "config"] => json(StatusCode::OK, &views::config(admin)),
        _ => return None,
    })
}

fn text(text: String) -> Answer {
    with_type("text/plain; version=0.0.4; charset=utf-8", text)
}

/// An answer of JSON.
pub(super) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = with_type("application/json", value.to_string());
    *answer.status_mut() = status;
    answer
}

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or("Error");
    let value = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    let mut answer = with_type("application/problem+json", value.to_string());
    *answer.status_mut() = status;
    answer
}

fn not_allowed(allow: &'static str) -> Answer {
    let mut answer = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "the resource does not take this method",
    );
    answer
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static(allow));
    answer
}

fn with_type(content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    answer
}
