//! Who takes part in the demo: ports, names and command lines of the services
//! and of the gateway. Used by `start`. Ports and addresses are those of
//! `examples/quickstart/portcullis.yaml`.

use std::{path::Path, process::Command};

use super::{children::Role, lines::SECRET};
use crate::workspace;

/// Where the gateway listens unless `--port` says otherwise.
pub(crate) const GATEWAY_PORT: u16 = 8080;
/// Where the gateway's admin API listens.
pub(crate) const ADMIN_PORT: u16 = 9901;

/// One instance of a service.
pub(crate) struct Instance {
    /// Its name, which is in each of its answers.
    pub(crate) name: &'static str,
    /// What it serves.
    pub(crate) kind: &'static str,
    /// The version it claims to be.
    pub(crate) version: &'static str,
    /// Its port on loopback.
    pub(crate) port: u16,
}

/// Two instances of each service. Those of the orders are of two versions.
pub(crate) const INSTANCES: [Instance; 6] = [
    instance("users-1", "users", "v1", 9001),
    instance("users-2", "users", "v1", 9002),
    instance("products-1", "products", "v1", 9003),
    instance("products-2", "products", "v1", 9004),
    instance("orders-1", "orders", "v1", 9005),
    instance("orders-2", "orders", "v2", 9006),
];

const fn instance(
    name: &'static str,
    kind: &'static str,
    version: &'static str,
    port: u16,
) -> Instance {
    Instance {
        name,
        kind,
        version,
        port,
    }
}

/// The command that starts an instance.
pub(crate) fn service(instance: &Instance) -> Role {
    let mut command = Command::new(program("demo-services"));
    command.args(["--kind", instance.kind, "--instance", instance.name]);
    command.args(["--listen", &format!("127.0.0.1:{}", instance.port)]);
    command.args(["--version", instance.version]);
    Role {
        name: instance.name,
        command,
        vital: false,
    }
}

/// The command that starts the gateway.
pub(crate) fn gateway(config: &Path) -> Role {
    let mut command = Command::new(program("portcullis"));
    command.args(["run", "--config"]).arg(config);
    command.env("JWT_SECRET", SECRET);
    Role {
        name: "gateway",
        command,
        vital: true,
    }
}

fn program(name: &str) -> std::path::PathBuf {
    workspace::target().join("debug").join(name)
}
