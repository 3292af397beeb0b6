//! `cargo xtask bench footprint`: how soon a gateway with ten plugins answers,
//! and what memory it takes: when it has started, after load, and per client
//! that is connected and silent.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::{
    load::{
        build::{self, Built},
        results::Mode,
        site::{Pinning, Ports},
        tool::{Load, Tool},
        usage,
    },
    machine::Machine,
};
use crate::{interrupt, plugins, probe, process::Process, workspace};

/// What is loaded. `footprint.yaml` configures all of them.
const PLUGINS: [&str; 10] = [
    "jwt-auth",
    "key-auth",
    "rate-limit",
    "circuit-breaker",
    "traffic-split",
    "rewrite",
    "headers",
    "round-robin",
    "least-connections",
    "consistent-hash",
];

/// Threads that serve.
const WORKERS: u32 = 2;

/// Clients that are connected and silent at the end.
const SILENT: u32 = 1_000;

/// For how long a start goes on behind its first answer, at most: everything is read
/// once more, for what changed before it was watched.
const AT_REST: Duration = Duration::from_secs(2);

/// For how long, before memory is looked at: what a client's next request needs is
/// kept ready for a second.
const SILENT_FOR: Duration = Duration::from_secs(3);

/// The time from client to client where they come one by one: then few of them have
/// anything kept ready at the same time.
const ONE_BY_ONE: Duration = Duration::from_millis(10);

/// How long a start may take at most.
const WITHIN: Duration = Duration::from_secs(20);

const TITLE: &str = "A gateway with ten plugins and two workers";

/// What is started, and how often.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often it is started
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// Seconds of load before memory is looked at
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The cargo profile that the gateway is built with
    #[arg(long, default_value = "release")]
    profile: String,
    /// A gateway that is built already; the plugins are taken as they are, too
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Where the results are written [default: bench in the target folder]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Figures with what they are of, in a unit.
type Figures = Vec<(&'static str, f64, &'static str)>;

/// Builds, starts, measures, stops, writes.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let built = build::all(arguments.gateway.as_deref(), &arguments.profile)?;
    let house = House::furnish(&built)?;
    let mut origin = Command::new(&built.load);
    origin.args(["origin", "--address", &loopback(house.origin_port)]);
    let _origin = Process::start("origin", &mut origin, &house.folder)?;
    house.check()?;

    println!("starting {} times", arguments.starts);
    let mut starts = Vec::new();
    for _ in 0..arguments.starts {
        interrupt::check(&interrupted)?;
        starts.push(house.start()?.1.as_secs_f64() * 1e3);
    }
    starts.sort_by(f64::total_cmp);
    let mut figures = vec![
        (
            "start to first answer, median",
            starts[starts.len() / 2],
            "ms",
        ),
        (
            "start to first answer, slowest",
            starts[starts.len() - 1],
            "ms",
        ),
    ];
    figures.extend(house.memory(arguments, &interrupted)?);
    write(arguments, &figures)
}

/// Where the gateway lives.
struct House<'a> {
    built: &'a Built,
    folder: PathBuf,
    configuration: PathBuf,
    port: u16,
    origin_port: u16,
}

