//! How long an endless loop really runs before it is stopped.
//!
//! One client sends one request after the other, each to a loop, while the usual
//! traffic goes on. There are many routes with a configuration each, since a
//! plugin that fails too often may be kept from running: that is told apart by
//! its answers coming at once, and such answers time nothing.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    arguments::Hostile,
    hostile::{BUDGET, FINE, OTHERS_CONNECTIONS},
    sender::Load,
    stage::Stage,
};

/// Loops of one route before the next has its turn.
const EACH: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// Times loops, in milliseconds each.
pub(crate) fn measure(
    stage: &mut Stage<'_>,
    plugin: &[u8],
    arguments: &Hostile,
) -> Result<Vec<f64>> {
    let routes = arguments.stops.div_ceil(EACH);
    println!("timing {} endless loops", arguments.stops);
    let loops = (0..routes).map(|number| {
        format!(
            "  - name: loop-{number}\n    match: {{ path: /loop/{number} }}\n    \
             pipeline: [{{ plugin: hostile, config: \"request:spin#{number}\" }}]\n    \
             service: origin\n"
        )
    });
    let config = super::hostile::usual_routes() + &loops.collect::<String>();
    let headers = super::hostile::header_filter()?;
    let files = [("hostile", plugin), ("headers", &*headers)];
    let mut gateway = stage.gateway("stops", &files, &config)?;
    let sender = stage.sender();
    let usual = sender.start(
        "load-usual",
        &Load {
            port: gateway.port,
            path: FINE,
            rate: Some(arguments.common.rate * 0.9),
            connections: OTHERS_CONNECTIONS,
            seconds: f64::from(arguments.stops) * BUDGET.as_secs_f64(),
            stamp: None,
        },
    )?;
    let mut took = Vec::new();
    for number in 0..arguments.stops {
        stage.check()?;
        gateway.check()?;
        let answer = ask(gateway.port, number % routes)?;
        took.extend((answer >= BUDGET * 9 / 10).then_some(answer.as_secs_f64() * 1e3));
    }
    sender.finish(usual)?;
    ensure!(!took.is_empty(), "no loop ran until it was stopped");
    Ok(took)
}

/// One loop, on a connection of its own; how long its answer took.
fn ask(port: u16, route: u32) -> Result<Duration> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let asked = Instant::now();
    write!(stream, "GET /loop/{route} HTTP/1.1\r\nhost: a\r\n\r\n")?;
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    let took = asked.elapsed();
    read.context("a loop was not stopped")?;
    ensure!(&answer == b"HTTP/1.1 503", "a loop is not answered 503");
    Ok(took)
}

/// What a share of some times stays within; a share of few is the longest.
pub(crate) fn quantile(times: &[f64], share: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let rank = (share * times.len() as f64).ceil().max(1.0) as usize;
    times.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_few_is_the_longest() {
        let times: Vec<_> = (1..=1000).rev().map(f64::from).collect();
        assert_eq!(quantile(&times, 0.999), 999.0);
        assert_eq!(quantile(&times[..100], 0.999), 1000.0);
        assert_eq!(quantile(&times, 0.5), 500.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
