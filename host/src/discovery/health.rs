//! Active health checks: asks every instance of a service that wants it.
//!
//! One task per instance on the control thread, started and stopped as
//! instances come and go. What a check finds is kept in the instance's gauges,
//! so a reload forgets nothing.

use std::{collections::HashMap, error::Error, pin::pin, rc::Rc, sync::Arc, time::Duration};

use http::Uri;
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, spawn_local},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{gauges::Transition, instance::Instance, registry::Registry, service::Service};
use crate::{
    config::HealthCheck,
    upstream::probe::{ProbeError, probe},
};

/// Checks that may be under way at the same time.
const CONCURRENCY: usize = 64;

/// The health checks of all services.
pub struct Checker {
    permits: Rc<Semaphore>,
    /// By the instances' numbers.
    running: HashMap<u32, Running>,
}

/// A task that is stopped when this is dropped.
struct Running {
    check: HealthCheck,
    task: AbortHandle,
}

impl Checker {
    /// Checks until `shutdown` resolves. Follows every change of the registry
    /// by itself. Must run within a `LocalSet`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all checks.
    pub async fn run(registry: Arc<Registry>, shutdown: impl Future<Output = ()>) {
        let mut checker = Self {
            permits: Rc::new(Semaphore::new(CONCURRENCY)),
            running: HashMap::new(),
        };
        let mut changes = registry.changes();
        let mut shutdown = pin!(shutdown);
        loop {
            checker.follow(&registry);
            tokio::select! {
                () = &mut shutdown => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Starts what is missing, stops what is not wanted any more, and leaves
    /// alone what goes on.
    fn follow(&mut self, registry: &Registry) {
        let mut before = std::mem::take(&mut self.running);
        for service in registry.services() {
            let Some(check) = service.health_check() else {
                continue;
            };
            for member in service.members() {
                let instance = member.instance;
                let running = before
                    .remove(&instance.number)
                    .filter(|running| running.check == check)
                    .unwrap_or_else(|| self.start(&service, &instance, &check));
                self.running.insert(instance.number, running);
            }
        }
    }

    fn start(
        &self,
        service: &Arc<Service>,
        instance: &Arc<Instance>,
        check: &HealthCheck,
    ) -> Running {
        let task = spawn_local(look_after(
            service.clone(),
            instance.clone(),
            check.clone(),
            self.permits.clone(),
        ));
        Running {
            check: check.clone(),
            task: task.abort_handle(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Checks one instance again and again, beginning at a random point of the
/// interval, so that instances that came together are not asked together.
async fn look_after(
    service: Arc<Service>,
    instance: Arc<Instance>,
    check: HealthCheck,
    permits: Rc<Semaphore>,
) {
    let Ok(path) = check.path.parse::<Uri>() else {
        tracing::error!(
            service = service.name(),
            path = check.path,
            "not a path to check"
        );
        return;
    };
    let interval = check.interval.max(Duration::from_millis(1));
    let first = Instant::now() + interval.mul_f64(fastrand::f64());
    let mut ticks = interval_at(first, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let result = match permits.acquire().await {
            Ok(_permit) => probe(&instance.target, &path, check.timeout).await,
            Err(_closed) => return,
        };
        note(&service, &instance, result);
    }
}

/// Records a result, and says so if it changes anything.
fn note(service: &Service, instance: &Instance, result: Result<(), ProbeError>) {
    let transition = service.checked(instance, result.is_ok());
    let (service, id, address) = (service.name(), &*instance.id, instance.address);
    match (transition, result) {
        (Some(Transition::Healthy), _) => {
            tracing::info!(service, instance = id, %address, "instance is healthy again");
        }
        (Some(Transition::Unhealthy), Err(error)) => {
            let reason = explain(&error);
            tracing::warn!(service, instance = id, %address, reason, "instance is unhealthy");
        }
        _ => {}
    }
}

/// An error with its causes.
fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
