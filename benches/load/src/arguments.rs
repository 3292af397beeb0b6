//! The command line: what can be asked for, and who does it.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use tokio::{runtime, task::LocalSet};

use crate::{
    closed, open,
    origin::{self, Work},
    tally::Tally,
    target::Target,
};

/// An origin server and load generators for HTTP/1.1.
#[derive(Parser)]
#[command(name = "load")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers every request with 200 and a body; /echo with the head it received
    Origin(Origin),
    /// Each connection sends its next request when its last one is answered
    Closed(Load),
    /// Requests come at random moments at a fixed rate, whatever the answers do
    Open(Open),
}

#[derive(Args)]
struct Origin {
    /// Where to listen; may be given several times
    #[arg(long = "address", required = true)]
    addresses: Vec<SocketAddr>,
    /// Bytes of every body
    #[arg(long, default_value_t = 1024)]
    body: usize,
    /// Threads that serve
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
    /// How long each answer takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// Requests that each thread works on at once; others wait for their turn
    #[arg(long, default_value = "1000000")]
    at_once: NonZeroUsize,
}

#[derive(Args)]
struct Load {
    /// Where requests go, as in http://127.0.0.1:8080/path
    #[arg(long)]
    url: String,
    /// Connections that are kept alive
    #[arg(long, default_value = "64")]
    connections: NonZeroUsize,
    /// How long requests are sent
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// A header for every request, as in 'name: value'
    #[arg(short = 'H', long = "header")]
    headers: Vec<String>,
    /// A header that every response must have with the value that the request had
    /// when it came to the origin, which has to be asked for /echo
    #[arg(long)]
    stamp: Option<String>,
}

#[derive(Args)]
struct Open {
    #[command(flatten)]
    load: Load,
    /// Requests per second
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
}

impl Arguments {
    /// Does what was asked for. The origin serves until it is killed; a load
    /// prints one line of JSON.
    ///
    /// # Errors
    ///
    /// If an argument makes no sense, or nothing listens there.
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Origin(origin) => {
                let Origin {
                    addresses,
                    body,
                    threads,
                    delay,
                    at_once,
                } = origin;
                let work = Work {
                    delay: Duration::from_millis(delay),
                    at_once: at_once.get(),
                };
                origin::start(&addresses, body, threads, work)?;
                loop {
                    std::thread::park();
                }
            }
            Command::Closed(load) => {
                let (target, seconds) = (load.target()?, load.duration()?);
                report(&run_alone(closed::run(target, load.connections, seconds))?);
            }
            Command::Open(Open { load, rate }) => {
                ensure!(rate.is_finite() && rate > 0.0, "--rate must be above 0");
                let (target, seconds) = (load.target()?, load.duration()?);
                report(&run_alone(open::run(
                    target,
                    load.connections,
                    seconds,
                    rate,
                ))?);
            }
        }
        Ok(())
    }
}

impl Load {
    fn target(&self) -> Result<Target> {
        Target::new(&self.url, &self.headers, self.stamp.clone())
    }

    fn duration(&self) -> Result<Duration> {
        ensure!(self.seconds > 0.0, "--seconds must be above 0");
        Ok(Duration::try_from_secs_f64(self.seconds)?)
    }
}

/// Runs a load on this thread.
fn run_alone(load: impl Future<Output = Result<Tally>>) -> Result<Tally> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, load)
}

fn report(tally: &Tally) {
    println!("{}", tally.to_json());
}
