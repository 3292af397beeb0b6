//! Turns the steps of a configuration into configured plugins, and says of
//! each mistake where it stands.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::{
    config::{
        Allow, Config, Diagnostic, Diagnostics, Isolation, PluginLimits, Position, Service, Step,
    },
    pipeline::{Chooser, SlotIndex},
    plugin::{
        self, ConfigureError, Configured, ConfiguredOptions, HostServices, Names, Plugin,
        PluginError,
    },
};

use super::{Library, seat::Ready, start::Starter};

/// The time between two ticks of a filter whose step says nothing of it.
const TICK: Duration = Duration::from_secs(10);

/// What a step's plugin is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Filter,
    Balancer,
}

/// Configures plugins and collects what is wrong with them.
pub(super) struct Filters<'a> {
    pub(super) config: &'a Config,
    pub(super) library: &'a Library,
    pub(super) names: Arc<Names>,
    pub(super) services: Arc<HostServices>,
    pub(super) mistakes: Diagnostics,
    /// Steps of equal plugin, configuration, grants and limits share one slot.
    slots: HashMap<Key, SlotIndex>,
    /// The filters in use, by slot, each with one instance made already.
    pub(super) ready: Vec<Ready>,
    /// Whether the gateway can do without a required plugin of that name.
    may_miss: &'a dyn Fn(&str) -> bool,
    /// Lets plugins start; none where they are not to.
    starter: Option<Starter<'a>>,
    /// The filters that tick.
    pub(super) ticks: Vec<(SlotIndex, Duration)>,
    /// The required plugins that are done without.
    pub(super) missing: Missing,
}

/// Required plugins that are not there, or do not load, and why.
pub(super) struct Missing {
    pub(super) plugins: BTreeMap<String, String>,
    /// The same for people, with positions.
    pub(super) why: Diagnostics,
}

/// Why there is nothing to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// A mistake, which is noted.
    Wrong,
    /// The plugin is required, and the gateway does without.
    Missing,
}

/// What makes two steps interchangeable.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    plugin: String,
    config: String,
    isolation: Isolation,
    allow: Allow,
    limits: PluginLimits,
    namespace: String,
    tick: Option<Duration>,
}

impl<'a> Filters<'a> {
    pub(super) fn new(
        config: &'a Config,
        library: &'a Library,
        names: Arc<Names>,
        services: Arc<HostServices>,
        mistakes: Diagnostics,
        may_miss: &'a dyn Fn(&str) -> bool,
        starter: Option<Starter<'a>>,
    ) -> Self {
        Self {
            config,
            library,
            names,
            services,
            mistakes,
            slots: HashMap::new(),
            ready: Vec::new(),
            may_miss,
            starter,
            ticks: Vec::new(),
            missing: Missing {
                plugins: BTreeMap::new(),
                why: Diagnostics::new(&config.file),
            },
        }
    }

    /// The slot of a filter; none if there is something wrong with it, or it is
    /// missing and required.
    pub(super) fn filter(&mut self, step: &Step) -> Option<SlotIndex> {
        let same = Key {
            plugin: step.plugin.clone(),
            config: step.config.json.to_string(),
            isolation: step.isolation,
            allow: step.allow.clone(),
            limits: step.limits.clone(),
            namespace: step.namespace.clone(),
            tick: step.tick,
        };
        if let Some(known) = self.slots.get(&same) {
            return Some(*known);
        }
        let ready = self.ready(step, Role::Filter, None).ok()?;
        let slot = SlotIndex(self.ready.len());
        if ready.configured.plugin().hooks().tick {
            self.ticks.push((slot, step.tick.unwrap_or(TICK)));
        }
        self.ready.push(ready);
        self.slots.insert(same, slot);
        Some(slot)
    }

    /// Who picks instances of a service.
    pub(super) fn chooser(&mut self, service: &Service) -> Chooser<Ready> {
        let Some(step) = &service.balancer else {
            return Chooser::Turn;
        };
        match self.ready(step, Role::Balancer, Some(service.name.clone())) {
            Ok(ready) => Chooser::Plugin(ready),
            Err(Absent::Wrong | Absent::Missing) => Chooser::Missing,
        }
    }

    /// A configured plugin with its first instance. A balancer knows the
    /// instances of one service, so it never shares a slot.
    fn ready(&mut self, step: &Step, role: Role, service: Option<String>) -> Result<Ready, Absent> {
        let plugin = self.plugin(step, role)?;
        // A plugin is not asked about what is known to be wrong.
        if !self.check_schema(step, &plugin) || !step.config.broken.is_empty() {
            return Err(Absent::Wrong);
        }
        let options = ConfiguredOptions {
            config: step.config.json.to_string(),
            limits: step.limits.clone(),
            allow: step.allow.clone(),
            namespace: step.namespace.clone(),
            quarantine: self.config.plugins.quarantine,
            service,
            names: Arc::clone(&self.names),
            services: Arc::clone(&self.services),
        };
        let at = step.config.position("").unwrap_or(step.at);
        let key = format!("{}.config", step.key);
        let hint = Some(self.inspect(step));
        let configured = match Configured::new(plugin, options) {
            Ok(configured) => Arc::new(configured),
            Err(error) => {
                let (at, key, hint) = match &error {
                    ConfigureError::Ungranted { capabilities, .. } => {
                        let key = format!("{}.allow", step.key);
                        (step.at, key, Some(granting(step, capabilities)))
                    }
                    _ => (at, key, hint),
                };
                return Err(self.mistake(at, key, error.to_string(), hint));
            }
        };
        let made = Ready::new(&configured);
        let started = made.and_then(|mut ready| self.start(&mut ready).map(|()| ready));
        started.map_err(|error| match error.kind.is_fault() {
            // It does not come so far as to judge its configuration.
            true => self.absent(step, at, key, error.to_string(), hint),
            false => self.mistake(at, key, error.to_string(), hint),
        })
    }

