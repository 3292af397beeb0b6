//! `cargo xtask soak edge`: what clients at the edge can make the gateway hold and
//! do, and what a bystander notices of it.
//!
//! Four parts: connections that stall in many ways, all at once; fields that are
//! short on the wire and long in memory; floods of frames of HTTP/2; three times
//! the requests that can be served. A bystander asks at a fixed rate during the
//! first and the third.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    arguments::Edge,
    edge_bytes as bytes, edge_report,
    flooder::{self, Flooders, Sent},
    overload::{self, Overload},
    report,
    sender::Load,
    stage::{Gateway, SMALL, Stage},
    turns::{Turn, enough},
};
use crate::{bench::load::tool::Counted, interrupt};

/// What a client may take to send a head, and the next byte of a body.
const DEADLINE: Duration = Duration::from_secs(10);
/// The bystander's.
const PATH: &str = "/fine";
/// How long the bystander asks around connections that stall.
const STALLED_FOR: Duration = Duration::from_secs(25);
/// Connections and streams of the bomb.
const BOMBS: u8 = 20;
const STREAMS: u32 = 100;
/// Fields of one request of it.
const FIELDS: usize = 400;

/// What counts connections that are closed before they can flood again.
const TURNED_AWAY: &str = "portcullis_refused_total";
const PENALTY: &str = "reason=\"flood_penalty\"";

/// What was measured.
pub(crate) struct Outcome {
    pub(crate) stalled: Stalled,
    pub(crate) bomb: Bomb,
    pub(crate) floods: Vec<Flood>,
    pub(crate) overload: Overload,
}

/// Connections that stalled.
pub(crate) struct Stalled {
    pub(crate) connections: usize,
    pub(crate) bytes_each: f64,
    /// From the last byte that was sent to the connection's end, in seconds.
    pub(crate) ended_after: Vec<f64>,
    pub(crate) left_open: usize,
    pub(crate) bystander: Counted,
}

/// Fields that are long in memory.
pub(crate) struct Bomb {
    pub(crate) sent: usize,
    pub(crate) held: f64,
}

/// One flood.
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    pub(crate) turns: Vec<Turn<Sent>>,
}

/// Measures all of it, and holds it to its bounds.
pub(crate) fn run(arguments: &Edge) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let mut stage = Stage::set(&arguments.common, SMALL, &interrupted)?;
    let seconds = DEADLINE.as_secs();
    let most = arguments.connections + 1_000;
    // It is closed when it has been told, and a ping's time is over.
    let idle = seconds - 1;
    let config = format!(
        "  - {{ name: fine, match: {{ path: {PATH} }}, service: origin, timeout: 60s }}\n\
         limits: {{ head_timeout: {seconds}s, body_timeout: {seconds}s, \
         connections_per_client: {most}, http2: {{ idle_timeout: {idle}s, ping_timeout: 1s }} }}\n"
    );
    let mut gateway = stage.gateway("edge", &[], &config)?;
    let (stalled, bomb) = (stalled(&stage, &mut gateway, arguments)?, bomb(&gateway)?);
    let floods = floods(&stage, &mut gateway, arguments)?;
    drop(gateway);
    let outcome = Outcome {
        stalled,
        bomb,
        floods,
        overload: overload::measure(&mut stage, arguments)?,
    };
    let results = edge_report::results(arguments, &outcome);
    println!("\n{}", results.table);
    report::write(&[("edge.md", &results.table), ("edge.json", &results.record)])?;
    report::judge(&results.bounds)
}

fn load(gateway: &Gateway, arguments: &Edge, time: Duration) -> Load<'static> {
    Load {
        port: gateway.port,
        path: PATH,
        rate: Some(arguments.common.rate),
        connections: 16,
        seconds: time.as_secs_f64(),
        stamp: None,
    }
}

fn connect(gateway: &Gateway) -> Result<TcpStream> {
    Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port))?)
}

