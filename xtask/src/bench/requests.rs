//! Counts the instructions of a whole request: through the gateway as it is run,
//! over sockets, from the client's bytes to the client's bytes. And what it has to
//! fetch from memory when there are many at the same time, which takes no more
//! instructions and may take more time than all of them.
//!
//! One worker, clients that keep their connections and ask again when all were
//! answered, and an origin that answers as often. A start takes more instructions
//! than many requests, so the gateway runs twice, and what counts is by how much
//! the run with twice the requests took more. Called by `instructions`.

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{callgrind, load::site::Ports};
use crate::{probe::wait_until_ready, process::Process, workspace};

/// Requests in the first of two runs.
const REQUESTS: u64 = 1_000;

/// Clients of which each has a request under way.
const CROWD: usize = 64;

/// The processor that memory is counted for: 32 KiB of code and of data next to it,
/// 1 MiB behind them, in lines of 64 bytes. Always the same, whatever there is.
const CACHES: [&str; 4] = [
    "--cache-sim=yes",
    "--I1=32768,8,64",
    "--D1=32768,8,64",
    "--LL=1048576,16,64",
];

/// How long a gateway may take to start, and an answer to come, under valgrind.
const WITHIN: Duration = Duration::from_secs(60);

/// What is asked, as a client does that has little to say.
const REQUEST: &[u8] = b"GET /a/path?with=query HTTP/1.1\r\n\
    host: bench.example\r\n\
    user-agent: bench/1.0\r\n\
    accept: */*\r\n\r\n";

/// Bytes of a response's body.
const BODY: usize = 1024;

/// What is served: nothing that has a plugin, whose code would be compiled under
/// valgrind, since it shows programs another processor than there is.
const CONFIGURATION: &str = r#"
workers: 1
listeners: [{ address: "127.0.0.1:@PORT@" }]
admin: { address: "127.0.0.1:@ADMIN_PORT@" }
services:
  origin: { instances: [{ address: "127.0.0.1:@ORIGIN_PORT@" }] }
routes:
  - { name: all, match: { path: "/{*rest}" }, service: origin }
"#;

/// What one request takes that no filter sees.
pub(super) struct Counts {
    /// Instructions, where it is alone.
    pub(super) instructions: u64,
    /// Lines of data that were fetched from behind the caches, where it is one of a
    /// crowd.
    pub(super) fetched: u64,
}

/// Counts what one request takes that no filter sees.
pub(super) fn plain(gateway: &Path) -> Result<Counts> {
    println!("counting whole requests with valgrind, which takes two minutes");
    let folder = std::path::absolute(workspace::target().join("instructions"))?;
    fs::create_dir_all(folder.join("plugins"))?;
    let scene = Scene {
        gateway: std::path::absolute(gateway)?,
        folder,
        origin_port: origin()?,
    };
    Ok(Counts {
        instructions: scene.more_for_one(1, &[], &["Ir"])?,
        fetched: scene.more_for_one(CROWD, &CACHES, &["DLmr", "DLmw"])?,
    })
}

/// What is there for both runs.
struct Scene {
    gateway: PathBuf,
    folder: PathBuf,
    origin_port: u16,
}

impl Scene {
    /// Of events, those that one more request makes.
    fn more_for_one(&self, clients: usize, options: &[&str], events: &[&str]) -> Result<u64> {
        let rounds = REQUESTS / clients as u64;
        let once = self.run(clients, rounds, options, events)?;
        let twice = self.run(clients, 2 * rounds, options, events)?;
        Ok(twice.saturating_sub(once) / (rounds * clients as u64))
    }

    /// The events in a gateway that has answered each client so many times.
    fn run(&self, clients: usize, rounds: u64, options: &[&str], events: &[&str]) -> Result<u64> {
        let mut ports = Ports::new();
        let (port, admin_port) = (ports.take()?, ports.take()?);
        let configuration = self.folder.join("portcullis.yaml");
        let text = CONFIGURATION
            .replace("@PORT@", &port.to_string())
            .replace("@ADMIN_PORT@", &admin_port.to_string())
            .replace("@ORIGIN_PORT@", &self.origin_port.to_string());
        fs::write(&configuration, text)?;
        let out = self.folder.join(format!("requests-{clients}-{rounds}.out"));
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind"])
            .args(options)
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&self.gateway)
            .args(["run", "--log", "warn", "--config"])
            .arg(&configuration);
        let mut gateway = Process::start("requests", &mut command, &self.folder)?;
        wait_until_ready("the gateway", port, "/", "", WITHIN, || {
            match gateway.ended()? {
                Some(status) => bail!("{}", gateway.epitaph(status)),
                None => Ok(()),
            }
        })?;
        ask(port, clients, rounds)?;
        gateway.stop();
        let counted = fs::read(&out).with_context(|| format!("cannot read {}", out.display()))?;
        let counted = String::from_utf8_lossy(&counted);
        let totals = callgrind::totals(&counted);
        let total: Option<u64> = events.iter().map(|event| totals.get(event).copied()).sum();
        total.with_context(|| format!("{} does not say it all", out.display()))
    }
}

/// Asks at the same time on each of some connections, and again when all were answered.
fn ask(port: u16, clients: usize, rounds: u64) -> Result<()> {
    let mut streams = Vec::new();
    for _ in 0..clients {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WITHIN))?;
        streams.push(stream);
    }
    for _ in 0..rounds {
        for stream in &mut streams {
            stream.write_all(REQUEST)?;
        }
        for stream in &mut streams {
            expect_answer(stream)?;
        }
    }
    Ok(())
}

fn expect_answer(stream: &mut TcpStream) -> Result<()> {
    let mut answer = vec![0; 16 << 10];
    let mut length = 0;
    while !answer[..length].ends_with(b"\n\n") {
        let read = stream.read(&mut answer[length..])?;
        ensure!(read > 0, "the gateway closed the connection");
        length += read;
    }
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "a request was answered otherwise"
    );
    Ok(())
}

/// Serves from threads of its own until the process ends; returns the port. All is
/// answered with the same, whose end is an empty line.
fn origin() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let body = "a".repeat(BODY - 2) + "\n\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {BODY}\r\n\r\n{body}"
    );
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // Whatever ends a connection is the gateway's business.
            thread::spawn(move || serve(stream, answer.as_bytes()));
        }
    });
    Ok(port)
}

fn serve(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = vec![0; 16 << 10];
    let mut length = 0;
    loop {
        let read = stream.read(&mut head[length..])?;
        if read == 0 {
            return Ok(());
        }
        length += read;
        if head[..length].ends_with(b"\r\n\r\n") {
            stream.write_all(answer)?;
            length = 0;
        }
    }
}
