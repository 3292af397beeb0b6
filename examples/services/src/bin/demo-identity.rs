//! Somebody who knows who people are, for the examples: answers authorization
//! questions (`/check`), and publishes a key set as an identity provider does
//! (`/.well-known/openid-configuration`, `/keys`).
//!
//! Knows two people and one key. `GET /questions` says how often it was asked for
//! anything else. It checks nothing but what an example needs.
//!
//! ```text
//! demo-identity --listen 127.0.0.1:9010
//! ```

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The demo's identity provider and authorization service.
#[derive(Parser)]
#[command(name = "demo-identity", version)]
struct Arguments {
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
}

/// An answer: status, header fields, body.
type Answer = (u16, Vec<(&'static str, &'static str)>, Value);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { listen } = Arguments::parse();
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    println!("demo-identity listens on {}", listener.local_addr()?);
    let questions = Arc::new(AtomicU64::new(0));
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true)?;
        let questions = Arc::clone(&questions);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let answer = answered(listen, &questions, &request);
                async move { Ok::<_, Infallible>(response(answer)) }
            });
            // A peer that breaks off is its own affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn answered(listen: SocketAddr, questions: &AtomicU64, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    if path == "/questions" {
        let asked = questions.load(Ordering::Relaxed);
        return (200, Vec::new(), json!({ "questions": asked }));
    }
    questions.fetch_add(1, Ordering::Relaxed);
    match path {
        "/check" => check(request),
        "/keys" => (200, Vec::new(), json!({ "keys": [key()] })),
        "/.well-known/openid-configuration" => {
            let issuer = format!("http://{listen}");
            let keys = format!("{issuer}/keys");
            (
                200,
                Vec::new(),
                json!({ "issuer": issuer, "jwks_uri": keys }),
            )
        }
        _ => (404, Vec::new(), json!({ "error": "no such page" })),
    }
}

/// Ann may do everything, Bob may look.
fn check(request: &Request<Incoming>) -> Answer {
    let header = |name| {
        let value = request.headers().get(name)?;
        value.to_str().ok()
    };
    let user = match header("authorization") {
        Some("Bearer demo-ann") => "ann",
        Some("Bearer demo-bob") => "bob",
        _ => {
            let challenge = vec![("www-authenticate", "Bearer realm=\"demo\"")];
            return (401, challenge, json!({ "error": "who are you?" }));
        }
    };
    if user == "bob" && header("x-original-method") != Some("GET") {
        return (403, Vec::new(), json!({ "error": "bob may only look" }));
    }
    (200, vec![("x-user", user)], json!({}))
}

/// The public half of a key that was thrown away once the examples' tokens were
/// signed with it.
fn key() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "kid": "demo",
        "use": "sig",
        "alg": "ES256",
        "x": "Q8DIkLlIrh40B5PwoE3jhlx7KzysPv8Kbec6M2WyU9w",
        "y": "DLVi_IaYsWdsi8l31110u2bW8H7M8GrfXFD3VIODZm4",
    })
}

fn response((status, headers, body): Answer) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(Full::new(Bytes::from(format!("{body}\n"))))
        .expect("invariant: status and fields are valid")
}
