//! A plugin with a configuration: a template that makes instances.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crossbeam_queue::ArrayQueue;

use crate::{
    config::{Allow, PluginLimits, QuarantinePolicy},
    observe::Limit,
};

use super::{
    ConfigureError, HostServices, Instance, Lanes, LoadError, Names, Plugin, PluginError,
    PluginErrorKind, Quarantine,
    allowance::{Allowance, Kept, Room},
    capability::Grants,
    faults::Use,
    instance::Host,
    link::{self, Linked},
    log_budget::{FAILURE_LINES, Line},
};

/// What a step says of its plugin, and what a snapshot adds.
pub struct ConfiguredOptions {
    /// The configuration as JSON text; `{}` if the step has none.
    pub config: String,
    /// What it may use.
    pub limits: PluginLimits,
    /// The capabilities lent.
    pub allow: Allow,
    /// Whose counters and stored values it sees; the plugin's name, unless it
    /// shares those of others or has some of its own.
    pub namespace: String,
    /// When failures are too many.
    pub quarantine: QuarantinePolicy,
    /// The service that it picks instances of, if it is a balancer.
    pub service: Option<String>,
    /// The names of the snapshot's routes and services.
    pub names: Arc<Names>,
    /// What the gateway lends.
    pub services: Arc<HostServices>,
}

/// A plugin with a configuration. Shared by all workers.
pub struct Configured {
    plugin: Arc<Plugin>,
    linked: Linked,
    config: String,
    host: Host,
    quarantine: Arc<Quarantine>,
    /// Whether its start hook has been called, by whoever has the same use of it.
    started: Arc<AtomicBool>,
    /// An instance that waits for one to fail.
    spare: ArrayQueue<Instance>,
}

impl Configured {
    /// Checks the grants, and links. Whether the plugin accepts the
    /// configuration is known when the first instance is made.
    ///
    /// # Errors
    ///
    /// What the plugin needs and is not granted; a configuration for a plugin
    /// that takes none.
    pub fn new(plugin: Arc<Plugin>, options: ConfiguredOptions) -> Result<Self, ConfigureError> {
        let grants = Grants::of(&options.allow);
        let mut ungranted = link::ungranted(&plugin.compiled().called, grants);
        ungranted.retain(|(_, capability)| !plugin.does_without(*capability));
        if !ungranted.is_empty() {
            return Err(ConfigureError::ungranted(ungranted));
        }
        if !plugin.hooks().configuration && !is_empty(&options.config) {
            return Err(ConfigureError::TakesNone);
        }
        let linked = plugin
            .compiled()
            .linked(grants)
            .map_err(|error| ConfigureError::Link(format!("{error:#}")))?;
        let used = Use {
            plugin: Arc::clone(&plugin.identity().name),
            hash: plugin.hash().to_owned(),
            config: options.config.clone(),
            bounds: format!("{:?} {:?}", options.limits, options.allow),
            service: options.service,
            policy: format!("{:?}", options.quarantine),
        };
        let services = &options.services;
        let policy = options.quarantine;
        let started = services.faults.started(&used);
        let quarantine = (services.faults).quarantine(used, policy, &services.metrics);
        let allowance = Allowance::new(
            plugin.name(),
            &options.namespace,
            options.limits,
            &options.allow,
            &options.services.metrics,
        );
        let tempo = Arc::clone(quarantine.tempo());
        Ok(Self {
            quarantine,
            started,
            plugin,
            linked,
            config: options.config,
            host: Host {
                names: options.names,
                services: options.services,
                allowance,
                tempo,
            },
            spare: ArrayQueue::new(1),
        })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Counts that the plugin met one of its limits.
    pub fn limited(&self, limit: Limit) {
        self.host.allowance.limited(limit);
    }

    /// To count what is kept of a body for it.
    pub fn keep(&self) -> Kept {
        Kept::new(&self.host.allowance)
    }

    /// Whether it may be called; shared by all that have the same plugin and
    /// configuration.
    pub fn quarantine(&self) -> &Arc<Quarantine> {
        &self.quarantine
    }

    /// Whether its start hook is still to be called.
    pub fn awaits_start(&self) -> bool {
        self.plugin.hooks().startup && !self.started.load(Ordering::Acquire)
    }

    /// Its start hook went well: it is not called again as long as somebody has
    /// this plugin with this configuration.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// An error that is not the plugin's.
    pub fn not_called(&self, message: &str) -> PluginError {
        let identity = self.plugin.identity();
        identity.error(PluginErrorKind::Unavailable, message)
    }

    /// The threads for its calls, where they take long.
    pub fn lanes(&self) -> &Arc<Lanes> {
        &self.plugin.threads().lanes
    }

    /// What it may use.
    pub fn limits(&self) -> &PluginLimits {
        &self.host.allowance.limits
    }

    /// The error of a call for which there is no room in the line.
    pub fn line_is_full(&self) -> PluginError {
        self.host.allowance.limited(Limit::Queue);
        let most = self.limits().queue;
        let message = format!("takes long, and has {most} calls waiting for their turn already");
        self.error(PluginErrorKind::Busy, message)
    }

    /// The error of a call that took longer than `wait_timeout`.
    pub fn waited_too_long(&self) -> PluginError {
        self.host.allowance.limited(Limit::WaitTimeout);
        let limit = self.limits().wait_timeout;
        let message = format!("waited for longer than it may ({limit:?})");
        self.error(PluginErrorKind::Timeout, message)
    }

    /// The error of a call of which nothing came, by a mistake of the gateway's.
    pub fn broke_off(&self) -> PluginError {
        self.error(PluginErrorKind::Trap, "was not called to the end")
    }

    /// How many lines of failures were lost before one that may be logged now;
    /// none if this one is lost too.
    pub fn failure_line(&self) -> Option<u64> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let second = since_epoch.unwrap_or_default().as_secs();
        match self.plugin.identity().failures.take(second, FAILURE_LINES) {
            Line::Write => Some(0),
            Line::WriteAfter(lost) => Some(lost),
            Line::Lose => None,
        }
    }

