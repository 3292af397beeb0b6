//! Three times the requests that a service can serve, as a part of `soak edge`.
//!
//! The service works on so many requests at once, each of which takes it a time;
//! more wait for their turn there. The gateway lets it have a few more than that,
//! so that it is never without work, and refuses the rest.

use std::time::Duration;

use anyhow::Result;

use super::{
    arguments::Edge,
    sender::{Load, Sender},
    stage::{Gateway, Stage},
    turns::{Turn, enough},
};
use crate::bench::load::tool::Counted;

/// What the service does: 16 requests at once, 20 ms each, so 800 in a second.
const AT_ONCE: u32 = 16;
const DELAY: Duration = Duration::from_millis(20);
/// Clients of the overload. Each has one request under way.
const CLIENTS: u32 = 256;
/// How many times the peak comes.
pub(crate) const TIMES: f64 = 3.0;
const PATH: &str = "/slow";

/// What was measured: the window without is that of the peak.
pub(crate) struct Overload {
    pub(crate) turns: Vec<Turn<()>>,
}

/// Answers of success in a second.
pub(crate) fn goodput(counted: &Counted) -> f64 {
    let good = counted.done - counted.non2xx;
    counted.per_second * good as f64 / counted.done.max(1) as f64
}

/// Requests that were not answered at all.
pub(crate) fn unanswered(counted: &Counted) -> u64 {
    counted.failed - counted.non2xx
}

/// Finds the peak, and sends three times as many.
pub(crate) fn measure(stage: &mut Stage<'_>, arguments: &Edge) -> Result<Overload> {
    let (at_once, delay) = (AT_ONCE.to_string(), DELAY.as_millis().to_string());
    let slow = ["--at-once", &*at_once, "--delay", &*delay];
    let (port, _origin) = stage.another_origin("origin-slow", &slow)?;
    let service = format!("slow: {{ instances: [{{ address: \"127.0.0.1:{port}\" }}] }}");
    // Each worker could keep all of it at work.
    let config = format!(
        "  - {{ name: slow, match: {{ path: {PATH} }}, service: slow, timeout: 60s }}\n\
         limits: {{ requests: {AT_ONCE} }}\n"
    );
    let mut gateway = stage.gateway_to("overload", &[], &service, &config)?;
    let time = arguments.seconds / f64::from(arguments.repeats);
    let sender = stage.sender();
    let mut turns = Vec::new();
    while !enough(&turns, arguments.repeats) {
        let before = window(&sender, &gateway, None, time)?;
        let rate = TIMES * goodput(&before);
        let under = window(&sender, &gateway, Some(rate), time)?;
        gateway.check()?;
        println!(
            "overload         {}: {:5.0} answers per second at the peak, {:5.0} of {rate:.0}",
            turns.len() + 1,
            goodput(&before),
            goodput(&under),
        );
        turns.push(Turn {
            before,
            under,
            attack: (),
        });
    }
    Ok(Overload { turns })
}

/// The peak, if there is no rate: as many clients as the service has room for, and
/// as many again, so that it never waits for one.
fn window(
    sender: &Sender<'_>,
    gateway: &Gateway,
    rate: Option<f64>,
    seconds: f64,
) -> Result<Counted> {
    let load = Load {
        port: gateway.port,
        path: PATH,
        rate,
        connections: if rate.is_some() { CLIENTS } else { AT_ONCE },
        seconds,
        stamp: None,
    };
    sender.finish(sender.start("overload", &load)?)
}
