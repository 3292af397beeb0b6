//! From files to a snapshot: at start, at every change, and for `check`.
//!
//! All of it blocks and runs off the workers. A reload is all or nothing: a
//! mistake anywhere leaves the running generation as it is, and is logged and
//! shown by the admin API.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{
    config::{self, Config, Diagnostics},
    discovery::{Registry, Service},
    observe::{InstanceHealth, Metrics, StateFigures},
    outbound::{Errands, Roots},
    plugin::{
        Changes, Compiler, Directory, Faults, HostServices, Plugin, Runtime, RuntimeOptions, watch,
    },
    snapshot::{Builder, Draft, Library, Snapshot, Status},
    state::{Clock, Counters, KeyValue},
};

use super::{
    StartError,
    warnings::{warn_of_doubtful, warn_of_fixed_parts, warn_of_missing},
};

/// Where `${NAME}` in a configuration is looked up.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How a reload ended.
pub(super) enum Outcome {
    /// There is a new snapshot to swap in.
    Changed(Box<Snapshot>),
    /// What the files say is what runs.
    Unchanged,
    /// Something is wrong; it was logged, and what runs stays.
    Refused,
}

/// Loads files and builds snapshots.
pub(super) struct Reloader {
    file: PathBuf,
    environment: Environment,
    runtime: Runtime,
    builder: Builder,
    status: Arc<Status>,
    /// The configuration at start, of which some parts are in force until the end.
    started: Arc<Config>,
    running: Mutex<Running>,
    /// What the configuration that was read last names, right or wrong.
    files: Mutex<BTreeSet<PathBuf>>,
}

/// What the current snapshot was built from.
struct Running {
    fingerprint: Fingerprint,
    generation: u64,
}

#[derive(PartialEq, Eq)]
struct Fingerprint {
    /// The configuration's text, `${NAME}` replaced.
    config: String,
    /// The hashes of its plugins.
    plugins: Vec<(String, String)>,
    /// The required plugins that are missing.
    missing: BTreeSet<String>,
    /// What the files of TLS settings hold.
    tls: Vec<[u8; 32]>,
}

impl Reloader {
    /// Loads everything for the first time.
    pub(super) async fn start(
        file: PathBuf,
        environment: Environment,
        compiler: Compiler,
    ) -> Result<(Self, Snapshot), StartError> {
        tokio::task::spawn_blocking(move || Self::start_blocking(file, environment, compiler))
            .await
            .map_err(|panic| StartError::Runtime(panic.to_string()))?
    }

    fn start_blocking(
        file: PathBuf,
        environment: Environment,
        compiler: Compiler,
    ) -> Result<(Self, Snapshot), StartError> {
        let (config, mistakes) = read(&file, &environment).map_err(StartError::Config)?;
        let runtime = runtime(&config, compiler).map_err(StartError::Runtime)?;
        let builder = builder(&config);
        let plugins = &config.plugins;
        let library = library(&runtime, &plugins.directory, plugins.file_size);
        // A gateway that starts has nothing older to keep: it serves what it can.
        let draft = builder
            .draft_without(Arc::clone(&config), &library, mistakes, &|_| true)
            .map_err(StartError::Config)?;
        warn_of_missing(&draft);
        warn_of_doubtful(&draft);
        let fingerprint = fingerprint(&config, &draft);
        let files = Mutex::new(files(&config));
        let snapshot = builder
            .finish(draft, config.workers.get(), 1)
            .map_err(StartError::Config)?;
        builder.metrics.reloaded(true, 1);
        builder.metrics.plugins_missing(snapshot.missing.keys());
        let reloader = Self {
            file,
            environment,
            runtime,
            builder,
            status: Arc::new(Status::new(library)),
            started: config,
            running: Mutex::new(Running {
                fingerprint,
                generation: 1,
            }),
            files,
        };
        Ok((reloader, snapshot))
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.builder.metrics
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.builder.registry
    }

    /// Whom public servers have to be vouched for by.
    pub(super) fn roots(&self) -> Arc<Roots> {
        let errands = self.builder.errands.as_ref();
        errands.map_or_else(Arc::default, |errands| Arc::clone(&errands.roots))
    }

    pub(super) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Says when the configuration file or the plugin directory changed.
    pub(super) fn watch(&self) -> Changes {
        watch(&self.file, &self.started.plugins.directory)
    }

    /// The files that the configuration names.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        let files = self.files.lock();
        files.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes what has expired, and makes spares of what was used up.
    pub(super) fn sweep(&self, snapshot: &Snapshot) {
        snapshot.refill_spares();
        self.builder.host.faults.sweep(Instant::now());
        self.builder.host.counters.sweep();
        self.builder.host.store.sweep();
        self.builder.registry.expire(Instant::now());
    }

    /// Waits until a worker has taken a spare. Cancel safe.
    pub(super) async fn spare_taken(&self) {
        self.builder.host.faults.until_spare_taken().await;
    }

    /// Loads everything again. Blocks.
    pub(super) fn reload(&self) -> Outcome {
        let started = Instant::now();
        match self.build() {
            Ok(None) => {
                self.status.reloaded(None);
                Outcome::Unchanged
            }
            Ok(Some(snapshot)) => {
                tracing::info!(
                    generation = snapshot.generation,
                    took_ms = started.elapsed().as_millis() as u64,
                    "reloaded"
                );
                self.status.reloaded(None);
                self.builder.metrics.reloaded(true, snapshot.generation);
                self.builder
                    .metrics
                    .plugins_missing(snapshot.missing.keys());
                let in_use = |name: &str| snapshot.plugins.iter().any(|p| p.name() == name);
                self.builder.metrics.plugins().retain(in_use);
                Outcome::Changed(Box::new(snapshot))
            }
            Err(mistakes) => {
                let generation = self.running().generation;
                tracing::error!(
                    generation,
                    "the reload changed nothing, for this is wrong:\n{mistakes}"
                );
                self.status.reloaded(Some(mistakes.to_string()));
                self.builder.metrics.reloaded(false, generation);
                Outcome::Refused
            }
        }
    }