    /// Makes an instance and hands it its configuration: some 20 µs, and what
    /// the plugin's own `configure` takes, up to the start timeout.
    ///
    /// # Errors
    ///
    /// `Fail` with the plugin's own words if it refuses the configuration.
    pub fn instantiate(&self) -> Result<Instance, PluginError> {
        let made = Instance::new(&self.plugin, &self.linked, &self.host);
        let mut instance = made.map_err(|error| match error {
            LoadError::Describe(error) => error,
            other => self.error(PluginErrorKind::Trap, other.to_string()),
        })?;
        instance.configure(&self.config)?;
        instance.store.data_mut().start_serving();
        Ok(instance)
    }

    /// Whether its instances may wait for others while they are called, so that
    /// several are at work at once on one worker.
    pub fn waits(&self) -> bool {
        self.linked.waits
    }

    /// Room for one more instance at work, over all workers; it is given back by
    /// dropping it.
    ///
    /// # Errors
    ///
    /// `Busy` if there are as many as there may be.
    pub fn admit(&self) -> Result<Room, PluginError> {
        self.host.allowance.admit().ok_or_else(|| {
            let most = self.host.allowance.limits.instances;
            let message = format!("has its {most} instances at once already");
            self.plugin.identity().error(PluginErrorKind::Busy, message)
        })
    }

    /// An instance that one request has to itself, as long as it lives.
    ///
    /// # Errors
    ///
    /// As `admit` and `instantiate`.
    pub fn isolated(&self) -> Result<Instance, PluginError> {
        let room = self.admit()?;
        let mut instance = self.instantiate_for_a_call()?;
        instance.room = Some(room);
        Ok(instance)
    }

    /// An instance in place of one that failed: the spare, if there is one. The
    /// next is made elsewhere meanwhile.
    ///
    /// # Errors
    ///
    /// As `instantiate`.
    pub fn replacement(&self) -> Result<Instance, PluginError> {
        self.host.services.faults.spare_taken();
        match self.spare.pop() {
            Some(spare) => Ok(spare),
            None => self.instantiate_for_a_call(),
        }
    }

    /// The same as `instantiate`, while a request waits: if it takes long, the
    /// plugin does.
    fn instantiate_for_a_call(&self) -> Result<Instance, PluginError> {
        let tempo = self.quarantine.tempo();
        tempo.making(self.plugin.name(), || self.instantiate())
    }

    /// Makes the spare if it is missing. Off the workers.
    ///
    /// # Errors
    ///
    /// As `instantiate`.
    pub fn refill(&self) -> Result<(), PluginError> {
        if self.spare.is_empty() {
            // Somebody else may have been quicker; then this one is dropped.
            let _ = self.spare.push(self.instantiate()?);
        }
        Ok(())
    }

    fn error(&self, kind: PluginErrorKind, message: impl Into<String>) -> PluginError {
        self.plugin.identity().error(kind, message)
    }
}

fn is_empty(config: &str) -> bool {
    matches!(
        serde_json::from_str(config),
        Ok(serde_json::Value::Object(fields)) if fields.is_empty()
    ) || matches!(config.trim(), "" | "null")
}
