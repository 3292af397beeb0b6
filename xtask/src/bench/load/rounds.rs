//! Warms up, and measures everybody in rounds, each in the reverse order of the
//! one before, so that a slow minute of the machine is nobody's alone.

use std::env;

use anyhow::Result;

use super::{
    Arguments, measure,
    results::{Mode, Settings},
    site::Pinning,
    start::Runner,
    tool::Tool,
};
use crate::{interrupt, process::Process};

const WARM_UP_SECONDS: f64 = 1.0;

/// What will be written about how it was measured.
pub(crate) fn settings(arguments: &Arguments, pinning: Pinning) -> Settings {
    let words: Vec<_> = env::args().skip(1).collect();
    Settings {
        command: format!("cargo xtask {}", words.join(" ")),
        seconds: arguments.seconds,
        rounds: arguments.rounds,
        connections: arguments.connections,
        workers: arguments.workers,
        rate: arguments.rate,
        body: arguments.body,
        pinning,
    }
}

/// Measures all; samples go to the runners. A contender that ends is left out
/// from then on.
pub(crate) fn all(
    runners: &mut [Runner],
    origin: &Process,
    tool: &Tool,
    arguments: &Arguments,
) -> Result<()> {
    let both = arguments.seconds * f64::from(arguments.rounds) * 2.0 + WARM_UP_SECONDS;
    let minutes = both * runners.len() as f64 / 60.0;
    println!(
        "measuring {} contenders: {minutes:.1} minutes",
        runners.len()
    );
    for runner in runners.iter_mut() {
        let seconds = WARM_UP_SECONDS.min(arguments.seconds);
        let warm = tool.run(runner.port, Mode::Closed, seconds);
        runner.survive(warm.map(|_| ()), tool)?;
    }
    for round in 1..=arguments.rounds {
        for place in 0..runners.len() {
            let last = runners.len() - 1;
            let runner = &mut runners[if round % 2 == 1 { place } else { last - place }];
            if runner.epitaph.is_none() {
                let measured = runner.measure(origin, tool, round);
                runner.survive(measured, tool)?;
            }
        }
    }
    Ok(())
}

impl Runner {
    fn measure(&mut self, origin: &Process, tool: &Tool, round: u32) -> Result<()> {
        let mut line = format!("round {round}: {:24}", self.contender.id);
        for mode in Mode::BOTH {
            let sample = measure::sample(self, origin.pid(), tool, mode, round)?;
            let (cpu, p99) = (sample.cpu_us, sample.p99_us);
            line += &format!("  {}: {cpu:6.2} µs, p99 {p99:7.0} µs", mode.name());
            if sample.failed > 0 {
                line += &format!(", {} failed", sample.failed);
            }
            self.samples.push(sample);
        }
        println!("{line}");
        Ok(())
    }

    /// Notes how a contender ended, if that is why something failed.
    fn survive(&mut self, outcome: Result<()>, tool: &Tool) -> Result<()> {
        interrupt::check(tool.interrupted)?;
        let ended = self.process.ended()?;
        let epitaph = ended.map(|status| self.process.epitaph(status));
        let epitaph = epitaph.or_else(|| outcome.err().map(|error| format!("{error:#}")));
        if let Some(epitaph) = &epitaph {
            println!("left out from now on: {}: {epitaph}", self.contender.id);
        }
        self.epitaph = epitaph;
        Ok(())
    }
}
