//! The engine that plugins run on, once per process.

use std::{
    collections::HashMap,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use ring::digest;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::Component,
};

use crate::config::{CACHE_SIZE, CompileLimits, MOST_TABLE_ELEMENTS, PluginLimits};

use super::{
    CompileError, Compiler, Lanes, LoadError, Plugin, RuntimeError,
    cache::{self, Cache},
    compiled::{Compiled, recognise},
    compiler::Workshop,
    crossing::Counting,
    description,
    loader::LARGEST_FILE,
    ticker::{Activity, Ticker},
};

/// Instances that may exist at once: workers × steps, for two generations
/// while one is replaced by the other, and one per request in flight where
/// that is asked for. Costs address space, not memory.
const INSTANCES: u32 = 10_000;

/// Calls that may be waiting at once, and instances kept for them. Each has a
/// stack, whose guard page costs some three microseconds at the start.
const STACKS: u32 = 1_500;

/// What of a slot's memory stays mapped between two instances.
const KEEP_RESIDENT: usize = 64 << 10;

/// Where the runtime keeps things, and what plugins get while they are loaded.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// The directory for compiled plugins, made if it is not there. None:
    /// nothing is kept.
    pub cache: Option<PathBuf>,
    /// Bytes kept there; what was not used for longest goes. Default 1 GiB.
    pub cache_size: u64,
    /// Who compiles. Default: this process, without bounds.
    pub compiler: Compiler,
    /// Bounds for a compiler that is a process of its own.
    pub compile: CompileLimits,
    /// Bounds for the instance that describes a plugin.
    pub limits: PluginLimits,
    /// Whether instances count what they do, for `Instance::work`. Their code is
    /// another then, and slower: to look at a plugin, not to serve. Default: no.
    pub counts_work: bool,
    /// Whether compiled code shall run on every processor of this architecture
    /// instead of using all that this one can do. Default: no.
    pub portable: bool,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            cache: None,
            cache_size: CACHE_SIZE,
            compiler: Compiler::Here,
            compile: CompileLimits::default(),
            limits: PluginLimits::default(),
            counts_work: false,
            portable: false,
        }
    }
}

/// The engine that plugins run on.
pub struct Runtime {
    engine: Engine,
    ticker: Ticker,
    lanes: Arc<Lanes>,
    cache: Option<Cache>,
    /// None: plugins are compiled here.
    workshop: Option<Workshop>,
    /// A part of the cache's keys: compiled code fits one engine only.
    fingerprint: u64,
    limits: PluginLimits,
    counting: Counting,
    /// What is loaded already, by the hash of its content.
    loaded: Mutex<HashMap<String, Weak<Compiled>>>,
}

/// What plugins need of the runtime's threads.
pub(super) struct Threads {
    /// That which keeps deadlines.
    pub(super) activity: Arc<Activity>,
    /// Those for what takes long.
    pub(super) lanes: Arc<Lanes>,
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
        let counting = Counting::of(options.counts_work);
        let engine = engine(counting, options.portable)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let size = options.cache_size;
        let workshop = match &options.compiler {
            Compiler::Here => None,
            Compiler::Program(program) => Some(Workshop::new(
                program,
                options.compile,
                counting,
                options.portable,
            )),
        };
        Ok(Self {
            ticker: Ticker::start(&engine).map_err(RuntimeError::Ticker)?,
            lanes: Arc::default(),
            cache: options
                .cache
                .and_then(|directory| open_cache(directory, size)),
            workshop,
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
    /// One that carries its description is not run.
    ///
    /// # Errors
    ///
    /// Why the bytes are no plugin.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Arc<Plugin>, LoadError> {
        recognise(bytes, LARGEST_FILE)?;
        let described = description::read(bytes)?;
        let hash = sha256(bytes);
        let compiled = match self.known(&hash) {
            Some(compiled) => compiled,
            None => self.compile(&hash, bytes)?,
        };
        let threads = Threads {
            activity: Arc::clone(self.ticker.activity()),
            lanes: Arc::clone(&self.lanes),
        };
        Plugin::new(
            name,
            hash,
            bytes.len() as u64,
            compiled,
            threads,
            described,
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
        let component = match (self.cached(&key), &self.workshop) {
            (Some(component), _) => component,
            (None, Some(workshop)) => self.compile_apart(workshop, hash, &key, bytes)?,
            (None, None) => self.compile_here(&key, bytes)?,
        };
        let compiled = Arc::new(Compiled::new(component, self.counting)?);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, weak| weak.strong_count() > 0);
        loaded.insert(hash.to_owned(), Arc::downgrade(&compiled));
        Ok(compiled)
    }

    fn cached(&self, key: &str) -> Option<Component> {
        self.cache.as_ref()?.load(&self.engine, key)
    }

    fn compile_here(&self, key: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        let malformed = |error| LoadError::Malformed(format!("{error:#}"));
        let component = Component::from_binary(&self.engine, bytes).map_err(malformed)?;
        if let Some(cache) = &self.cache {
            match component.serialize() {
                Ok(code) => cache.store(key, &code[..]),
                Err(error) => tracing::warn!("cannot keep a compiled plugin: {error:#}"),
            }
        }
        // What is mapped from a file takes less memory than the compiler's copy.
        Ok(self.cached(key).unwrap_or(component))
    }

    fn compile_apart(
        &self,
        workshop: &Workshop,
        hash: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<Component, LoadError> {
        let unavailable = |reason: String| LoadError::Compile(CompileError::Unavailable(reason));
        let code = cache::memory_file().map_err(|error| unavailable(error.to_string()))?;
        workshop
            .compile(hash, bytes, &code)
            .map_err(|error| match error {
                CompileError::Malformed(reason) => LoadError::Malformed(reason),
                other => LoadError::Compile(other),
            })?;
        if let Some(component) = self.keep(key, &code) {
            return Ok(component);
        }
        cache::map(&self.engine, &code).map_err(|error| unavailable(format!("{error:#}")))
    }

    /// Stores what a compiler wrote, and takes it from there.
    fn keep(&self, key: &str, code: &File) -> Option<Component> {
        let cache = self.cache.as_ref()?;
        match cache::rewound(code) {
            Ok(code) => cache.store(key, code),
            Err(error) => tracing::warn!("cannot keep a compiled plugin: {error}"),
        }
        self.cached(key)
    }
}

/// In hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn open_cache(directory: PathBuf, size: u64) -> Option<Cache> {
    match Cache::open(&directory, size) {
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

pub(super) fn settings(counting: Counting, portable: bool) -> wasmtime::Result<Config> {
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
        .total_stacks(STACKS)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_core_instances_per_component(64)
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .max_memory_size(4 << 30)
        .table_elements(MOST_TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        // Where the kernel can tell which pages were written, only those are
        // reset: measured to halve what a fresh instance costs.
        .pagemap_scan(Enabled::Auto);
    pool
}
