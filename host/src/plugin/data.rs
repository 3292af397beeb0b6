//! What a plugin's store holds: the exchange it was lent for the call that
//! runs, and what its host functions work on.

use std::{sync::Arc, time::Instant};

use wasmtime::{Result, bail, component::ResourceTable};

use crate::{
    config::PluginLimits,
    discovery::InstanceList,
    exchange::{Exchange, Phase, Piece, ResponseHead, Side},
    observe::Limit,
};

use super::{
    Hooks, HostServices, Names, PluginError, PluginErrorKind, allowance::Allowance, crossing::Work,
    deadline::Clock, host::Output, lanes, limiter::Limiter, log_budget::LogBudget, pace::Pace,
    wit::Refusal,
};

/// Handles to host resources that one instance may hold at once.
const HANDLES: usize = 1_024;

/// Calls of the gateway in a row: some tens of microseconds.
const CALLS_AT_ONCE: u32 = 64;

/// Who a plugin is, for its own lines and errors.
pub(super) struct Identity {
    pub(super) name: Arc<str>,
    /// SHA-256 of the file.
    pub(super) hash: String,
    /// Of lines that say that a call failed.
    pub(super) failures: LogBudget,
}

impl Identity {
    pub(super) fn new(name: &str, hash: String) -> Self {
        Self {
            name: name.into(),
            hash,
            failures: LogBudget::default(),
        }
    }

    pub(super) fn error(&self, kind: PluginErrorKind, message: impl Into<String>) -> PluginError {
        PluginError {
            plugin: Arc::clone(&self.name),
            kind,
            message: message.into(),
            backtrace: None,
        }
    }
}

/// Which hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// None, or one without an exchange.
    None,
    /// `configure`, which has no exchange either.
    Configuration,
    Request,
    Response,
    Completion,
    Pick,
    /// A chunk of a body.
    Chunk(Side),
    /// A whole body.
    Buffered(Side),
    /// `on-start` and `on-tick`, which have no exchange.
    Background,
}

/// What a store holds.
pub(super) struct Data {
    /// The exchange in flight while a hook runs, an empty one otherwise.
    pub(super) exchange: Box<Exchange>,
    pub(super) hook: Hook,
    /// The hooks that the plugin has no use for.
    pub(super) skipped: Hooks,
    pub(super) identity: Arc<Identity>,
    pub(super) names: Arc<Names>,
    pub(super) services: Arc<HostServices>,
    pub(super) allowance: Arc<Allowance>,
    /// The part of a body that the hook is called for, and what it makes of it.
    pub(super) piece: Piece,
    /// What it wrote, if it did.
    pub(super) written: Option<Vec<u8>>,
    /// What `balancer.instances-changed` was given last.
    pub(super) instances: Option<Arc<InstanceList>>,
    pub(super) table: ResourceTable,
    pub(super) limiter: Limiter,
    /// What was written to standard output and error.
    pub(super) output: Output,
    /// Seeded by the system at first use.
    pub(super) random: Option<Box<dyn wasmtime_wasi::Rng + Send>>,
    /// Where the plugin's monotonic clock starts.
    pub(super) started: Instant,
    /// The time of the call that runs.
    pub(super) clock: Clock,
    /// The time of the call that runs, if it may wait.
    pub(super) pace: Option<Arc<Pace>>,
    /// Calls of the gateway that the hook that runs has left, before it looks
    /// whether others wait for its processor.
    calls_left: u32,
    /// Those that it has after that.
    calls_later: u32,
    /// Those that every hook has. Without a bound until the plugin is
    /// configured: that happens off the workers, and a long configuration may
    /// take many.
    calls: u32,
    /// What was counted of its calls of the gateway; nothing in a runtime that
    /// does not count.
    pub(super) work: Work,
}

