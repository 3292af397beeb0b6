//! The connections of HTTP/2 to one target, and the way a request takes where
//! HTTP/2 is spoken, or may be.

use std::{
    cell::{Cell, RefCell},
    error::Error as StdError,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{Request, Response};
use http_body::Body;
use tokio::sync::Mutex;

use super::{
    body::UpstreamBody,
    connection::{ConnectError, Connected},
    error::{SendError, SendErrorKind},
    multiplexed::{Multiplexed, unprepare},
    pool::{Endpoint, Pool, count},
    target::{Protocol, Target},
};

/// Connections that requests came back from unsent, as in `pool`.
const STALE: usize = 2;

/// Connections to one target. Beyond, requests wait for those that are there.
const MOST: usize = 16;

/// The connections of HTTP/2 to one target.
pub(super) struct Many<B> {
    open: RefCell<Vec<Rc<Multiplexed<B>>>>,
    /// Held while one is opened, so that a burst opens one and not hundreds.
    turn: Mutex<()>,
    /// The other side wanted HTTP/1.1 when it was asked last.
    declined: Cell<bool>,
    /// How often none could be opened.
    failures: Cell<u32>,
}

impl<B> Many<B> {
    pub(super) fn new() -> Self {
        Self {
            open: RefCell::default(),
            turn: Mutex::default(),
            declined: Cell::new(false),
            failures: Cell::new(0),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// Lets go of what is closed, or was idle for longer than the limit.
    pub(super) fn prune(&self, now: Instant, limit: Duration) {
        let keep = |connection: &Rc<Multiplexed<B>>| {
            connection.is_open() && !connection.is_idle(now, limit)
        };
        self.open.borrow_mut().retain(keep);
    }

    /// A connection for one more request: one with room, or the least busy one
    /// where there are as many as may be.
    fn find(&self) -> Option<Rc<Multiplexed<B>>> {
        let mut open = self.open.borrow_mut();
        // What is closed ends when its last request does.
        open.retain(|connection| connection.is_open());
        let with_room = open.iter().find(|connection| connection.has_room());
        let full = open.len() >= MOST;
        let least = || open.iter().min_by_key(|connection| connection.streams());
        with_room.or_else(|| least().filter(|_| full)).cloned()
    }
}

impl<B> Pool<B>
where
    B: Body + Default + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Sends a request where HTTP/2 is spoken, or may be.
    pub(super) async fn send_as_agreed(
        &self,
        endpoint: &Rc<Endpoint<B>>,
        target: &Target,
        mut request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        for _ in 0..STALE {
            let sent = match self.send_on_kept(endpoint, target, request).await {
                Ok(sent) => sent,
                Err(unsent) => self.send_on_opened(endpoint, target, unsent).await,
            };
            match sent {
                Err(SendError {
                    kind: SendErrorKind::Reset,
                    unsent: Some(unsent),
                    ..
                }) => request = *unsent,
                sent => return sent,
            }
            count(&endpoint.shared.stale);
        }
        self.send_on_opened(endpoint, target, request).await
    }

    /// Sends a request on a connection that is opened for it, or was for another.
    async fn send_on_opened(
        &self,
        endpoint: &Rc<Endpoint<B>>,
        target: &Target,
        mut request: Request<B>,
    ) -> Result<Response<UpstreamBody<B>>, SendError<B>> {
        match self.open_in_turn(endpoint, target).await {
            Ok(connected) => {
                if let Connected::Http1(_) = connected {
                    unprepare(&mut request);
                }
                endpoint.send_on_new(connected, request).await
            }
            Err(error) => Err(SendError::connect(error, request)),
        }
    }

    /// Opens a connection, or finds one that was opened meanwhile. Those who wait
    /// for one that cannot be opened fail with it.
    async fn open_in_turn(
        &self,
        endpoint: &Rc<Endpoint<B>>,
        target: &Target,
    ) -> Result<Connected<B>, ConnectError> {
        let many = endpoint.many();
        let failures = many.failures.get();
        let _turn = match many.declined.get() {
            // Then everybody needs a connection of their own.
            true => None,
            false => Some(many.turn.lock().await),
        };
        if many.failures.get() != failures {
            let error = io::Error::other("another request has just failed to connect");
            return Err(ConnectError::Failed(error));
        }
        if let Some(connection) = many.find() {
            return Ok(Connected::Http2(connection));
        }
        let connected = self.open(target).await;
        match &connected {
            Ok(Connected::Http2(connection)) => {
                many.declined.set(false);
                many.open.borrow_mut().push(Rc::clone(connection));
            }
            Ok(Connected::Http1(_)) => many.declined.set(true),
            Err(_) => many.failures.update(|failures| failures.wrapping_add(1)),
        }
        connected
    }

    /// Sends a request on a connection that is there; gives it back if none is.
    async fn send_on_kept(
        &self,
        endpoint: &Rc<Endpoint<B>>,
        target: &Target,
        mut request: Request<B>,
    ) -> Result<Result<Response<UpstreamBody<B>>, SendError<B>>, Request<B>> {
        if let Some(connection) = endpoint.many().find() {
            count(&endpoint.shared.reused);
            return Ok(connection.begin().exchange(request, true).await);
        }
        if target.protocol() == Protocol::Http2 {
            return Err(request);
        }
        let Some(connection) = endpoint.take() else {
            return Err(request);
        };
        count(&endpoint.shared.reused);
        unprepare(&mut request);
        let mut lease = endpoint.lease(connection, true);
        let result = lease.connection.send(request).await;
        Ok(lease.conclude(result))
    }
}
