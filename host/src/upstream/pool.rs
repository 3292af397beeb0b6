//! One worker's connections to instances, and the way a request takes on them.
//!
//! Idle connections are taken last in, first out: what was used last is most
//! likely alive, and what is never needed grows old and is closed.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    error::Error as StdError,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, client::conn::TrySendError};

use super::{
    body::{Carrier, UpstreamBody},
    connection::{ConnectError, Connected, Connection, connect},
    error::SendError,
    framing,
    many::Many,
    multiplexed::Multiplexing,
    target::{Protocol, Target},
};
use crate::{
    config::Limits,
    observe::{Metrics, OpenConnection},
};

/// How many kept connections a request may find closed under it until it gets
/// a new one. When one has died they all have, as a rule.
const STALE: usize = 2;

/// What a [`Pool`] may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// The longest that connecting may take, a TLS handshake included.
    pub connect_timeout: Duration,
    /// Idle connections kept per instance.
    pub idle_connections: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// What holds for connections of HTTP/2.
    pub multiplexing: Multiplexing,
}

impl PoolOptions {
    /// What a configuration says.
    pub fn of(limits: &Limits) -> Self {
        Self {
            connect_timeout: limits.connect_timeout,
            idle_connections: limits.idle_connections,
            idle_timeout: limits.idle_timeout,
            multiplexing: Multiplexing::of(&limits.http2),
        }
    }
}

/// What a pool has done since it was made, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections opened.
    pub opened: u64,
    /// Requests sent on a connection that had carried one before.
    pub reused: u64,
    /// Requests that came back unsent from a kept connection and were given another.
    pub stale: u64,
    /// Connections that are open now, busy or idle.
    pub open: u64,
}

/// One worker's connections. Not shared between threads; lives within a
/// `tokio::task::LocalSet`, whose tasks drive the connections. `B` is the type
/// of the requests' bodies.
pub struct Pool<B> {
    endpoints: RefCell<HashMap<Target, Rc<Endpoint<B>>, foldhash::fast::RandomState>>,
    pub(super) shared: Rc<Shared>,
}

/// What all endpoints of a pool have in common.
pub(super) struct Shared {
    pub(super) options: PoolOptions,
    /// The time as [`Pool::prune`] was last told it: a request reads no clock.
    now: Cell<Instant>,
    opened: Cell<u64>,
    pub(super) reused: Cell<u64>,
    pub(super) stale: Cell<u64>,
    open: Cell<u64>,
    /// Where connections are counted for the whole process, if anywhere.
    metrics: OnceCell<Arc<Metrics>>,
}

/// The connections to one target.
pub(super) struct Endpoint<B> {
    pub(super) shared: Rc<Shared>,
    idle: RefCell<Vec<Idle<B>>>,
    /// Those of HTTP/2, and what only they need; none until there is one.
    many: OnceCell<Many<B>>,
}

struct Idle<B> {
    connection: Connection<B>,
    since: Instant,
}

/// A connection that carries an exchange, and where it belongs.
pub(super) struct Lease<B> {
    pub(super) connection: Connection<B>,
    endpoint: Rc<Endpoint<B>>,
    reused: bool,
}

/// Counts a connection as open for as long as its socket is.
pub(super) struct Alive {
    shared: Rc<Shared>,
    _metric: Option<OpenConnection>,
}

impl<B> Pool<B> {
    /// An empty pool.
    pub fn new(options: PoolOptions) -> Self {
        Self {
            endpoints: RefCell::default(),
            shared: Rc::new(Shared {
                options,
                now: Cell::new(Instant::now()),
                opened: Cell::new(0),
                reused: Cell::new(0),
                stale: Cell::new(0),
                open: Cell::new(0),
                metrics: OnceCell::new(),
            }),
        }
    }

    /// Counts connections in these metrics too.
    pub fn measured(self, metrics: Arc<Metrics>) -> Self {
        self.shared.metrics.get_or_init(|| metrics);
        self
    }

    /// Closes what was idle for longer than the limit or has been closed by
    /// the other side, and forgets targets without connections. To be called
    /// every few seconds: idle times are counted from its calls.
    pub fn prune(&self, now: Instant) {
        self.shared.now.set(now);
        self.endpoints.borrow_mut().retain(|_, endpoint| {
            endpoint.prune(now);
            Rc::strong_count(endpoint) > 1 || !endpoint.is_empty()
        });
    }

    /// What the pool has done and holds.
    pub fn counts(&self) -> Counts {
        Counts {
            opened: self.shared.opened.get(),
            reused: self.shared.reused.get(),
            stale: self.shared.stale.get(),
            open: self.shared.open.get(),
        }
    }

    fn endpoint(&self, target: &Target) -> Rc<Endpoint<B>> {
        let mut endpoints = self.endpoints.borrow_mut();
        if let Some(known) = endpoints.get(target) {
            return known.clone();
        }
        let endpoint = Rc::new(Endpoint {
            shared: self.shared.clone(),
            idle: RefCell::default(),
            many: OnceCell::new(),
        });
        endpoints.insert(target.clone(), endpoint.clone());
        endpoint
    }
}

