//! The open loop: requests become due at random moments at a fixed rate, and
//! wait if no connection is free. A latency counts from the moment the request
//! was due, so that a gateway that stalls cannot hide what it kept waiting.

use std::{
    cell::RefCell,
    num::NonZeroUsize,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinSet,
};

use crate::{
    alarm::Alarm,
    arrivals::Arrivals,
    client::Client,
    closed::{connect, finish},
    tally::Tally,
    target::Target,
};

/// The requests that are due. The lock is fair: connections take turns.
type Due = Mutex<UnboundedReceiver<Instant>>;

/// Sends for a while at a rate in requests per second, and waits for the last
/// answers. Runs in a `LocalSet`.
///
/// # Errors
///
/// If the connections cannot be made to begin with, or there are no timers.
pub(crate) async fn run(
    target: Target,
    connections: NonZeroUsize,
    duration: Duration,
    rate: f64,
) -> Result<Tally> {
    let clients = connect(target, connections).await?;
    let alarm = Alarm::new()?;
    let tally = Rc::new(RefCell::new(Tally::new()));
    let (sender, receiver) = unbounded_channel();
    let due = Rc::new(Mutex::new(receiver));
    let mut loops = JoinSet::new();
    for client in clients {
        loops.spawn_local(serve(client, Rc::clone(&due), Rc::clone(&tally)));
    }
    make_due(&tally, alarm, duration, rate, sender).await?;
    finish(loops, &tally, Duration::ZERO).await;
    Ok(tally.replace(Tally::new()))
}

/// Makes requests due, each at its moment. When it ends, so do the connections
/// once they have sent all that is due.
async fn make_due(
    tally: &RefCell<Tally>,
    mut alarm: Alarm,
    duration: Duration,
    rate: f64,
    sender: UnboundedSender<Instant>,
) -> Result<()> {
    let started = tally.borrow().started();
    for after in Arrivals::at(rate).take_while(|after| *after < duration) {
        let moment = started + after;
        alarm.until(moment).await?;
        tally.borrow_mut().begin();
        // Its receiver lives as long as the connections, which end after it.
        let _ = sender.send(moment);
    }
    Ok(())
}

async fn serve(mut client: Client, due: Rc<Due>, tally: Rc<RefCell<Tally>>) {
    while let Some(moment) = next(&due).await {
        let response = client.send().await;
        match response {
            Ok(answer) => tally.borrow_mut().answered(&answer, moment),
            Err(_) => tally.borrow_mut().failed(),
        }
    }
}

async fn next(due: &Due) -> Option<Instant> {
    due.lock().await.recv().await
}
