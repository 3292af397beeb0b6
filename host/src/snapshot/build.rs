//! Builds a snapshot: away from the workers, and all or nothing.

use std::{cell::OnceCell, sync::Arc, time::SystemTime};

use crate::{
    config::{self, Config, Diagnostic, Diagnostics},
    discovery::Registry,
    exchange::{RouteIndex, ServiceIndex},
    observe::Metrics,
    outbound::Errands,
    pipeline::{Chooser, Pipeline, Step, Tick},
    plugin::{Configured, HostServices, Names, Plugin},
    router::Router,
    tls,
};

use super::{
    Library, Route, Seat, Snapshot,
    filters::{Filters, Missing},
    seat::{Ready, ReadyService},
    start::Starter,
};

/// What snapshots are built with; lives as long as the process.
pub struct Builder {
    /// What plugins are lent.
    pub host: Arc<HostServices>,
    /// Services and their instances.
    pub registry: Arc<Registry>,
    /// Where routes and filters count.
    pub metrics: Arc<Metrics>,
    /// How plugins are let start; none where they are not: in a check.
    pub errands: Option<Errands>,
}

/// A snapshot whose plugins are loaded and configured, but whose services are
/// not applied yet.
pub struct Draft {
    config: Arc<Config>,
    router: Router,
    routes: Vec<Route>,
    filters: Vec<Ready>,
    balancers: Vec<Chooser<Ready>>,
    plugins: Vec<Arc<Plugin>>,
    ticks: Vec<Tick>,
    missing: Missing,
    tls: tls::Settings,
}

impl Builder {
    /// Loads nothing and changes nothing: configures every plugin that the
    /// configuration names. What `check` does.
    ///
    /// `mistakes` are those that reading the configuration has found.
    ///
    /// # Errors
    ///
    /// All that is wrong: `mistakes`, and what the plugins say.
    pub fn draft(
        &self,
        config: Arc<Config>,
        library: &Library,
        mistakes: Diagnostics,
    ) -> Result<Draft, Diagnostics> {
        self.draft_without(config, library, mistakes, &|_| false)
    }

    /// The same where required plugins of these names may be missing: then
    /// that is no mistake, and what needs them answers 503.
    ///
    /// # Errors
    ///
    /// As `draft`.
    pub fn draft_without(
        &self,
        config: Arc<Config>,
        library: &Library,
        mistakes: Diagnostics,
        may_miss: &dyn Fn(&str) -> bool,
    ) -> Result<Draft, Diagnostics> {
        let names = Arc::new(Names::new(
            config.routes.iter().map(|route| route.name.as_str()),
            config.services.iter().map(|service| service.name.as_str()),
        ));
        // What reading has found includes routes that match alike.
        let read = mistakes.is_empty();
        let mut mistakes = mistakes;
        let tls = tls::Settings::read(&config, &mut mistakes);
        let host = Arc::clone(&self.host);
        let starter = self.errands.as_ref().map(|errands| Starter {
            errands,
            running: Arc::clone(&self.registry),
            config: &config,
            clients: &tls.clients,
            coming: OnceCell::new(),
        });
        let mut filters = Filters::new(&config, library, names, host, mistakes, may_miss, starter);
        filters.check_named();
        let balancers = (config.services.iter())
            .map(|service| filters.chooser(service))
            .collect();
        let mut ticks = Vec::new();
        let routes = (config.routes.iter())
            .map(|route| self.route(&config, route, &mut filters, &mut ticks))
            .collect();
        let router = read
            .then(|| router(&config, &mut filters.mistakes))
            .flatten();
        let Filters {
            mistakes,
            ready,
            missing,
            ..
        } = filters;
        let Some(router) = router.filter(|_| mistakes.is_empty()) else {
            return Err(mistakes);
        };
        Ok(Draft {
            plugins: plugins_used(&config, library),
            ticks,
            config,
            router,
            routes,
            filters: ready,
            balancers,
            missing,
            tls,
        })
    }

