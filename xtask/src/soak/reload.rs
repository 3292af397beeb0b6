//! `cargo xtask soak reload`: a plugin replaced again and again under load.
//!
//! Two versions of one filter take turns, and every tenth file is no plugin. The
//! filter stamps request and response with its version and counts hooks of one
//! exchange that were of several; the load generator holds the stamps against each
//! other. How many reloads there are in a second is bounded by the gateway, which
//! waits until a burst of changes is over, 150 ms.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    arguments::Reload,
    guests, reload_report, report,
    sender::{Load, Sender, Sending},
    stage::{Gateway, SMALL, Stage, put},
};
use crate::{bench::load::tool::Counted, interrupt};

/// The plugin's file, as long as it is the same plugin.
const FILE: &str = "hostile.wasm";
const CONNECTIONS: u32 = 16;
/// How long one generator sends; the next begins before it ends.
const SEGMENT: f64 = 20.0;
const OVERLAP: Duration = Duration::from_secs(1);
/// How long a reload may take.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Every such reload is of a file that is no plugin.
const INVALID: u32 = 10;

/// What was measured.
#[derive(Default)]
pub(crate) struct Outcome {
    /// After each reload.
    pub(crate) samples: Vec<Sample>,
    pub(crate) sent: Counted,
    pub(crate) invalid: u32,
    /// Hooks of one exchange that were of several versions, as the plugin counts.
    pub(crate) mixed_hooks: f64,
    pub(crate) took: Duration,
}

/// What the gateway held at one time.
pub(crate) struct Sample {
    pub(crate) memory_mib: f64,
    /// Those of connections left out.
    pub(crate) descriptors: usize,
}

/// Reloads, and holds the gateway to its bounds.
pub(crate) fn run(arguments: &Reload) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let mut stage = Stage::set(&arguments.common, SMALL, &interrupted)?;
    let outcome = endure(&mut stage, arguments)?;
    let results = reload_report::results(arguments, &outcome);
    println!("\n{}", results.table);
    report::write(&[
        ("reload.md", &results.table),
        ("reload.json", &results.record),
        ("reload.svg", &results.plot),
    ])?;
    report::judge(&results.bounds)
}

fn endure(stage: &mut Stage<'_>, arguments: &Reload) -> Result<Outcome> {
    let first = guests::hostile()?;
    let versions = [guests::next_version(&first)?, first];
    let config = "  - name: stamped\n    match: { path: /echo }\n    \
        pipeline: [{ plugin: hostile, config: \"every:stamp\" }]\n    service: origin\n";
    let mut gateway = stage.gateway("reload", &[("hostile", &versions[1])], config)?;
    let mut traffic = Traffic::new(stage.sender(), gateway.port, arguments.common.rate)?;
    let (mut outcome, began) = (Outcome::default(), Instant::now());
    let mut turn = 0;
    for number in 1..=arguments.reloads {
        stage.check()?;
        gateway.check()?;
        traffic.keep_on()?;
        if number % INVALID == 0 {
            let whole = &versions[turn % 2];
            reload(&gateway, &whole[..whole.len() / 2], Expected::Refused)?;
            outcome.invalid += 1;
        } else {
            reload(&gateway, &versions[turn % 2], Expected::Live)?;
            turn += 1;
        }
        outcome.samples.push(Sample {
            memory_mib: gateway.memory().0,
            descriptors: gateway.own_descriptors(),
        });
        progress(number, arguments.reloads, began, &outcome);
    }
    outcome.took = began.elapsed();
    outcome.sent = traffic.finish()?;
    let mixed = gateway.metric("portcullis_plugin_stamps_mixed_total", "");
    let stamps = gateway.metric("portcullis_plugin_stamps_total", "hook=\"completion\"");
    if stamps.unwrap_or_default() == 0.0 {
        bail!("the plugin's hooks were not called");
    }
    outcome.mixed_hooks = mixed.context("the gateway shows no metrics")?;
    Ok(outcome)
}

/// What shall come of a file.
enum Expected {
    Live,
    Refused,
}

/// Replaces the plugin, and waits for what comes of it.
fn reload(gateway: &Gateway, bytes: &[u8], expected: Expected) -> Result<()> {
    let file = gateway.plugins.join(FILE);
    let state = || {
        let config = gateway.configuration()?;
        let generation = config["generation"].as_u64()?;
        Some((generation, config["last_reload"]["ok"].as_bool()?))
    };
    let (generation, _) = state().context("the admin listener does not answer")?;
    put(bytes, &file)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match (&expected, state()) {
            (Expected::Live, Some((now, true))) if now > generation => return Ok(()),
            (Expected::Refused, Some((now, false))) if now == generation => return Ok(()),
            _ if Instant::now() > deadline => {
                let bytes = fs::metadata(&file).map_or(0, |file| file.len());
                bail!("a file of {bytes} bytes was not reloaded in {PATIENCE:?}");
            }
            _ => sleep(LOOK_EVERY),
        }
    }
}

fn progress(number: u32, all: u32, began: Instant, outcome: &Outcome) {
    let (Some(last), 0) = (outcome.samples.last(), number % 100) else {
        return;
    };
    let each = began.elapsed() / number;
    let left = each * (all - number);
    println!(
        "{number} of {all} reloads, {} ms each, {} min left; {:.1} MiB, {} descriptors",
        each.as_millis(),
        left.as_secs().div_ceil(60),
        last.memory_mib,
        last.descriptors,
    );
}

/// Load without a gap: generators one after the other, each begun before the
/// last one ends.
struct Traffic<'a> {
    sender: Sender<'a>,
    port: u16,
    rate: f64,
    running: Vec<Sending>,
    counted: Counted,
    started: u32,
}

impl<'a> Traffic<'a> {
    fn new(sender: Sender<'a>, port: u16, rate: f64) -> Result<Self> {
        let mut traffic = Self {
            sender,
            port,
            rate,
            running: Vec::new(),
            counted: Counted::default(),
            started: 0,
        };
        traffic.start()?;
        Ok(traffic)
    }

    fn start(&mut self) -> Result<()> {
        // Two may run at once, and a name is that of a log.
        let name = format!("load-{}", self.started % 3);
        self.started += 1;
        let load = Load {
            port: self.port,
            path: "/echo",
            rate: Some(self.rate),
            connections: CONNECTIONS,
            seconds: SEGMENT,
            stamp: Some("x-stamp"),
        };
        self.running.push(self.sender.start(&name, &load)?);
        Ok(())
    }

    /// Starts the next generator when it is time, and counts what has ended.
    fn keep_on(&mut self) -> Result<()> {
        let segment = Duration::from_secs_f64(SEGMENT);
        let last = self.running.last();
        if last.is_none_or(|last| last.since.elapsed() + OVERLAP > segment) {
            self.start()?;
        }
        if self.running[0].since.elapsed() > segment + OVERLAP {
            let ended = self.running.remove(0);
            self.count(ended)?;
        }
        Ok(())
    }

    fn count(&mut self, ended: Sending) -> Result<()> {
        let counted = self.sender.finish(ended)?;
        self.counted.done += counted.done;
        self.counted.failed += counted.failed;
        self.counted.mixed += counted.mixed;
        self.counted.p99_us = self.counted.p99_us.max(counted.p99_us);
        Ok(())
    }

    /// Waits for all of them.
    fn finish(mut self) -> Result<Counted> {
        for sending in std::mem::take(&mut self.running) {
            self.count(sending)?;
        }
        Ok(self.counted)
    }
}
