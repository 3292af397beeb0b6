//! What one instance answers: records, its own name, and what it was sent.
//!
//! Called by `main` for every request. Paths: `/health`; `/control`, which
//! shows the mode and the count of ordinary requests and, by `POST` with
//! `?mode=…`, sets the mode; everything else is the service itself.

use std::{cell::Cell, convert::Infallible, future::pending};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::{
    data::{Kind, Wanted, wanted},
    mode::{Mode, SLOWNESS},
};

/// One instance. Lives on one thread, hence cells.
pub(crate) struct Service {
    kind: Kind,
    instance: String,
    version: String,
    mode: Cell<Mode>,
    requests: Cell<u64>,
}

impl Service {
    /// An instance that behaves.
    pub(crate) fn new(kind: Kind, instance: String, version: String) -> Self {
        Self {
            kind,
            instance,
            version,
            mode: Cell::new(Mode::Ok),
            requests: Cell::new(0),
        }
    }

    /// Answers one request; never fails.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, body) = match request.uri().path() {
            "/control" => self.control(&request),
            "/health" => self.health().await,
            _ => self.misbehave_or_serve(request).await,
        };
        Ok(json_response(status, &body))
    }

    fn control(&self, request: &Request<Incoming>) -> (StatusCode, Value) {
        if request.method() == Method::POST {
            let query = request.uri().query().unwrap_or_default();
            match query.strip_prefix("mode=").unwrap_or_default().parse() {
                Ok(mode) => self.mode.set(mode),
                Err(message) => return (StatusCode::BAD_REQUEST, json!({ "error": message })),
            }
        }
        let state = json!({
            "instance": self.instance,
            "mode": self.mode.get().word(),
            "requests": self.requests.get(),
        });
        (StatusCode::OK, state)
    }

    async fn health(&self) -> (StatusCode, Value) {
        if self.mode.get() == Mode::Hang {
            pending::<()>().await;
        }
        // A failing service whose process is well: what a circuit breaker is for.
        (
            StatusCode::OK,
            json!({ "status": "ok", "instance": self.instance }),
        )
    }

    async fn misbehave_or_serve(&self, request: Request<Incoming>) -> (StatusCode, Value) {
        let count = self.requests.get() + 1;
        self.requests.set(count);
        match self.mode.get() {
            Mode::Ok => {}
            Mode::Slow => tokio::time::sleep(SLOWNESS).await,
            Mode::Fail => return self.failure(StatusCode::INTERNAL_SERVER_ERROR),
            Mode::Flaky if count.is_multiple_of(2) => {
                return self.failure(StatusCode::SERVICE_UNAVAILABLE);
            }
            Mode::Flaky => {}
            Mode::Hang => pending().await,
        }
        self.serve(request).await
    }

    fn failure(&self, status: StatusCode) -> (StatusCode, Value) {
        let body = json!({ "error": "told to fail by /control", "instance": self.instance });
        (status, body)
    }

    async fn serve(&self, request: Request<Incoming>) -> (StatusCode, Value) {
        let (head, body) = request.into_parts();
        let received_bytes = count_bytes(body).await;
        let records = self.kind.records();
        let (status, data) = match wanted(self.kind, head.uri.path()) {
            Wanted::All if head.method == Method::POST => (StatusCode::CREATED, json!({"id": 4})),
            Wanted::All => (StatusCode::OK, Value::Array(records)),
            Wanted::One(id) => (StatusCode::OK, records[id - 1].clone()),
            Wanted::Nothing => (StatusCode::NOT_FOUND, json!({"error": "no such record"})),
        };
        let answer = json!({
            "service": self.kind.name(),
            "instance": self.instance,
            "version": self.version,
            "received": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "query": head.uri.query(),
                "headers": shown_headers(&head.headers),
                "body_bytes": received_bytes,
            },
            "data": data,
        });
        (status, answer)
    }
}

/// Counts a body without keeping it. One that breaks off counts as far as it came.
async fn count_bytes(mut body: Incoming) -> u64 {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    bytes
}

/// The headers that say what the gateway and its plugins did, and any
/// credential that they let through.
fn shown_headers(headers: &HeaderMap) -> Map<String, Value> {
    let shown = |name: &str| {
        name.starts_with("x-") || ["host", "via", "forwarded", "authorization"].contains(&name)
    };
    headers
        .keys()
        .filter(|name| shown(name.as_str()))
        .map(|name| {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.to_string(), Value::from(values.join(", ")))
        })
        .collect()
}

fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
