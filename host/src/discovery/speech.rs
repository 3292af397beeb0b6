//! How the instances of a service are spoken to.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    config,
    tls::{BadName, ClientTls, Clients, ServerName, server_name},
    upstream::{Protocol, Target},
};

/// How the instances of one service are spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Speech {
    protocol: Protocol,
    secured: Option<Secured>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Secured {
    /// What every instance has to prove; none for each its own.
    name: Option<ServerName<'static>>,
    client: Arc<ClientTls>,
}

impl Speech {
    /// That of a service.
    ///
    /// # Errors
    ///
    /// In words. The service must not be spoken to at all then.
    pub(super) fn of(service: &config::Service, clients: &Clients) -> Result<Self, &'static str> {
        let Some(tls) = &service.tls else {
            let secured = None;
            let protocol = service.protocol;
            return Ok(Self { protocol, secured });
        };
        let client = clients.of(&service.name);
        let client = Arc::clone(client.ok_or("its TLS settings were not read")?);
        let name = tls.server_name.as_deref().map(server_name).transpose();
        let name = name.map_err(|BadName| "its server_name cannot be the name in a certificate")?;
        let secured = Some(Secured { name, client });
        Ok(Self {
            protocol: service.protocol,
            secured,
        })
    }

    /// The target at an address that was found under the name `host`.
    pub(super) fn named(&self, address: SocketAddr, host: &str) -> Result<Target, BadName> {
        match &self.secured {
            Some(Secured { name: None, client }) => {
                let name = server_name(host)?;
                let target = Target::secured(address, name, Arc::clone(client));
                Ok(target.speaking(self.protocol))
            }
            _ => Ok(self.nameless(address)),
        }
    }

    /// The target at an address that has no name.
    pub(super) fn nameless(&self, address: SocketAddr) -> Target {
        let Some(Secured { name, client }) = &self.secured else {
            return Target::plain(address).speaking(self.protocol);
        };
        let name = name.clone();
        let name = name.unwrap_or_else(|| ServerName::from(address.ip()));
        Target::secured(address, name, Arc::clone(client)).speaking(self.protocol)
    }
}