    /// Makes the instances of every worker, then applies the services.
    pub fn finish(
        &self,
        draft: Draft,
        workers: usize,
        generation: u64,
    ) -> Result<Snapshot, Diagnostics> {
        let mut made = Vec::with_capacity(workers);
        for _ in 1..workers {
            made.push(draft.more_instances()?);
        }
        self.apply(&draft)?;
        let configured = draft.configured();
        made.push((draft.filters, draft.balancers));
        let seats = made
            .into_iter()
            .map(|(filters, balancers)| self.seat(&draft.config, filters, balancers))
            .collect::<Result<_, _>>()?;
        Ok(Snapshot {
            generation,
            plugins: draft.plugins,
            ticks: draft.ticks.into_boxed_slice(),
            missing: draft.missing.plugins,
            upgrades: draft.routes.iter().any(|route| !route.upgrades.is_empty()),
            router: draft.router,
            routes: draft.routes.into_boxed_slice(),
            configured,
            seats,
            tls: draft.tls,
            config: draft.config,
        })
    }

    /// Makes the draft's services those of the registry; blocks for
    /// names that have to be resolved.
    pub fn apply(&self, draft: &Draft) -> Result<(), Diagnostics> {
        let Draft { config, tls, .. } = draft;
        let applied = self.registry.apply(&config.services, &tls.clients);
        applied.map_err(|errors| {
            let mut mistakes = Diagnostics::new(&config.file);
            for error in errors {
                let key = format!("services.{}.instances", error.service);
                let message = format!("{}: {}", error.address, error.message);
                let hint = "use ip:port, or a name that resolves on this machine";
                mistakes.push(Diagnostic::new(error.at, key, message).hint(hint));
            }
            mistakes
        })
    }

    fn seat(
        &self,
        config: &Config,
        filters: Vec<Ready>,
        balancers: Vec<Chooser<Ready>>,
    ) -> Result<Seat, Diagnostics> {
        let mut services = Vec::with_capacity(balancers.len());
        for (service, balancer) in config.services.iter().zip(balancers) {
            let known = self
                .registry
                .service(&service.name)
                .ok_or_else(|| whole(config, format!("the service {} is gone", service.name)))?;
            let metrics = |ready: &Ready| {
                let plugin = ready.configured.plugin().name();
                self.metrics.balancer(&service.name, plugin)
            };
            services.push(ReadyService {
                service: known,
                balancer: balancer.map(|ready| {
                    let metrics = metrics(&ready);
                    (ready, metrics)
                }),
            });
        }
        Ok(Seat::new(filters, services))
    }

    fn route(
        &self,
        config: &Config,
        route: &config::Route,
        filters: &mut Filters<'_>,
        ticks: &mut Vec<Tick>,
    ) -> Route {
        let steps: Box<[Step]> = (route.pipeline.iter().enumerate())
            .filter_map(|(position, step)| self.step(route, position, step, filters, ticks))
            .collect();
        let incomplete = steps.len() < route.pipeline.len();
        let pipeline = Pipeline::new(steps, incomplete);
        let service = route.service.as_ref().and_then(|name| {
            let index = config.services.iter().position(|s| s.name == *name)?;
            Some(ServiceIndex(u32::try_from(index).ok()?))
        });
        let balancer = service.map(|ServiceIndex(index)| &config.services[index as usize].balancer);
        Route {
            service,
            keeps_parameters: !pipeline.steps.is_empty() || balancer.is_some_and(Option::is_some),
            timeout: route.timeout,
            keeps_request_head: route.retries.attempts.get() > 1
                || pipeline.looks_back_at_request(),
            keeps_response_head: pipeline.looks_back_at_response(),
            retries: route.retries.clone(),
            upgrades: route.upgrades.clone().into_boxed_slice(),
            limits: route.limits,
            metrics: self.metrics.route(&route.name),
            pipeline,
        }
    }

