//! What one connection's client is waited for, and how long it may let wait.
//!
//! Whoever reads and writes the connection says what it waits for; a single timer
//! asks how long it has been. The timer is never set back while messages pass: it
//! goes off once in the shortest of all times, and looks.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::gate::ClientSeat;
use crate::{config::Limits, observe::Refused, worker::Worker};

/// What of a client is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing, or what others look after.
    Nothing,
    /// The next request, of which nothing has come (HTTP/1.1).
    Request,
    /// The rest of a head.
    Head,
    /// More of a request's body.
    Body,
}

/// What a connection has to do about its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It is without a request for too long.
    Idle,
    /// It is without a request for so long that nothing is to be kept ready for one.
    Rest,
    /// It is as old as it may get.
    Old,
    /// It lets wait for too long.
    Late(Refused),
}

/// The version of HTTP that a connection speaks, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// One request after another.
    Http1,
    /// Many at a time, each of which looks after its body.
    Http2,
}

/// The state of one connection.
pub(super) struct Pulse {
    worker: Rc<Worker>,
    /// The client's among those of its listener, if it needs one.
    seat: Option<ClientSeat>,
    speaks: Cell<Speaks>,
    /// Requests whose responses have not ended.
    open: Cell<usize>,
    /// When the last of them ended.
    idle_since: Cell<Instant>,
    /// Requests so far.
    requests: Cell<u64>,
    /// Parts of responses' bodies that were handed on since somebody asked (HTTP/2).
    parts: Cell<u32>,
    awaited: Cell<Awaited>,
    awaited_since: Cell<Instant>,
    /// Since when it takes nothing of what is to be sent.
    stalled_since: Cell<Option<Instant>>,
    /// When it is old. None once it is.
    old_at: Cell<Option<Instant>>,
    /// The timer knows its task, which never changes, and has not gone off.
    armed: Cell<bool>,
    /// Nothing is kept ready for a request.
    rests: Cell<bool>,
    /// The client was told that the connection ends.
    told: Cell<bool>,
    /// It takes nothing, and what it was sent is not kept for it any longer.
    given_up: Cell<bool>,
}

/// One request: from its head to the end of its response.
pub(super) struct OpenRequest(Rc<Pulse>);

impl OpenRequest {
    /// The state of its connection.
    pub(super) fn pulse(&self) -> &Pulse {
        &self.0
    }
}

impl Pulse {
    /// That of a connection which begins now.
    pub(super) fn new(worker: &Rc<Worker>, seat: Option<ClientSeat>) -> Rc<Self> {
        let now = Instant::now();
        // Not all of a moment's connections end in one moment.
        let age = (worker.limits().connection_age).mul_f64(0.9 + 0.2 * fastrand::f64());
        Rc::new(Self {
            worker: Rc::clone(worker),
            seat,
            speaks: Cell::new(Speaks::Http1),
            open: Cell::new(0),
            idle_since: Cell::new(now),
            requests: Cell::new(0),
            parts: Cell::new(0),
            awaited: Cell::new(Awaited::Nothing),
            awaited_since: Cell::new(now),
            stalled_since: Cell::new(None),
            old_at: Cell::new(Some(now + age)),
            armed: Cell::new(false),
            rests: Cell::new(true),
            told: Cell::new(false),
            given_up: Cell::new(false),
        })
    }

    /// HTTP begins, in this version: from now on a request is waited for.
    pub(super) fn speaks(&self, version: Speaks) {
        self.speaks.set(version);
        self.rests.set(true);
        self.idle_since.set(Instant::now());
    }

    /// A request begins.
    pub(super) fn open(self: &Rc<Self>) -> OpenRequest {
        self.open.update(|open| open + 1);
        self.requests.update(|requests| requests + 1);
        OpenRequest(Rc::clone(self))
    }

    /// A part of a response's body was handed on.
    pub(super) fn gave_part(&self) {
        self.parts.update(|parts| parts.saturating_add(1));
    }

    /// How many parts were, since this was asked.
    pub(super) fn take_parts(&self) -> u32 {
        self.parts.take()
    }

    /// True if there shall be no more requests after those that have begun.
    pub(super) fn is_last(&self) -> bool {
        let most = self.worker.limits().requests_per_connection;
        self.old_at.get().is_none() || self.requests.get() >= most
    }

    /// The client is waited for, again or still: a head's time runs from its
    /// beginning, a body's from its last byte.
    pub(super) fn awaits(&self, what: Awaited) {
        let going_on = self.awaited.get() == what;
        if what == Awaited::Body || what == Awaited::Head && !going_on {
            self.awaited_since.set(Instant::now());
        }
        self.awaited.set(what);
    }

    /// Nothing is kept ready for a request any more.
    pub(super) fn rests(&self) {
        self.rests.set(true);
    }

    /// Something is, from now on: whether it still has to be is looked at sooner
    /// than anything else.
    pub(super) fn works(&self, timer: &mut Pin<Box<Sleep>>) {
        self.rests.set(false);
        let soon = Instant::now() + self.shortest();
        let at = soon.min(timer.deadline());
        timer.as_mut().reset(at);
        self.armed.set(false);
    }

