//! The gateway, with TLS and HTTP/2, and the services behind it.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, bail};

use crate::{
    certificate,
    probe::{self, wait_until_ready},
    process::Process,
    workspace::{self, cargo, succeed},
};

use super::install::Tools;

const SCRIPTS: &str = "xtask/src/conformance/scripts";

/// Everything that runs, and where it is to be had.
pub(super) struct Stage {
    folder: PathBuf,
    plain: u16,
    secure: u16,
    admin: u16,
    /// Stopped in this order.
    _processes: Vec<Process>,
}

const GIVEN_UP: &str = "portcullis_refused_total{reason=\"write_timeout\"}";

impl Stage {
    /// Builds and starts all of it.
    pub(super) fn start(tools: &Tools, release: bool) -> Result<Self> {
        let mut build = cargo(&["build", "--workspace", "--bins"]);
        let profile = match release {
            true => "release",
            false => "debug",
        };
        if release {
            build.arg("--release");
        }
        succeed(&mut build)?;
        let folder = workspace::target().join("conformance");
        fs::create_dir_all(&folder)?;
        certificate::make(&folder)?;
        let [plain, secure, admin, origin, grpc, websocket] = ports()?;
        let config = folder.join("portcullis.yaml");
        fs::write(
            &config,
            configuration([plain, secure, admin, origin, grpc, websocket]),
        )?;

        let mut processes = Vec::new();
        let python = tools
            .python_program()
            .unwrap_or_else(|| "python3".to_owned());
        for (name, first, port) in [
            ("origin", None, origin),
            ("grpc_service", None, grpc),
            ("websocket", Some("serve"), websocket),
        ] {
            let mut command = Command::new(&python);
            command.arg(Path::new(SCRIPTS).join(format!("{name}.py")));
            command.args(first).arg(port.to_string());
            processes.push(Process::start(name, &mut command, &folder)?);
        }
        let program = workspace::target().join(profile).join("portcullis");
        let mut command = Command::new(program);
        command.args(["run", "--config"]).arg(&config);
        let mut gateway = Process::start("portcullis", &mut command, &folder)?;
        let patience = Duration::from_secs(30);
        wait_until_ready(
            "the gateway",
            plain,
            "/cached",
            "",
            patience,
            || match gateway.ended()? {
                Some(status) => bail!(gateway.epitaph(status)),
                None => Ok(()),
            },
        )?;
        processes.insert(0, gateway);
        Ok(Self {
            folder,
            plain,
            secure,
            admin,
            _processes: processes,
        })
    }

    /// The logs, and what else there is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many connections the gateway has broken off since their clients took nothing.
    pub(super) fn given_up(&self) -> Option<f64> {
        let text = probe::get(self.admin, "/metrics", "")?.body;
        let line = |line: &str| line.strip_prefix(GIVEN_UP)?.trim().parse().ok();
        text.lines().find_map(line)
    }

    /// Without TLS.
    pub(super) fn http(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.plain)
    }

    /// With TLS, to a certificate for `localhost`.
    pub(super) fn https(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.secure)
    }

    /// The certificate that is its own root.
    pub(super) fn root(&self) -> String {
        self.folder.join("certificate.pem").display().to_string()
    }

    /// A script of this command.
    pub(super) fn script(&self, name: &str) -> String {
        format!("{SCRIPTS}/{name}.py")
    }
}

/// Ports that nobody has. Another may take one before it is used; then the run fails.
fn ports() -> Result<[u16; 6]> {
    let mut listeners = Vec::new();
    for _ in 0..6 {
        listeners.push(TcpListener::bind("127.0.0.1:0")?);
    }
    let mut ports = [0; 6];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Deadlines are short, so that what is slow ends while one looks on.
fn configuration([plain, secure, admin, origin, grpc, websocket]: [u16; 6]) -> String {
    format!(
        "workers: 2
listeners:
  - address: 127.0.0.1:{plain}
  - address: 127.0.0.1:{secure}
    tls: {{ certificates: [{{ certificate: certificate.pem, key: key.pem }}] }}
admin: {{ address: \"127.0.0.1:{admin}\" }}
plugins: {{ directory: . }}
limits: {{ head_timeout: 5s, handshake_timeout: 5s, body_timeout: 5s, write_timeout: 5s }}
services:
  origin: {{ instances: [{{ address: \"127.0.0.1:{origin}\" }}] }}
  grpc: {{ instances: [{{ address: \"127.0.0.1:{grpc}\" }}], protocol: http2 }}
  websocket: {{ instances: [{{ address: \"127.0.0.1:{websocket}\" }}] }}
routes:
  - {{ name: grpc, match: {{ path: \"/conformance.Echo/{{*rest}}\" }}, service: grpc, timeout: 10s }}
  - {{ name: websocket, match: {{ path: /websocket }}, service: websocket, upgrades: [websocket] }}
  - {{ name: origin, service: origin, timeout: 10s }}
"
    )
}
