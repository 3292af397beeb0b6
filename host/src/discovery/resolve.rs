//! From the `host:port` of the configuration to addresses.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    net::{SocketAddr, ToSocketAddrs},
    num::NonZeroU32,
};

use crate::{
    config::{self, Position},
    upstream::Target,
};

use super::speech::Speech;

/// An instance of the configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("service {service}: instance {address}: {message}")]
pub struct ResolveError {
    /// The service's name.
    pub service: String,
    /// The address as it is written.
    pub address: String,
    /// What is wrong with it.
    pub message: String,
    /// Where in the file it stands.
    pub at: Position,
}

/// One address that an instance of the configuration stands for.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) target: Target,
    pub(super) weight: NonZeroU32,
    pub(super) metadata: BTreeMap<String, String>,
}

/// The addresses of one service; a name with several gives several. Blocks.
pub(super) fn resolve(
    service: &config::Service,
    speech: &Speech,
    errors: &mut Vec<ResolveError>,
) -> Vec<Resolved> {
    let mut seen = HashSet::new();
    let mut resolved = Vec::new();
    for instance in &service.instances {
        match targets(&instance.address, speech, &mut seen) {
            Ok(targets) => resolved.extend(targets.into_iter().map(|target| Resolved {
                target,
                weight: instance.weight,
                metadata: instance.metadata.clone(),
            })),
            Err(message) => errors.push(ResolveError {
                service: service.name.clone(),
                address: instance.address.clone(),
                message,
                at: instance.at,
            }),
        }
    }
    resolved
}

fn targets(
    text: &str,
    speech: &Speech,
    seen: &mut HashSet<SocketAddr>,
) -> Result<Vec<Target>, String> {
    let host = text.rsplit_once(':').map_or(text, |(host, _port)| host);
    let addresses = addresses(text, seen)?.into_iter();
    addresses
        .map(|address| speech.named(address, host))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{host} cannot be the name in a certificate; set `tls.server_name`"))
}

/// What the text stands for, without repetition; an error if some of it is in
/// `seen` already, where all of it is put.
fn addresses(text: &str, seen: &mut HashSet<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    let mut addresses: Vec<_> = text.to_socket_addrs().map_err(explain)?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        return Err("the name has no address".to_owned());
    }
    for address in &addresses {
        if !seen.insert(*address) {
            return Err(format!("{address} is an instance of this service already"));
        }
    }
    Ok(addresses)
}

fn explain(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidInput => format!("not of the form host:port: {error}"),
        _ => format!("the name cannot be resolved: {error}"),
    }
}