impl<B> Pool<B>
where
    B: Body + Default + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Sends a request on a kept connection or a new one, and returns when the
    /// response's head is there, which may be before the request's body is
    /// through. The request needs a `host` header and an origin-form target;
    /// interim responses (1xx) are passed over.
    ///
    /// A kept connection that turns out to be closed before anything was
    /// written to it is replaced silently.
    ///
    /// # Errors
    ///
    /// See [`SendError`]. If nothing was written, the request is in it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection, since nobody could tell
    /// which request a later response belongs to; the request is lost.
    pub async fn send(
        &self,
        target: &Target,
        mut request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        let endpoint = self.endpoint(target);
        if target.protocol() != Protocol::Http1 {
            // Boxed, so that it makes no other request's future larger.
            return Box::pin(self.send_as_agreed(&endpoint, target, request)).await;
        }
        for _ in 0..STALE {
            let Some(connection) = endpoint.take() else {
                break;
            };
            count(&self.shared.reused);
            let mut lease = endpoint.lease(connection, true);
            let result = lease.connection.send(request).await;
            let error = match lease.conclude(result) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match error.unsent {
                Some(unsent) => request = *unsent,
                None => return Err(error),
            }
            count(&self.shared.stale);
        }
        // Boxed, since it is rare: it would make every request's future larger.
        match Box::pin(self.open(target)).await {
            Ok(connected) => Box::pin(endpoint.send_on_new(connected, request)).await,
            Err(error) => Err(SendError::connect(error, request)),
        }
    }

    pub(super) async fn open(&self, target: &Target) -> Result<Connected<B>, ConnectError> {
        let options = &self.shared.options;
        let alive = || Alive::new(&self.shared);
        let limit = options.connect_timeout;
        connect(target, limit, &options.multiplexing, alive).await
    }
}

impl<B> Endpoint<B>
where
    B: Body + Default + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Sends a request on a connection that has just been opened.
    pub(super) async fn send_on_new(
        self: &Rc<Self>,
        connected: Connected<B>,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        match connected {
            Connected::Http1(connection) => {
                let mut lease = self.lease(connection, false);
                let result = lease.connection.send(request).await;
                lease.conclude(result)
            }
            Connected::Http2(connection) => connection.begin().exchange(request, false).await,
        }
    }
}

impl<B> Endpoint<B> {
    /// The connection used last that can be used again; those on top of it
    /// that cannot are closed.
    pub(super) fn take(&self) -> Option<Connection<B>> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let Idle { connection, .. } = idle.pop()?;
            if connection.is_ready() {
                return Some(connection);
            }
        }
    }

    pub(super) fn lease(self: &Rc<Self>, connection: Connection<B>, reused: bool) -> Lease<B> {
        Lease {
            connection,
            endpoint: self.clone(),
            reused,
        }
    }

    /// The connections of HTTP/2.
    pub(super) fn many(&self) -> &Many<B> {
        self.many.get_or_init(Many::new)
    }

    fn is_empty(&self) -> bool {
        self.idle.borrow().is_empty() && self.many.get().is_none_or(Many::is_empty)
    }

    fn prune(&self, now: Instant) {
        let limit = self.shared.options.idle_timeout;
        if let Some(many) = self.many.get() {
            many.prune(now, limit);
        }
        self.idle.borrow_mut().retain(|idle| {
            idle.connection.is_ready() && now.saturating_duration_since(idle.since) < limit
        });
    }
}

impl<B> Lease<B> {
    /// Returns the connection to where it came from, if it can be used again.
    ///
    /// It cannot if the response's end leaves it busy: either it must be
    /// closed, or the upstream answered without reading the whole request, and
    /// the next user would have to wait for the rest of a stranger's body.
    pub(super) fn give_back(self) {
        let Self {
            connection,
            endpoint,
            ..
        } = self;
        let mut idle = endpoint.idle.borrow_mut();
        if connection.is_ready() && idle.len() < endpoint.shared.options.idle_connections {
            let since = endpoint.shared.now.get();
            idle.push(Idle { connection, since });
        }
    }

    /// Makes of an exchange's head what the caller of the pool gets. Not part
    /// of an async function together with the sending: the request would be
    /// copied into one more future.
    pub(super) fn conclude(
        self,
        result: Result<Response<Incoming>, TrySendError<Request<B>>>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        let response = result.map_err(|error| SendError::send(error, self.reused))?;
        framing::check(&response).map_err(SendError::framing)?;
        Ok(response.map(|incoming| UpstreamBody::new(incoming, Carrier::Connection(self))))
    }
}

impl Alive {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        count(&shared.opened);
        count(&shared.open);
        Self {
            shared: shared.clone(),
            _metric: shared
                .metrics
                .get()
                .map(|metrics| metrics.upstream_connection()),
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.shared.open.update(|open| open - 1);
    }
}

pub(super) fn count(counter: &Cell<u64>) {
    counter.update(|value| value + 1);
}

#[cfg(test)]
impl<B> Pool<B> {
    /// Breaks all idle connections before anybody can notice.
    pub(super) fn break_idle(&self) {
        for endpoint in self.endpoints.borrow().values() {
            for idle in &*endpoint.idle.borrow() {
                idle.connection.break_off();
            }
        }
    }

    /// Targets known, and idle connections to them.
    pub(super) fn idle(&self) -> (usize, usize) {
        let endpoints = self.endpoints.borrow();
        let idle = endpoints.values().map(|e| e.idle.borrow().len()).sum();
        (endpoints.len(), idle)
    }
}
