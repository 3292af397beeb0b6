//! `cargo xtask soak hostile`: what other routes notice of a hostile plugin.
//!
//! For each class a gateway with three routes: the usual one, whose filter sets a
//! header and which has nine tenths of the traffic; one that is like it; and the
//! hostile one. In turns the last tenth goes to the second and to the third, so
//! that both times there is as much traffic, in the same minute.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    arguments::Hostile,
    classes::{self, Class},
    guests, hostile_report, report,
    sender::Load,
    stage::{Gateway, SMALL, Stage},
    stops,
    turns::{Turn, enough},
};
use crate::{bench::load::tool::Counted, interrupt, plugins};

/// What a call may take: the gateway's own default.
pub(crate) const BUDGET: Duration = Duration::from_millis(50);

/// The path of the usual traffic.
pub(crate) const FINE: &str = "/fine";
pub(crate) const OTHERS_CONNECTIONS: u32 = 32;
const ATTACK_CONNECTIONS: u32 = 8;
const WARM_UP: f64 = 1.0;
/// How long what is under way at the end of a window may take.
const CALM_WITHIN: Duration = Duration::from_secs(30);

/// What was measured of one class.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// What an attack did is what became of the hostile traffic.
    pub(crate) turns: Vec<Turn<Counted>>,
    /// MiB before the first attack, after the last, and at most.
    pub(crate) memory: [f64; 3],
    /// Calls of the hostile plugin that failed.
    pub(crate) failures: f64,
}

/// Measures all classes, and holds them to their bounds.
pub(crate) fn run(arguments: &Hostile) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let mut stage = Stage::set(&arguments.common, SMALL, &interrupted)?;
    let plugin = guests::hostile()?;
    let wanted = |class: &&Class| {
        arguments.only.is_empty()
            || arguments
                .only
                .iter()
                .any(|part| class.name.contains(&**part))
    };
    let mut outcomes = Vec::new();
    for class in classes::ALL.iter().filter(wanted) {
        outcomes.push(endure(&mut stage, class, &plugin, arguments)?);
    }
    let times = match arguments.stops {
        0 => Vec::new(),
        _ => stops::measure(&mut stage, &plugin, arguments)?,
    };
    let results = hostile_report::results(arguments, &outcomes, &times);
    println!("\n{}", results.table);
    report::write(&[
        ("hostile.md", &results.table),
        ("hostile.json", &results.record),
    ])?;
    report::judge(&results.bounds)
}

/// All turns of one class, with a gateway of its own.
fn endure(
    stage: &mut Stage<'_>,
    class: &Class,
    plugin: &[u8],
    arguments: &Hostile,
) -> Result<Outcome> {
    let headers = header_filter()?;
    let raw = guests::raw("grow-table")?;
    let files = [
        ("headers", &*headers),
        ("hostile", plugin),
        ("grow-table", &raw),
    ];
    let config = usual_routes()
        + &format!(
            "  - name: hostile\n    match: {{ path: /hostile }}\n    pipeline: [{}]\n    \
             service: origin\n",
            class.step()
        );
    let mut gateway = stage.gateway(&class.id(), &files, &config)?;
    window(stage, &mut gateway, "/tame", WARM_UP, arguments)?;
    let before = gateway.memory().0;
    let seconds = arguments.seconds / f64::from(arguments.repeats);
    let mut turns = Vec::new();
    while !enough(&turns, arguments.repeats) {
        let (before, _) = window(stage, &mut gateway, "/tame", seconds, arguments)?;
        let (under, attack) = window(stage, &mut gateway, "/hostile", seconds, arguments)?;
        println!(
            "{:16} {}: p99 {:6.0} µs without, {:6.0} µs with; {} others failed",
            class.name,
            turns.len() + 1,
            before.p99_us,
            under.p99_us,
            under.failed
        );
        turns.push(Turn {
            before,
            under,
            attack,
        });
    }
    let (after, peak) = gateway.memory();
    let failures = gateway.metric("portcullis_filter_errors_total", "route=\"hostile\"");
    Ok(Outcome {
        name: class.name,
        turns,
        memory: [before, after, peak],
        failures: failures.unwrap_or(f64::NAN),
    })
}

/// The usual traffic and a tenth to another path, for some seconds.
fn window(
    stage: &Stage<'_>,
    gateway: &mut Gateway,
    path: &str,
    seconds: f64,
    arguments: &Hostile,
) -> Result<(Counted, Counted)> {
    let sender = stage.sender();
    let load = |path, share, connections| Load {
        port: gateway.port,
        path,
        rate: Some(arguments.common.rate * share),
        connections,
        seconds,
        stamp: None,
    };
    let usual = sender.start("load-usual", &load(FINE, 0.9, OTHERS_CONNECTIONS))?;
    let other = sender.start("load-other", &load(path, 0.1, ATTACK_CONNECTIONS))?;
    let counted = (sender.finish(usual)?, sender.finish(other)?);
    gateway.check()?;
    calm_down(stage, gateway)?;
    Ok(counted)
}

/// Waits until nothing of a window is left, so that the next begins afresh.
fn calm_down(stage: &Stage<'_>, gateway: &mut Gateway) -> Result<()> {
    let deadline = Instant::now() + CALM_WITHIN;
    while gateway.metric("portcullis_requests_in_flight", "") != Some(0.0) {
        stage.check()?;
        gateway.check()?;
        ensure!(
            Instant::now() < deadline,
            "requests are in flight that nobody waits for"
        );
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The usual route and one that is like it.
pub(crate) fn usual_routes() -> String {
    let route = |name| {
        format!(
            "  - name: {name}\n    match: {{ path: /{name} }}\n    pipeline: [{{ plugin: headers, \
             config: {{ response: {{ set: {{ x-soak: {name} }} }} }} }}]\n    service: origin\n"
        )
    };
    route("fine") + &route("tame")
}

/// The standard plugin of the usual routes.
pub(crate) fn header_filter() -> Result<Vec<u8>> {
    let file = plugins::directory().join("headers.wasm");
    fs::read(&file).with_context(|| format!("{}: cargo xtask plugins builds it", file.display()))
}
