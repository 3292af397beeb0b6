//! `cargo xtask soak bodies`: what filters do to large bodies, and what they cost.
//!
//! One body of a gigabyte through each filter that changes bodies, both ways:
//! every byte that comes is looked at, and the gateway's memory all the while.
//! Then responses of 1 MiB through no filter, through five that look at heads, and
//! through one that is shown every chunk and lets it pass, in turns.

use std::{
    fs,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::{
    arguments::Bodies,
    bodies_report, giant, guests, report,
    sender::Load,
    stage::{Gateway, Stage},
};
use crate::{
    bench::load::{tool::Counted, usage::Threads},
    interrupt, plugins,
};

/// Bytes of a response in the comparison.
pub(crate) const BODY: usize = 1 << 20;
const CONNECTIONS: u32 = 8;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The routes of the comparison; the first is what the others are held against.
pub(crate) const ROUTES: [&str; 3] = ["none", "heads", "chunks"];

/// One large body.
pub(crate) struct Giant {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    /// MiB before, and at most meanwhile.
    pub(crate) memory: [f64; 2],
}

/// What each route of the comparison took in one turn.
pub(crate) type Turn = [Passed; ROUTES.len()];

/// Responses of 1 MiB through one route.
#[derive(Clone, Copy, Default)]
pub(crate) struct Passed {
    pub(crate) counted: Counted,
    /// Processor time of the gateway for each, in microseconds.
    pub(crate) cpu_us: f64,
}

/// Sends them, and holds the gateway to its bounds.
pub(crate) fn run(arguments: &Bodies) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let mut stage = Stage::set(&arguments.common, BODY, &interrupted)?;
    let streaming = guests::package("bodies")?;
    let mut files = vec![("bodies".to_owned(), streaming)];
    for name in ["headers", "mask", "json-transform"] {
        let file = plugins::directory().join(format!("{name}.wasm"));
        let bytes = fs::read(&file)
            .with_context(|| format!("{}: cargo xtask plugins builds it", file.display()))?;
        files.push((name.to_owned(), bytes));
    }
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (&**name, &**bytes))
        .collect();
    let giant = giant::serve()?;
    let services = format!("giant: {{ instances: [{{ address: \"{giant}\" }}] }}");
    let mut gateway = stage.gateway_to("bodies", &files, &services, &routes())?;
    let giants = giants(&stage, &mut gateway, arguments)?;
    let turns = compare(&stage, &mut gateway, arguments)?;
    let results = bodies_report::results(arguments, &giants, &turns);
    println!("\n{}", results.table);
    report::write(&[
        ("bodies.md", &results.table),
        ("bodies.json", &results.record),
    ])?;
    report::judge(&results.bounds)
}

fn routes() -> String {
    let route = |path: &str, name: &str, pipeline: &str, service: &str| {
        format!(
            "  - name: {name}\n    match: {{ path: \"{path}\" }}\n    \
             pipeline: [{pipeline}]\n    service: {service}\n    timeout: 600s\n"
        )
    };
    let mask = "{ plugin: mask, config: { side: both, rules: [{ preset: email, replace: \"[email]\" }] } }";
    let side = "{ mode: lines, remove: [secret], rename: { mail: address } }";
    let lines =
        format!("{{ plugin: json-transform, config: {{ request: {side}, response: {side} }} }}");
    let head = "{ plugin: headers, config: { request: { set: { x-a: b } }, response: { set: { x-c: d } } } }";
    let chunks = "{ plugin: bodies, config: \"both:pass\" }";
    [
        route("/mask/{bytes}", "mask", mask, "giant"),
        route("/lines/{bytes}", "lines", &lines, "giant"),
        route("/none", ROUTES[0], "", "origin"),
        route("/heads", ROUTES[1], &[head; 5].join(", "), "origin"),
        route("/chunks", ROUTES[2], chunks, "origin"),
    ]
    .concat()
}

type Transfer = fn(u16, &str, u64) -> Result<()>;

fn giants(stage: &Stage<'_>, gateway: &mut Gateway, arguments: &Bodies) -> Result<Vec<Giant>> {
    let bytes = arguments.mebibytes << 20;
    let all: [(&'static str, &'static str, Transfer); 4] = [
        ("mask, response", "mask", giant::download),
        ("mask, request", "mask", giant::upload),
        ("json-transform, response", "lines", giant::download),
        ("json-transform, request", "lines", giant::upload),
    ];
    let mut giants = Vec::new();
    for (name, path, transfer) in all {
        let port = gateway.port;
        // A short one first, so that all that a route needs is there.
        transfer(port, path, 1 << 20).context(name)?;
        let (before, began) = (gateway.memory().0, Instant::now());
        let (done, ended) = mpsc::channel();
        thread::spawn(move || done.send(transfer(port, path, bytes)));
        let mut most = before;
        loop {
            stage.check()?;
            gateway.check()?;
            match ended.recv_timeout(LOOK_EVERY) {
                Ok(result) => break result.context(name)?,
                Err(RecvTimeoutError::Timeout) => most = most.max(gateway.memory().0),
                Err(RecvTimeoutError::Disconnected) => bail!("{name}: who sends it has ended"),
            }
        }
        let took = began.elapsed();
        println!(
            "{name}: {} MiB in {:.1} s, memory {before:.1} MiB before and {most:.1} at most",
            arguments.mebibytes,
            took.as_secs_f64()
        );
        giants.push(Giant {
            name,
            took,
            memory: [before, most],
        });
    }
    Ok(giants)
}

/// The routes in turns, so that each sees the same of what else the machine does.
fn compare(stage: &Stage<'_>, gateway: &mut Gateway, arguments: &Bodies) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for number in 1..=arguments.repeats {
        let mut turn = Turn::default();
        for (passed, path) in turn.iter_mut().zip(ROUTES) {
            *passed = pass(stage, gateway, path, arguments.seconds)?;
        }
        println!(
            "turn {number}: {}",
            (turn.iter().zip(ROUTES))
                .map(|(passed, name)| {
                    let Passed { counted, cpu_us } = passed;
                    format!("{name} {:.0}/s, {cpu_us:.0} µs", counted.per_second)
                })
                .collect::<Vec<_>>()
                .join("; ")
        );
        turns.push(turn);
    }
    Ok(turns)
}

fn pass(stage: &Stage<'_>, gateway: &mut Gateway, path: &str, seconds: f64) -> Result<Passed> {
    let before = Threads::of(&[gateway.pid()]);
    let sender = stage.sender();
    let sending = sender.start(
        "load-bodies",
        &Load {
            port: gateway.port,
            path: &format!("/{path}"),
            rate: None,
            connections: CONNECTIONS,
            seconds,
            stamp: None,
        },
    )?;
    let counted = sender.finish(sending)?;
    gateway.check()?;
    let took = Threads::of(&[gateway.pid()]).since(&before);
    if counted.done == 0 || counted.failed > 0 {
        return Err(anyhow!(
            "{} of {} requests to /{path} failed",
            counted.failed,
            counted.done
        ));
    }
    Ok(Passed {
        counted,
        cpu_us: took.as_secs_f64() * 1e6 / counted.done as f64,
    })
}