impl Data {
    pub(super) fn new(
        identity: Arc<Identity>,
        names: Arc<Names>,
        services: Arc<HostServices>,
        allowance: Arc<Allowance>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            exchange: Box::new(Exchange::empty()),
            hook: Hook::None,
            skipped: Hooks::default(),
            identity,
            names,
            services,
            piece: Piece::default(),
            written: None,
            instances: None,
            table,
            limiter: Limiter::new(Arc::clone(&allowance)),
            allowance,
            output: Output::default(),
            random: None,
            started: Instant::now(),
            clock: Clock::default(),
            pace: None,
            calls_left: u32::MAX,
            calls_later: 0,
            calls: u32::MAX,
            work: Work::default(),
        }
    }

    /// A call of the plugin begins.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.output.begin();
        self.limiter.begin();
        self.calls_left = self.calls.min(CALLS_AT_ONCE);
        self.calls_later = self.calls - self.calls_left;
    }

    /// The plugin is configured: from now on it is called by requests.
    pub(super) fn start_serving(&mut self) {
        self.calls = self.allowance.limits.host_calls;
    }

    /// Whether it is called by requests.
    pub(super) fn serves(&self) -> bool {
        self.calls != u32::MAX
    }

    /// Whether what runs could be called aside: of requests, and no chunk, whose
    /// body waits for it on its worker.
    pub(super) fn can_be_aside(&self) -> bool {
        self.serves() && !matches!(self.hook, Hook::Chunk(_))
    }

    /// A call took too long: counts that, and returns what it might have taken.
    #[cold]
    pub(super) fn overdue(&self) -> &PluginLimits {
        self.allowance.limited(match self.serves() {
            false => Limit::StartTimeout,
            true => Limit::CallTimeout,
        });
        &self.allowance.limits
    }

    /// The plugin calls the gateway.
    #[inline]
    pub(super) fn called(&mut self) -> Result<()> {
        match self.calls_left.checked_sub(1) {
            Some(left) => {
                self.calls_left = left;
                Ok(())
            }
            None => self.call_on(),
        }
    }

    /// The plugin calls a function that may wait.
    pub(super) fn waits(&mut self, function: &str) -> Result<()> {
        self.called()?;
        match self.pace {
            Some(_) => Ok(()),
            None => bail!("called `{function}` in a hook that may not wait"),
        }
    }

    /// It has called often. Beside the workers that may take their processor.
    #[cold]
    fn call_on(&mut self) -> Result<()> {
        lanes::give_way();
        let next = self.calls_later.min(CALLS_AT_ONCE);
        self.calls_later -= next;
        match next.checked_sub(1) {
            Some(left) => {
                self.calls_left = left;
                Ok(())
            }
            None => self.too_many_calls(),
        }
    }

    fn too_many_calls(&self) -> Result<()> {
        self.allowance.limited(Limit::HostCalls);
        let most = self.allowance.limits.host_calls;
        bail!("called the gateway more than {most} times in one hook")
    }

    /// The exchange in flight. Outside the hooks there is none, and asking
    /// for it is a mistake in the plugin that ends in a trap.
    #[inline]
    pub(super) fn exchange(&self) -> Result<&Exchange> {
        match self.hook {
            Hook::None | Hook::Configuration | Hook::Background => no_exchange(),
            _ => Ok(&self.exchange),
        }
    }

    /// The exchange in flight, to change it.
    #[inline]
    pub(super) fn exchange_mut(&mut self) -> Result<&mut Exchange> {
        match self.hook {
            Hook::None | Hook::Configuration | Hook::Background => no_exchange(),
            _ => Ok(&mut self.exchange),
        }
    }

    /// The exchange while its request can still be changed.
    pub(super) fn request(&mut self) -> Result<Result<&mut Exchange, Refusal>> {
        let exchange = self.exchange_mut()?;
        Ok(match exchange.phase {
            Phase::Request => Ok(exchange),
            _ => Err(Refusal::WrongPhase),
        })
    }

    /// The response while it can still be changed.
    pub(super) fn response(&mut self) -> Result<Result<&mut ResponseHead, Refusal>> {
        let exchange = self.exchange_mut()?;
        Ok(match (exchange.phase, &mut exchange.response) {
            (Phase::Response, Some(response)) => Ok(response),
            _ => Err(Refusal::WrongPhase),
        })
    }
}

#[cold]
fn no_exchange<T>() -> Result<T> {
    bail!(
        "portcullis:gateway/exchange was called outside the hooks of requests, responses, bodies, \
         completion and picking, where there is no exchange"
    )
}
