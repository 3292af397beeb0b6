//! What a thread has for the calls that are made on it, and how one is begun.
//!
//! A thread's dispatcher is found by the thread itself rather than handed through:
//! an instance of a plugin is made on one thread and may be called on another, a
//! spare on any of them, and a call belongs to the thread that it is made on.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::{
    sync::{OnceCell, mpsc},
    task::{spawn_blocking, spawn_local},
};

use crate::{
    body::{Own, RequestBody, Writer},
    discovery::Instance,
    exchange::{Exchange, RequestId},
    observe::HttpMetrics,
    tls::ClientTls,
    upstream::{Pool, PoolOptions},
};

use super::{
    Call, Error, Policy, Request,
    call::Link,
    exchange::{self, Task},
    request::Sending,
    resolver::Resolver,
};

/// What a thread lends to the calls that are made on it.
pub trait Ground {
    /// Its connections to services.
    fn pool(&self) -> &Pool<RequestBody>;

    /// An instance of a service for a request, of which `exchange` is an image.
    /// `attempt` counts the instances that could not be connected to. None: there is
    /// no such service, or no healthy instance of it.
    fn pick(
        &self,
        service: &str,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Option<Arc<Instance>>;
}

/// Whom public servers have to be vouched for by: the roots of the system, read
/// when they are first needed. Shared by all threads.
#[derive(Debug, Default)]
pub struct Roots(OnceCell<Arc<ClientTls>>);

impl Roots {
    /// Reads them off the thread. What fails is tried again by the next call.
    pub(super) async fn read(&self) -> Result<Arc<ClientTls>, Error> {
        let read = async || {
            let read = spawn_blocking(ClientTls::of_system).await;
            let read = read.unwrap_or_else(|panic| Err(panic.to_string()));
            read.map(Arc::new).map_err(|reason| {
                tracing::warn!("plugins cannot ask https servers: {reason}");
                Error::Connect
            })
        };
        self.0.get_or_try_init(read).await.cloned()
    }
}

/// A plugin that makes calls.
#[derive(Debug)]
pub struct Plugin {
    /// Its name.
    pub name: Arc<str>,
    /// Whom it may reach.
    pub policy: Policy,
    /// Calls that it may have in flight on one thread.
    pub calls: usize,
    /// Where its calls are counted.
    pub metrics: Arc<HttpMetrics>,
}

/// For whom a call is made.
#[derive(Debug)]
pub struct Caller {
    /// The client whose request the plugin works on; unspecified for none.
    pub client: IpAddr,
    /// The id of that request.
    pub request_id: RequestId,
}

/// One thread's calls.
pub struct Dispatcher {
    pub(super) ground: Rc<dyn Ground>,
    /// Connections to hosts that are no instances of services.
    pub(super) hosts: Pool<RequestBody>,
    pub(super) resolver: Resolver,
    pub(super) roots: Arc<Roots>,
    /// Calls in flight by plugin, where there are any.
    in_flight: RefCell<HashMap<Arc<str>, usize>>,
}

thread_local! {
    static HERE: RefCell<Option<Rc<Dispatcher>>> = const { RefCell::new(None) };
}

/// Ends what [`Dispatcher::lend`] began.
#[must_use = "the dispatcher is taken back when this is dropped"]
pub struct Lent(());

impl Dispatcher {
    /// A dispatcher without calls. `options` are for connections to hosts.
    pub fn new(ground: Rc<dyn Ground>, options: PoolOptions, roots: Arc<Roots>) -> Rc<Self> {
        Rc::new(Self {
            ground,
            hosts: Pool::new(options),
            resolver: Resolver::new(),
            roots,
            in_flight: RefCell::default(),
        })
    }

    /// Lets plugins that are called on this thread make calls, until what is
    /// returned is dropped. To be called within a `LocalSet`, whose tasks the calls are.
    pub fn lend(self: &Rc<Self>) -> Lent {
        HERE.set(Some(Rc::clone(self)));
        Lent(())
    }

    /// Closes connections that nobody has used for a while. To be called every
    /// few seconds.
    pub fn prune(&self, now: Instant) {
        self.hosts.prune(now);
    }

    /// Calls in flight of a plugin.
    #[cfg(test)]
    pub(super) fn in_flight(&self, plugin: &str) -> usize {
        self.in_flight.borrow().get(plugin).copied().unwrap_or(0)
    }

    fn admit(self: &Rc<Self>, plugin: &Plugin) -> Option<Room> {
        let mut in_flight = self.in_flight.borrow_mut();
        let count = in_flight.entry(Arc::clone(&plugin.name)).or_default();
        if *count >= plugin.calls {
            return None;
        }
        *count += 1;
        Some(Room {
            dispatcher: Rc::clone(self),
            plugin: Arc::clone(&plugin.name),
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        HERE.take();
    }
}

/// Room for one call in flight, until it is dropped.
pub(super) struct Room {
    dispatcher: Rc<Dispatcher>,
    plugin: Arc<str>,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut in_flight = self.dispatcher.in_flight.borrow_mut();
        match in_flight.get_mut(&self.plugin) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(in_flight.remove(&self.plugin)),
        }
    }
}

/// Begins a call on this thread with a whole body, of whose answer the plugin may
/// read `most` bytes. Does not wait.
///
/// # Errors
///
/// `Denied` where that is known without asking for a name; `Busy` if there are too
/// many; `Unavailable` on a thread that makes no calls.
pub fn start(
    plugin: &Arc<Plugin>,
    caller: Caller,
    request: Request,
    body: Bytes,
    most: u64,
) -> Result<Call, Error> {
    begin(plugin, caller, request, Sending::Whole(body), None, most)
}

/// The same with a body that is written afterwards.
///
/// # Errors
///
/// As `start`.
pub fn start_in_parts(
    plugin: &Arc<Plugin>,
    caller: Caller,
    request: Request,
    most: u64,
) -> Result<Call, Error> {
    let (writer, body) = Own::in_parts();
    let body = Sending::Once(Some(body));
    begin(plugin, caller, request, body, Some(writer), most)
}

fn begin(
    plugin: &Arc<Plugin>,
    caller: Caller,
    request: Request,
    body: Sending,
    writer: Option<Writer>,
    most: u64,
) -> Result<Call, Error> {
    let begun = admit(plugin, &request);
    let (dispatcher, room) = begun.inspect_err(|error| plugin.metrics.refused(error.as_str()))?;
    let (sender, receiver) = mpsc::channel(1);
    let link = Arc::new(Link::default());
    let call = Call::new(receiver, Arc::clone(&link), writer, most);
    spawn_local(exchange::run(Task {
        dispatcher,
        plugin: Arc::clone(plugin),
        caller,
        request,
        body,
        link,
        events: sender,
        room,
    }));
    Ok(call)
}

fn admit(plugin: &Plugin, request: &Request) -> Result<(Rc<Dispatcher>, Room), Error> {
    exchange::permit(&plugin.policy, &request.place)?;
    let dispatcher = HERE.with_borrow(Option::clone).ok_or(Error::Unavailable)?;
    let room = dispatcher.admit(plugin).ok_or(Error::Busy)?;
    Ok((dispatcher, room))
}