/// Opens connections that stall, and waits for their end.
fn stalled(stage: &Stage<'_>, gateway: &mut Gateway, arguments: &Edge) -> Result<Stalled> {
    let sender = stage.sender();
    // What is made once, for whomever, is nobody's.
    sender.finish(sender.start("warm-up", &load(gateway, arguments, Duration::from_secs(2)))?)?;
    let before = gateway.memory().0;
    let bystander = sender.start("bystander", &load(gateway, arguments, STALLED_FOR))?;
    let mut open = Vec::with_capacity(arguments.connections);
    for number in 0..arguments.connections {
        let mut stream = connect(gateway)?;
        stream.write_all(bytes::STALLS[number % bytes::STALLS.len()].1)?;
        stream.set_nonblocking(true)?;
        open.push((stream, Instant::now()));
    }
    let connections = open.len();
    // Those who shook hands are accepted a little later.
    sleep(Duration::from_millis(500));
    let bytes_each = (gateway.memory().0 - before) * f64::from(1 << 20) / connections as f64;
    let mut ended_after = Vec::new();
    let until = Instant::now() + DEADLINE + Duration::from_secs(6);
    while !open.is_empty() && Instant::now() < until {
        stage.check()?;
        gateway.check()?;
        open.retain_mut(|(stream, since)| {
            let ended = has_ended(stream);
            if ended {
                ended_after.push(since.elapsed().as_secs_f64());
            }
            !ended
        });
        sleep(Duration::from_millis(50));
    }
    let left_open = open.len();
    drop(open);
    Ok(Stalled {
        connections,
        bytes_each,
        ended_after,
        left_open,
        bystander: sender.finish(bystander)?,
    })
}

/// True if the other side has closed. What it says before is passed over.
fn has_ended(stream: &mut TcpStream) -> bool {
    let mut said = [0; 4 << 10];
    loop {
        match stream.read(&mut said) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Sends requests of many short fields whose answers cannot leave.
fn bomb(gateway: &Gateway) -> Result<Bomb> {
    let before = gateway.memory().0;
    let request = bytes::bomb(STREAMS, FIELDS);
    let mut open = Vec::new();
    for number in 0..BOMBS {
        // More requests than a connection may have are a flood: what comes next
        // comes from somebody else.
        let from = Ipv4Addr::new(127, 0, 1, 1 + number);
        let mut stream = flooder::connect(from, gateway.port)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(&request)?;
        ensure!(
            bytes::is_through(&mut stream),
            "a connection was not served that asks for no more than it may"
        );
        open.push(stream);
    }
    let held = (gateway.memory().0 - before) * f64::from(1 << 20);
    Ok(Bomb {
        sent: request.len() * open.len(),
        held: held.max(0.0),
    })
}

/// All floods, one after the other, each in turns with none.
fn floods(stage: &Stage<'_>, gateway: &mut Gateway, arguments: &Edge) -> Result<Vec<Flood>> {
    let all = bytes::floods().into_iter();
    all.map(|(name, bytes)| {
        let bytes = Arc::new(bytes);
        let mut turns = Vec::new();
        while !enough(&turns, arguments.repeats) {
            let turn = turn(stage, gateway, arguments, &bytes)?;
            println!(
                "{name:16} {}: p99 {:6.0} µs without, {:6.0} µs with; {} failed",
                turns.len() + 1,
                turn.before.p99_us,
                turn.under.p99_us,
                turn.under.failed
            );
            turns.push(turn);
        }
        Ok(Flood { name, turns })
    })
    .collect()
}

/// The bystander alone, and while clients flood.
fn turn(
    stage: &Stage<'_>,
    gateway: &mut Gateway,
    arguments: &Edge,
    bytes: &Arc<Vec<u8>>,
) -> Result<Turn<Sent>> {
    let time = Duration::from_secs_f64(arguments.seconds / f64::from(arguments.repeats));
    let sender = stage.sender();
    let alone = sender.start("without", &load(gateway, arguments, time))?;
    let before = sender.finish(alone)?;
    let away = gateway.metric(TURNED_AWAY, PENALTY);
    let flooders = Flooders::start(gateway.port, bytes);
    let under = sender.start("with", &load(gateway, arguments, time))?;
    let under = sender.finish(under);
    let mut attack = flooders.stop();
    gateway.check()?;
    let more = gateway.metric(TURNED_AWAY, PENALTY);
    attack.turned_away = more.zip(away).map_or(f64::NAN, |(more, away)| more - away);
    Ok(Turn {
        before,
        under: under?,
        attack,
    })
}
