//! The engine that plugins run on, once per process.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sha2::{Digest, Sha256};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::Component,
};

use crate::config::PluginLimits;

use super::{
    LoadError, Plugin, RuntimeError,
    cache::Cache,
    compiled::{Compiled, recognise},
    crossing::Counting,
    loader::LARGEST_FILE,
    ticker::Ticker,
};

/// Instances that may exist at once: workers × steps, for two generations
/// while one is replaced by the other, and one per request in flight where
/// that is asked for. Costs address space, not memory.
const INSTANCES: u32 = 10_000;

/// What of a slot's memory stays mapped between two instances.
const KEEP_RESIDENT: usize = 64 << 10;

/// Where the runtime keeps things, and what plugins get while they are loaded.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// The directory for compiled plugins, made if it is not there. None:
    /// nothing is kept.
    pub cache: Option<PathBuf>,
    /// Bounds for the instance that describes a plugin.
    pub limits: PluginLimits,
    /// Whether instances count what they do, for `Instance::work`. Their code is
    /// another then, and slower: to look at a plugin, not to serve. Default: no.
    pub counts_work: bool,
    /// Whether compiled code shall run on every processor of this architecture
    /// instead of using all that this one can do. Default: no.
    pub portable: bool,
}

/// The engine that plugins run on.
pub struct Runtime {
    engine: Engine,
    ticker: Ticker,
    cache: Option<Cache>,
    /// A part of the cache's keys: compiled code fits one engine only.
    fingerprint: u64,
    limits: PluginLimits,
    counting: Counting,
    /// What is loaded already, by the hash of its content.
    loaded: Mutex<HashMap<String, Weak<Compiled>>>,
}

impl Runtime {
    /// Starts the engine, and the thread that keeps deadlines.
    ///
    /// A cache directory that cannot be used is logged and not used.
    ///
    /// # Errors
    ///
    /// The machine cannot run plugins at all.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let counting = match options.counts_work {
            true => Counting::On,
            false => Counting::Off,
        };
        let engine = engine(counting, options.portable)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            ticker: Ticker::start(&engine).map_err(RuntimeError::Ticker)?,
            cache: options.cache.and_then(open_cache),
            fingerprint: hasher.finish(),
            limits: options.limits,
            counting,
            loaded: Mutex::default(),
            engine,
        })
    }

    /// Makes a plugin of the bytes of a `NAME.wasm`. Blocks while it compiles,
    /// up to seconds for megabytes: never to be called on a worker.
    ///
    /// # Errors
    ///
    /// Why the bytes are no plugin.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Arc<Plugin>, LoadError> {
        recognise(bytes, LARGEST_FILE)?;
        let hash = format!("{:x}", Sha256::digest(bytes));
        let compiled = match self.known(&hash) {
            Some(compiled) => compiled,
            None => self.compile(&hash, bytes)?,
        };
        let activity = Arc::clone(self.ticker.activity());
        Plugin::new(
            name,
            hash,
            bytes.len() as u64,
            compiled,
            activity,
            &self.limits,
        )
        .map(Arc::new)
    }

    fn known(&self, hash: &str) -> Option<Arc<Compiled>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.get(hash)?.upgrade()
    }

    fn compile(&self, hash: &str, bytes: &[u8]) -> Result<Arc<Compiled>, LoadError> {
        let key = format!("{hash}-{:016x}", self.fingerprint);
        let cached = self
            .cache
            .as_ref()
            .and_then(|cache| cache.load(&self.engine, &key));
        let component = match cached {
            Some(component) => component,
            None => {
                let component = Component::from_binary(&self.engine, bytes)
                    .map_err(|error| LoadError::Malformed(format!("{error:#}")))?;
                if let Some(cache) = &self.cache {
                    cache.store(&key, &component);
                }
                component
            }
        };
        let compiled = Arc::new(Compiled::new(component, self.counting)?);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, weak| weak.strong_count() > 0);
        loaded.insert(hash.to_owned(), Arc::downgrade(&compiled));
        Ok(compiled)
    }
}

fn open_cache(directory: PathBuf) -> Option<Cache> {
    match Cache::open(&directory) {
        Ok(cache) => Some(cache),
        Err(error) => {
            let shown = directory.display();
            tracing::warn!("compiled plugins are not kept: {shown} cannot be used: {error}");
            None
        }
    }
}

/// An engine with memory set aside for instances; or, where the machine gives
/// no such amount of address space, one that takes memory as it goes.
fn engine(counting: Counting, portable: bool) -> Result<Engine, RuntimeError> {
    let failed = |error| RuntimeError::Engine(format!("{error:#}"));
    let plain = settings(counting, portable).map_err(failed)?;
    let mut config = plain.clone();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&config).or_else(|error| {
        tracing::warn!(
            "no address space for a pool of instances, starting them is slower: {error:#}"
        );
        Engine::new(&plain).map_err(failed)
    })
}

fn settings(counting: Counting, portable: bool) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(counting == Counting::On)
        .memory_reservation(4 << 30)
        .memory_init_cow(true);
    if portable {
        // A target that is named gets no more than what all of its kind have.
        config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))?;
    }
    Ok(config)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        // Today's tools compose up to four core modules into a component.
        .total_core_instances(4 * INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(2 * INSTANCES)
        .total_stacks(0)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_core_instances_per_component(64)
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .max_memory_size(4 << 30)
        .table_elements(100_000)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        // Where the kernel can tell which pages were written, only those are
        // reset: measured to halve what a fresh instance costs.
        .pagemap_scan(Enabled::Auto);
    pool
}