    fn build(&self) -> Result<Option<Snapshot>, Diagnostics> {
        let (config, mistakes) = read(&self.file, &self.environment)?;
        // Also if it is refused: the mistake may be put right in one of them.
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files(&config);
        let directory = &self.started.plugins.directory;
        let library = library(&self.runtime, directory, config.plugins.file_size);
        self.status.library.store(Arc::new(library.clone()));
        // What is missing already may go on to be, or nothing else could change.
        let missing = self.running().fingerprint.missing.clone();
        let may_miss = |plugin: &str| missing.contains(plugin);
        let draft =
            (self.builder).draft_without(Arc::clone(&config), &library, mistakes, &may_miss)?;
        let fingerprint = fingerprint(&config, &draft);
        let generation = {
            let running = self.running();
            if running.fingerprint == fingerprint {
                return Ok(None);
            }
            running.generation + 1
        };
        let workers = self.started.workers.get();
        warn_of_missing(&draft);
        warn_of_doubtful(&draft);
        let snapshot = self.builder.finish(draft, workers, generation)?;
        warn_of_fixed_parts(&self.started, &config);
        *self.running() = Running {
            fingerprint,
            generation,
        };
        Ok(Some(snapshot))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The configuration as far as it can be read, and the mistakes in it: those
/// of its plugins are to be found before anybody is told.
pub(super) fn read(
    file: &Path,
    environment: &Environment,
) -> Result<(Arc<Config>, Diagnostics), Diagnostics> {
    let config::Reading { config, mistakes } = config::read(file, &**environment);
    match config {
        Some(config) => Ok((Arc::new(config), mistakes)),
        None => Err(mistakes),
    }
}

pub(super) fn runtime(config: &Config, compiler: Compiler) -> Result<Runtime, String> {
    Runtime::new(RuntimeOptions {
        cache: config.plugins.cache.clone(),
        cache_size: config.plugins.cache_size,
        compiler,
        compile: config.plugins.compile.clone(),
        limits: config.plugins.limits.clone(),
        ..RuntimeOptions::default()
    })
    .map_err(|error| error.to_string())
}

pub(super) fn builder(config: &Config) -> Builder {
    let metrics = Arc::new(Metrics::new());
    let registry = Arc::new(Registry::new());
    let host = Arc::new(HostServices {
        counters: Counters::new(config.limits.counters, Clock::system()),
        store: KeyValue::new(config.limits.store, Clock::system()),
        registry: Arc::clone(&registry),
        metrics: Arc::clone(&metrics),
        faults: Faults::default(),
    });
    show_state(&metrics, &host);
    Builder {
        errands: Some(Errands::of(&config.limits)),
        host,
        registry,
        metrics,
    }
}

/// Lets a scrape read what is kept elsewhere. Weak, since what is read holds
/// the metrics itself.
fn show_state(metrics: &Metrics, host: &Arc<HostServices>) {
    let registry = Arc::downgrade(&host.registry);
    metrics.health_from(move || {
        let services = registry.upgrade().map(|registry| registry.services());
        let services = services.unwrap_or_default();
        services.iter().flat_map(|s| health(s)).collect()
    });
    let faults = Arc::downgrade(host);
    metrics.uses_from(move || {
        let now = Instant::now();
        (faults.upgrade()).map_or_else(BTreeMap::new, |host| host.faults.uses(now))
    });
    let host = Arc::downgrade(host);
    metrics.state_from(move || {
        host.upgrade()
            .map_or_else(StateFigures::default, |host| StateFigures {
                counters: host.counters.len() as u64,
                counter_evictions: host.counters.evictions(),
                values: host.store.len() as u64,
                value_bytes: host.store.bytes() as u64,
                value_evictions: host.store.evictions(),
            })
    });
}

fn health(service: &Service) -> Vec<InstanceHealth> {
    (service.members().iter())
        .map(|member| InstanceHealth {
            service: service.name().to_owned(),
            instance: member.instance.id.to_string(),
            healthy: member.instance.healthy(),
        })
        .collect()
}

/// Loads every plugin of the directory. A file that is none does not keep the
/// others from loading: what it means is for whoever uses it to say.
pub(super) fn library(runtime: &Runtime, directory: &Path, largest: usize) -> Library {
    let mut library = Library::default();
    for (name, read) in Directory::new(directory, largest).scan() {
        let loaded = read
            .map_err(|error| error.to_string())
            .and_then(|bytes| load(runtime, &name, &bytes));
        library.insert(name, loaded);
    }
    library
}

fn load(runtime: &Runtime, name: &str, bytes: &[u8]) -> Result<Arc<Plugin>, String> {
    let loaded = runtime.load(name, bytes).map_err(|error| error.to_string());
    if let Err(reason) = &loaded {
        tracing::warn!(plugin = name, "{name}.wasm cannot be used: {reason}");
    }
    loaded
}

fn fingerprint(config: &Config, draft: &Draft) -> Fingerprint {
    let hash = |plugin: &Arc<Plugin>| (plugin.name().to_owned(), plugin.hash().to_owned());
    Fingerprint {
        config: format!("{config:?}"),
        plugins: draft.plugins().iter().map(hash).collect(),
        missing: draft.missing().map(str::to_owned).collect(),
        tls: draft.tls(),
    }
}

fn files(config: &Config) -> BTreeSet<PathBuf> {
    config.files().map(|file| file.path.clone()).collect()
}