    /// Lets a plugin start, as long as nothing is known that keeps its configuration
    /// from being used.
    fn start(&self, ready: &mut Ready) -> Result<(), PluginError> {
        match &self.starter {
            Some(starter) if self.mistakes.is_empty() => {
                starter.start(&ready.configured, &mut ready.instance)
            }
            _ => Ok(()),
        }
    }

    /// Limits and grants for plugins that are not there are a slip in a name.
    pub(super) fn check_named(&mut self) {
        for (name, named) in &self.config.plugins.named {
            if let Some(message) = self.library.absent(name) {
                let key = format!("plugins.named.{name}");
                let mut mistake = Diagnostic::new(named.at, key, message);
                mistake.hint = Some(self.library.names());
                self.mistakes.push(mistake);
            }
        }
    }

    fn plugin(&mut self, step: &Step, role: Role) -> Result<Arc<Plugin>, Absent> {
        let plugin = match self.library.plugin(&step.plugin) {
            Ok(plugin) => plugin,
            Err((message, hint)) => {
                let hint = hint.or_else(|| Some(self.inspect(step)));
                let key = format!("{}.plugin", step.key);
                return Err(self.absent(step, step.at, key, message, hint));
            }
        };
        let hooks = plugin.hooks();
        let (fits, message) = match role {
            Role::Filter => (
                hooks.is_filter(),
                "is no filter: it exports no hook of requests, responses, bodies, completion or ticks",
            ),
            Role::Balancer => (
                hooks.balancer,
                "is no balancer: it does not export the balancer interface",
            ),
        };
        if !fits {
            let hint = self.library.with_role(role);
            return Err(self.mistake(
                step.at,
                format!("{}.plugin", step.key),
                format!("the plugin `{}` {message}", step.plugin),
                Some(hint),
            ));
        }
        if step.tick.is_some() && !(role == Role::Filter && hooks.tick) {
            let message = match role {
                Role::Filter => format!("the plugin `{}` has no tick hook", step.plugin),
                Role::Balancer => "a balancer does not tick".to_owned(),
            };
            let hint = Some("leave `tick` out".to_owned());
            return Err(self.mistake(step.at, format!("{}.tick", step.key), message, hint));
        }
        Ok(plugin)
    }

    /// Holds the configuration against the plugin's own schema. Each mistake
    /// is shown where it stands in the file.
    fn check_schema(&mut self, step: &Step, plugin: &Plugin) -> bool {
        let Some(schema) = &plugin.description().config_schema else {
            return true;
        };
        let mut violations = plugin::schema::check(schema, &step.config.json);
        violations.retain(|violation| !step.config.broken.contains(&violation.pointer));
        for violation in &violations {
            let at = step.config.position(&violation.pointer).unwrap_or(step.at);
            let key = format!("{}.config{}", step.key, violation.pointer.replace('/', "."));
            let hint = violation.hint.clone();
            let hint = hint.or_else(|| Some(self.inspect(step)));
            self.mistake(at, key, violation.message.clone(), hint);
        }
        violations.is_empty()
    }

    /// Where a user finds what the plugin is and takes.
    fn inspect(&self, step: &Step) -> String {
        let file = format!("{}.wasm", step.plugin);
        let file = self.config.plugins.directory.join(file);
        format!("see `portcullis plugin inspect {}`", file.display())
    }

    /// A plugin that is not there or does not load: a mistake, unless the step
    /// says that it is required, and the gateway may do without.
    fn absent(
        &mut self,
        step: &Step,
        at: Position,
        key: String,
        message: String,
        hint: Option<String>,
    ) -> Absent {
        if !step.required || !(self.may_miss)(&step.plugin) {
            return self.mistake(at, key, message, hint);
        }
        self.missing.why.push(diagnostic(at, key, &message, hint));
        self.missing.plugins.insert(step.plugin.clone(), message);
        Absent::Missing
    }

    fn mistake(
        &mut self,
        at: Position,
        key: String,
        message: String,
        hint: Option<String>,
    ) -> Absent {
        self.mistakes.push(diagnostic(at, key, &message, hint));
        Absent::Wrong
    }
}

/// How a step would grant what its plugin wants beyond: a choice that is shown,
/// not made.
fn granting(step: &Step, capabilities: &[&str]) -> String {
    let granted: Vec<String> = (capabilities.iter())
        .map(|capability| format!("{capability}: true"))
        .collect();
    let granted = granted.join(", ");
    format!("if `{}` may have it: `allow: {{ {granted} }}`", step.plugin)
}

fn diagnostic(at: Position, key: String, message: &str, hint: Option<String>) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(at, key, message);
    diagnostic.hint = hint;
    diagnostic
}