impl<'a> House<'a> {
    fn furnish(built: &'a Built) -> Result<Self> {
        let folder = std::path::absolute(workspace::target().join("bench-run/footprint"))?;
        let directory = folder.join("plugins");
        fs::create_dir_all(&directory)?;
        for name in PLUGINS {
            let file = format!("{name}.wasm");
            plugins::replace(&plugins::directory().join(&file), &directory.join(&file))
                .context("cargo xtask plugins builds it")?;
        }
        let mut ports = Ports::new();
        let (port, admin_port, origin_port) = (ports.take()?, ports.take()?, ports.take()?);
        let text = include_str!("footprint.yaml")
            .replace("@WORKERS@", &WORKERS.to_string())
            .replace("@PORT@", &port.to_string())
            .replace("@ADMIN_PORT@", &admin_port.to_string())
            .replace("@ORIGIN_PORT@", &origin_port.to_string())
            .replace("@PLUGINS@", &directory.display().to_string());
        let configuration = folder.join("portcullis.yaml");
        fs::write(&configuration, text)?;
        Ok(Self {
            built,
            folder,
            configuration,
            port,
            origin_port,
        })
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.built.gateway);
        command
            .arg(subcommand)
            .arg("--config")
            .arg(&self.configuration);
        command.args(["--log", "warn"]);
        command
    }

    /// Compiles the plugins, so that no start does.
    fn check(&self) -> Result<()> {
        let checked = self.command("check").output()?;
        let complaint = String::from_utf8_lossy(&checked.stderr);
        ensure!(checked.status.success(), "{}", complaint.trim());
        Ok(())
    }

    /// Starts it, and says how long it took until it had answered.
    fn start(&self) -> Result<(Process, Duration)> {
        let begun = Instant::now();
        let mut gateway = Process::start("portcullis", &mut self.command("run"), &self.folder)?;
        while probe::get(self.port, "/", "").is_none_or(|answer| answer.status != 200) {
            if let Some(status) = gateway.ended()? {
                bail!("{}", gateway.epitaph(status));
            }
            ensure!(begun.elapsed() < WITHIN, "it does not answer");
            sleep(Duration::from_millis(1));
        }
        Ok((gateway, begun.elapsed()))
    }

    fn memory(&self, arguments: &Arguments, interrupted: &AtomicBool) -> Result<Figures> {
        let (gateway, _) = self.start()?;
        let resident = || usage::memory(&[gateway.pid()]).0;
        sleep(AT_REST);
        let started = resident();
        println!("load for {} s", arguments.seconds);
        let tool = Tool {
            program: self.built.load.clone(),
            pinning: Pinning::None,
            interrupted,
            load: Load {
                connections: 64,
                seconds: arguments.seconds,
                rate: 0.0,
            },
        };
        let counted = tool.run(self.port, Mode::Closed, arguments.seconds)?;
        ensure!(counted.failed == 0, "{} requests failed", counted.failed);
        let loaded = resident();
        let at_once = self.silent(&gateway, Duration::ZERO)?;
        drop(gateway);
        let (gateway, _) = self.start()?;
        tool.run(self.port, Mode::Closed, arguments.seconds)?;
        let one_by_one = self.silent(&gateway, ONE_BY_ONE)?;
        Ok(vec![
            ("resident, started and at rest", started, "MiB"),
            ("resident after load on 64 connections", loaded, "MiB"),
            (
                "more for each of 1000 silent clients, all at once",
                at_once,
                "KiB",
            ),
            (
                "more for each of 1000 silent clients, in ten seconds",
                one_by_one,
                "KiB",
            ),
        ])
    }

    /// How many KiB more it takes for each of some clients that have had their answers.
    fn silent(&self, gateway: &Process, apart: Duration) -> Result<f64> {
        let resident = || usage::memory(&[gateway.pid()]).0;
        println!("{SILENT} silent clients");
        let before = resident();
        let clients = (0..SILENT).map(|_| {
            sleep(apart);
            silent_client(self.port)
        });
        let clients = clients.collect::<Result<Vec<_>>>()?;
        sleep(SILENT_FOR);
        let each = (resident() - before) * 1024.0 / f64::from(SILENT);
        drop(clients);
        Ok(each)
    }
}

/// A connection that has had its answer and is kept alive.
fn silent_client(port: u16) -> Result<TcpStream> {
    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    client.set_read_timeout(Some(WITHIN))?;
    client.write_all(b"GET / HTTP/1.1\r\nhost: silent\r\n\r\n")?;
    let mut head = [0; 16 << 10];
    let read = client.read(&mut head)?;
    ensure!(
        head[..read].starts_with(b"HTTP/1.1 200"),
        "a client was not answered"
    );
    Ok(client)
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn write(arguments: &Arguments, figures: &[(&str, f64, &str)]) -> Result<()> {
    let folder = arguments.out.clone();
    let folder = folder.unwrap_or_else(|| workspace::target().join("bench"));
    fs::create_dir_all(&folder)?;
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let machine = Machine::here(vec![("command", format!("cargo xtask {command}"))]);
    let table = table(&machine, figures);
    println!("\n{table}");
    let texts = [("md", table), ("json", record(&machine, figures))];
    for (extension, text) in texts {
        let path = folder.join(Path::new("footprint").with_extension(extension));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

fn table(machine: &Machine, figures: &[(&str, f64, &str)]) -> String {
    let mut text = format!("# {TITLE}\n\n{}\n| | |\n|---|---:|\n", machine.list());
    for (name, value, unit) in figures {
        text += &format!("| {name} | {value:.1} {unit} |\n");
    }
    text
}

fn record(machine: &Machine, figures: &[(&str, f64, &str)]) -> String {
    let figures: serde_json::Map<_, _> = (figures.iter())
        .map(|(name, value, unit)| (format!("{name}, {unit}"), json!(value)))
        .collect();
    format!(
        "{:#}\n",
        json!({ "machine": machine.json(), "figures": figures })
    )
}
