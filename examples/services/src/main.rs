//! One instance of one of the demo's services, listening on loopback.
//!
//! Owns arguments and accepting. What is answered is `service`'s, how badly is
//! `mode`'s. It refuses to be a model of a service: it is a mirror that shows
//! what a gateway sent, with a switch for misbehaving.
//!
//! ```text
//! demo-services --kind users --instance users-1 --listen 127.0.0.1:9001
//! ```

mod data;
mod mode;
mod service;

use std::{net::SocketAddr, rc::Rc};

use anyhow::Context;
use clap::Parser;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::LocalSet};

use crate::{data::Kind, service::Service};

/// One instance of a demo service.
#[derive(Parser)]
#[command(name = "demo-services", version)]
struct Arguments {
    /// What it serves.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Its own name, which is in every answer.
    #[arg(long)]
    instance: String,
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
    /// The version it claims to be.
    #[arg(long, default_value = "v1")]
    version: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!(
        "{} listens on {}",
        arguments.instance,
        listener.local_addr()?
    );
    let service = Rc::new(Service::new(
        arguments.kind,
        arguments.instance,
        arguments.version,
    ));
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        // Small answers on kept connections must not wait for the peer's acknowledgement.
        stream.set_nodelay(true)?;
        let service = Rc::clone(&service);
        tokio::task::spawn_local(async move {
            let answer = service_fn(|request| service.answer(request));
            // A peer that breaks off is its own affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}