    /// The client took something of what was to be sent, or nothing.
    pub(super) fn takes(&self, something: bool) {
        match (something, self.stalled_since.get()) {
            (true, Some(_)) => self.stalled_since.set(None),
            (false, None) => self.stalled_since.set(Some(Instant::now())),
            _ => {}
        }
    }

    /// Tells the client that the connection ends, unless it was told.
    pub(super) fn tell(&self, tell: impl FnOnce()) {
        if !self.told.replace(true) {
            tell();
        }
    }

    /// True if the client was told that the connection ends.
    pub(super) fn is_told(&self) -> bool {
        self.told.get()
    }

    /// True if the client takes nothing, so that what waits for it is to go, too.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.get()
    }

    /// Counts what was refused. Who floods does not come again at once.
    pub(super) fn refused(&self, why: Refused) {
        self.worker.metrics().refused(why);
        if let Some(seat) = &self.seat
            && why.is_flood()
        {
            seat.keep_out(self.limits().flood_penalty);
        }
    }

    /// Bounds on clients.
    pub(super) fn limits(&self) -> &Limits {
        self.worker.limits()
    }

    /// Looks whether something is due. To be asked with one timer again and
    /// again, which is set to when to look next.
    pub(super) fn poll_due(&self, cx: &mut Context<'_>, timer: &mut Pin<Box<Sleep>>) -> Poll<Due> {
        loop {
            if self.armed.get() && !timer.is_elapsed() {
                return Poll::Pending;
            }
            let polled = timer.as_mut().poll(cx);
            self.armed.set(polled.is_pending());
            ready!(polled);
            let now = Instant::now();
            let (at, due) = self.next_due();
            if at <= now {
                match due {
                    Due::Old => self.old_at.set(None),
                    Due::Rest => self.rests.set(true),
                    // So long again until it counts as due once more.
                    Due::Idle => self.idle_since.set(now),
                    Due::Late(why) => {
                        self.given_up.set(why == Refused::WriteTimeout);
                        self.refused(why);
                    }
                }
                timer.as_mut().reset(now + self.shortest());
                return Poll::Ready(due);
            }
            // Whatever begins from now on is not due before.
            timer.as_mut().reset(at.min(now + self.shortest()));
        }
    }

    /// A timer for `poll_due`.
    pub(super) fn timer(&self) -> Pin<Box<Sleep>> {
        self.armed.set(false);
        let (at, _) = self.next_due();
        let first = at.min(Instant::now() + self.shortest());
        Box::pin(tokio::time::sleep_until(first))
    }

    /// What is due next if nothing changes, and when.
    fn next_due(&self) -> (Instant, Due) {
        let limits = self.limits();
        let free = self.open.get() == 0;
        let http1 = self.speaks.get() == Speaks::Http1;
        let idle = match (self.speaks.get(), self.requests.get()) {
            (Speaks::Http2, _) if self.told.get() => limits.http2.ping_timeout,
            (Speaks::Http2, _) => limits.http2.idle_timeout,
            (Speaks::Http1, 0) => limits.head_timeout,
            (Speaks::Http1, _) => limits.keep_alive_timeout,
        };
        let since = match http1 {
            // A head may have come while a response was on its way.
            true => self.awaited_since.get().max(self.idle_since.get()),
            false => self.awaited_since.get(),
        };
        let late = |at, why| Some((at, Due::Late(why)));
        let awaited = match self.awaited.get() {
            Awaited::Head if free || !http1 => {
                late(since + limits.head_timeout, Refused::HeadTimeout)
            }
            Awaited::Body if free => late(since + limits.body_timeout, Refused::BodyTimeout),
            _ => None,
        };
        let idles = free && (!http1 || awaited.is_none());
        let idle = idles.then(|| (self.idle_since.get() + idle, Due::Idle));
        let stalled = self.stalled_since.get();
        let rests = free && self.awaited.get() == Awaited::Request;
        let rests = rests && stalled.is_none() && !self.rests.get();
        let rest = rests.then(|| (self.idle_since.get() + READY, Due::Rest));
        let stalled =
            stalled.map(|at| (at + limits.write_timeout, Due::Late(Refused::WriteTimeout)));
        let old = self.old_at.get().map(|at| (at, Due::Old));
        let all = [awaited, idle, rest, stalled, old].into_iter().flatten();
        let far = || (Instant::now() + FAR, Due::Idle);
        all.min_by_key(|(at, _)| *at).unwrap_or_else(far)
    }

    /// The shortest of all times: nothing is due sooner after it begins.
    fn shortest(&self) -> Duration {
        let limits = self.limits();
        let times = [
            limits.head_timeout,
            limits.keep_alive_timeout,
            limits.body_timeout,
            limits.write_timeout,
            limits.http2.idle_timeout,
            limits.http2.ping_timeout,
            // What rests is not looked after any sooner than it has to be.
            if self.rests.get() { FAR } else { READY },
        ];
        times.into_iter().min().unwrap_or(FAR)
    }
}

/// How long what a request needs is kept ready for the next one: whoever asks again
/// mostly asks sooner.
const READY: Duration = Duration::from_secs(1);

/// Longer than any time that can be configured.
const FAR: Duration = Duration::from_secs(48 * 60 * 60);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let Self(pulse) = self;
        pulse.open.update(|open| open - 1);
        if pulse.open.get() == 0 {
            pulse.idle_since.set(Instant::now());
        }
    }
}
