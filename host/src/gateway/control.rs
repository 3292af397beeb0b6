//! The tasks of the control thread: reloads, health checks, sweeping.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{discovery::Checker, snapshot::Current};

use super::entrances::Entrances;
use super::reload::{Outcome, Reloader};

/// How often expired state and registrations are removed.
const SWEEP: Duration = Duration::from_secs(1);

/// The least time between two rounds of making spare instances, so that a flood
/// of traps keeps no thread busy.
const REFILL: Duration = Duration::from_millis(10);

/// Starts the tasks. They end when the set is dropped.
pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    reloader: Reloader,
    entrances: Entrances,
    current: Arc<Current>,
) {
    let reloader = Arc::new(reloader);
    tasks.spawn_local(Checker::run(
        Arc::clone(reloader.registry()),
        std::future::pending(),
    ));
    tasks.spawn_local(sweep(Arc::clone(&reloader), Arc::clone(&current)));
    tasks.spawn_local(refill(Arc::clone(&reloader), Arc::clone(&current)));
    tasks.spawn_local(reload(reloader, entrances, current));
}

/// Reloads whenever a file changed; one at a time.
async fn reload(reloader: Arc<Reloader>, entrances: Entrances, current: Arc<Current>) {
    let mut changes = reloader.watch();
    while changes.changed().await {
        let worker = Arc::clone(&reloader);
        let reloaded = tokio::task::spawn_blocking(move || worker.reload()).await;
        match reloaded {
            Ok(Outcome::Changed(snapshot)) => {
                entrances.follow(&snapshot);
                current.swap(*snapshot);
            }
            Ok(Outcome::Unchanged | Outcome::Refused) => {}
            Err(panic) => tracing::error!("a reload ended by a panic: {panic}"),
        }
        changes.watch_also(reloader.files());
    }
}

async fn sweep(reloader: Arc<Reloader>, current: Arc<Current>) {
    let mut every = interval(SWEEP);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let worker = Arc::clone(&reloader);
        let snapshot = current.load();
        if let Err(panic) = tokio::task::spawn_blocking(move || worker.sweep(&snapshot)).await {
            tracing::error!("sweeping ended by a panic: {panic}");
        }
    }
}

/// Makes spare instances as soon as workers have taken some.
async fn refill(reloader: Arc<Reloader>, current: Arc<Current>) {
    loop {
        reloader.spare_taken().await;
        let snapshot = current.load();
        let refilled = tokio::task::spawn_blocking(move || snapshot.refill_spares()).await;
        if let Err(panic) = refilled {
            tracing::error!("making spare instances ended by a panic: {panic}");
        }
        sleep(REFILL).await;
    }
}