    fn step(
        &self,
        route: &config::Route,
        position: usize,
        step: &config::Step,
        filters: &mut Filters<'_>,
        ticks: &mut Vec<Tick>,
    ) -> Option<Step> {
        let slot = filters.filter(step)?;
        let metrics = self.metrics.filter(&route.name, &step.plugin, position);
        // The first step of a slot that ticks.
        if let Some((_, every)) = filters.ticks.pop_if(|(of, _)| *of == slot) {
            let metrics = metrics.clone();
            ticks.push(Tick {
                slot,
                every,
                metrics,
            });
        }
        let ready = &filters.ready[slot.0];
        Some(Step {
            slot,
            hooks: ready.instance.hooks(),
            reads: ready.configured.plugin().reads(),
            body_buffer: step.limits.body_buffer,
            on_error: step.on_error,
            isolation: step.isolation,
            waits: ready.configured.waits(),
            metrics,
        })
    }
}

impl Draft {
    /// The plugins that the configuration uses.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// The required plugins that are not there or do not load.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.plugins.keys().map(String::as_str)
    }

    /// What works and still deserves a look.
    pub fn warnings(&self) -> Diagnostics {
        self.tls.warnings(&self.config, SystemTime::now())
    }

    /// What tells the files of its TLS settings from others.
    pub fn tls(&self) -> Vec<[u8; 32]> {
        self.tls.fingerprints()
    }

    /// Why they are missing, with positions.
    pub fn why_missing(&self) -> &Diagnostics {
        &self.missing.why
    }

    /// What the instances were made from.
    fn configured(&self) -> Vec<Arc<Configured>> {
        (self.filters.iter())
            .chain(self.balancers.iter().filter_map(Chooser::plugin))
            .map(|ready| Arc::clone(&ready.configured))
            .collect()
    }

    /// One more instance of everything, for one more worker.
    fn more_instances(&self) -> Result<(Vec<Ready>, Vec<Chooser<Ready>>), Diagnostics> {
        let again = |ready: &Ready| {
            Ready::new(&ready.configured).map_err(|error| whole(&self.config, error.to_string()))
        };
        let filters = self.filters.iter().map(again).collect::<Result<_, _>>()?;
        let balancers = self
            .balancers
            .iter()
            .map(|balancer| {
                Ok(match balancer {
                    Chooser::Turn => Chooser::Turn,
                    Chooser::Plugin(ready) => Chooser::Plugin(again(ready)?),
                    Chooser::Missing => Chooser::Missing,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok((filters, balancers))
    }
}

/// A mistake that has no place of its own in the file.
fn whole(config: &Config, message: String) -> Diagnostics {
    let mut mistakes = Diagnostics::new(&config.file);
    mistakes.push(Diagnostic::new(config::Position::START, "", message));
    mistakes
}

fn router(config: &Config, mistakes: &mut Diagnostics) -> Option<Router> {
    let routes = (0..)
        .map(RouteIndex)
        .zip(config.routes.iter().map(|route| &route.matches));
    match Router::build(routes) {
        Ok(router) => Some(router),
        Err(conflicts) => {
            for conflict in conflicts {
                let route = &config.routes[conflict.second.0 as usize];
                mistakes.push(Diagnostic::new(route.at, "routes", conflict.to_string()));
            }
            None
        }
    }
}

fn plugins_used(config: &Config, library: &Library) -> Vec<Arc<Plugin>> {
    let used = |name: &str| {
        let filters = config.routes.iter().flat_map(|route| &route.pipeline);
        let balancers = config.services.iter().filter_map(|s| s.balancer.as_ref());
        filters.chain(balancers).any(|step| step.plugin == name)
    };
    library
        .iter()
        .filter(|(name, _)| used(name))
        .filter_map(|(_, loaded)| loaded.as_ref().ok().cloned())
        .collect()
}
