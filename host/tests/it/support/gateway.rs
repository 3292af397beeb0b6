//! The gateway as a process, in a directory of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{Client, Reply, get, within};

/// A running gateway; dropping it ends it.
pub(crate) struct Gateway {
    child: Child,
    directory: TempDir,
    /// The first listener.
    pub(crate) address: SocketAddr,
    /// All listeners.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

/// What every test's configuration begins with.
const HEAD: &str = "workers: 2\nadmin: { address: \"127.0.0.1:0\" }\n";

/// The listener of those that bring none.
const LISTENER: &str = "listeners: [{ address: \"127.0.0.1:0\" }]\n";

impl Gateway {
    /// Starts a gateway with these plugins and this configuration, to which
    /// workers, listeners and admin are added.
    #[track_caller]
    pub(crate) fn start(plugins: &[&str], config: &str) -> Self {
        Self::start_with(plugins, config, &[])
    }

    /// The same, with environment variables.
    #[track_caller]
    pub(crate) fn start_with(plugins: &[&str], config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_in(lay_out(plugins, config), environment)
    }

    /// Starts one on the `portcullis.yaml` of a directory.
    #[track_caller]
    pub(crate) fn start_in(directory: TempDir, environment: &[(&str, &str)]) -> Self {
        let log = File::create(directory.path().join("log")).expect("a log file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("run")
            .arg("--config")
            .arg(directory.path().join("portcullis.yaml"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the gateway's binary starts");
        let (mut addresses, mut admin) = (Vec::new(), None);
        // Compiling many plugins on a busy machine takes its time.
        let listens = within(Duration::from_secs(60), || {
            let log = read_log(directory.path());
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the gateway ended with {status}:\n{log}");
            }
            addresses = addresses_after(&log, "listening on ");
            admin = addresses_after(&log, "admin on ").first().copied();
            !addresses.is_empty() && admin.is_some()
        });
        assert!(listens, "the gateway does not listen within a minute");
        Self {
            child,
            directory,
            address: addresses[0],
            addresses,
            admin: admin.expect("set above"),
        }
    }

    /// A client of the traffic listener.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// One `GET` on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        get(self.address, path)
    }

    /// One `GET` of the admin listener.
    #[track_caller]
    pub(crate) fn admin(&self, path: &str) -> Reply {
        get(self.admin, path)
    }

    /// The value of one series of `/metrics`, given as it is written there.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let text = self.admin("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        line.trim().parse().ok()
    }

    /// Replaces the configuration as an editor does: a new file, renamed.
    pub(crate) fn write_config(&self, config: &str) {
        let new = self.directory.path().join("portcullis.yaml.new");
        fs::write(&new, whole(config)).expect("a file is written");
        fs::rename(new, self.directory.path().join("portcullis.yaml")).expect("a file is renamed");
    }

    /// The configuration file.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.directory.path().join("portcullis.yaml")
    }

    /// How the last reload ended: `ok`, `error`, `at`.
    pub(crate) fn last_reload(&self) -> serde_json::Value {
        self.admin("/api/v1/config").json()["last_reload"].clone()
    }

    /// How many reloads were refused so far.
    pub(crate) fn refused_reloads(&self) -> f64 {
        let series = "portcullis_reloads_total{result=\"failure\"}";
        self.metric(series).expect("a series that is always there")
    }

    /// The plugin directory.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.directory.path().join("plugins")
    }

    /// All that was logged.
    pub(crate) fn log(&self) -> String {
        read_log(self.directory.path())
    }

    /// The number of the configuration and plugins that serve.
    pub(crate) fn generation(&self) -> u64 {
        self.admin("/api/v1/config").json()["generation"]
            .as_u64()
            .expect("a number")
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to drain, as a service manager does.
    pub(crate) fn terminate(&self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Its exit code, if it has ended.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().expect("a child")?.code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log\n{}", self.log());
        }
    }
}

/// Runs `portcullis check` on a configuration, whole as given.
pub(crate) fn check(plugins: &[&str], config: &str, environment: &[(&str, &str)]) -> Output {
    let directory = lay_out(plugins, "");
    let file = directory.path().join("portcullis.yaml");
    fs::write(&file, config).expect("a file is written");
    let file = file.to_str().expect("a path of text");
    command(&["check", "--config", file], environment)
}

/// Runs the gateway's binary to its end.
pub(crate) fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("the gateway's binary starts")
}

/// A directory with a plugin directory and a configuration, to which workers,
/// listeners and admin are added.
pub(crate) fn lay_out(plugins: &[&str], config: &str) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    let into = directory.path().join("plugins");
    fs::create_dir(&into).expect("a directory");
    for plugin in plugins {
        copy_plugin(plugin, &into.join(format!("{plugin}.wasm")));
    }
    let file = directory.path().join("portcullis.yaml");
    fs::write(file, whole(config)).expect("a file is written");
    directory
}

/// The configuration with what every test's begins with, and with a cache of
/// compiled plugins that all tests share, unless it has plans of its own.
fn whole(config: &str) -> String {
    let cache = match config.contains("plugins:") {
        true => String::new(),
        false => format!(
            "plugins: {{ cache: \"{}/code\" }}\n",
            env!("CARGO_TARGET_TMPDIR")
        ),
    };
    let listener = match config.contains("listeners:") {
        true => "",
        false => LISTENER,
    };
    format!("{HEAD}{listener}{}\n{cache}", config.trim_end())
}

/// Copies a standard plugin in one step.
#[track_caller]
pub(crate) fn copy_plugin(plugin: &str, to: &Path) {
    put(&plugin_bytes(plugin), to);
}

/// Puts a file in place in one step.
#[track_caller]
pub(crate) fn put(bytes: &[u8], to: &Path) {
    let new = to.with_extension("new");
    fs::write(&new, bytes).expect("a file is written");
    fs::rename(new, to).expect("a file is renamed");
}

/// A standard plugin.
#[track_caller]
pub(crate) fn plugin_bytes(plugin: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../plugins");
    let from = target.join(format!("{plugin}.wasm"));
    fs::read(&from).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run `cargo xtask plugins` first",
            from.display()
        )
    })
}

fn read_log(directory: &Path) -> String {
    fs::read_to_string(directory.join("log")).unwrap_or_default()
}

/// The addresses of the URLs that follow a mark.
fn addresses_after(log: &str, mark: &str) -> Vec<SocketAddr> {
    let urls = log.split(mark).skip(1);
    let addresses = urls.filter_map(|rest| {
        let rest = rest.split_once("://")?.1;
        let end = rest.find(|c: char| c.is_whitespace() || c == '\u{1b}')?;
        rest[..end].parse().ok()
    });
    addresses.collect()
}
