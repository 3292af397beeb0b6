//! A request that has changed to another protocol: bytes both ways, until both
//! sides have ended, one breaks off, or none has said anything for too long.
//!
//! Run by `connection`, which knows when the client's connection is free of HTTP.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};

use crate::{exchange::Failure, upstream::Switched};

use super::{
    flight::Flight,
    way::{Broken, Way},
};

/// A request that has changed to another protocol. Carries the exchange to its
/// end: dropped before [`Tunnel::run`] is over it counts as left by the client.
pub struct Tunnel {
    flight: Box<Flight>,
    upstream: Switched,
    idle: Duration,
}

/// How far both ways have come.
struct Ways {
    up: Way,
    down: Way,
}

impl Tunnel {
    /// Between the client of a flight and its instance. `idle`: the longest time
    /// without a byte.
    pub(super) fn new(mut flight: Box<Flight>, upstream: Switched, idle: Duration) -> Self {
        flight.tunnelled();
        Self {
            flight,
            upstream,
            idle,
        }
    }

    /// Moves bytes to the end. `early`: what the client sent ahead, right behind its
    /// request. Dropping the future closes both sides.
    pub async fn run(mut self, mut client: impl AsyncRead + AsyncWrite + Unpin, early: &[u8]) {
        let mut ways = Ways {
            up: Way::new(early),
            down: Way::new(&self.upstream.take_read()),
        };
        let mut last = Instant::now();
        let mut timer = pin!(sleep_until(last + self.idle));
        let failure = poll_fn(|cx| {
            let before = self.flight.outcome;
            if let Poll::Ready(failure) = self.poll_ways(cx, &mut ways, &mut client) {
                return Poll::Ready(failure);
            }
            let now = self.flight.outcome;
            if (before.request_bytes, before.response_bytes)
                != (now.request_bytes, now.response_bytes)
            {
                last = Instant::now();
            }
            while timer.as_mut().poll(cx).is_ready() {
                let until = last + self.idle;
                if until <= Instant::now() {
                    return Poll::Ready(Failure::None);
                }
                timer.as_mut().reset(until);
            }
            Poll::Pending
        })
        .await;
        self.flight.complete(Some(failure));
    }

    /// Moves what can be moved. Ready when nothing more will be; says whose fault
    /// that is.
    fn poll_ways(
        &mut self,
        cx: &mut Context<'_>,
        ways: &mut Ways,
        client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Poll<Failure> {
        let (mut sent, mut received) = (0, 0);
        let up = (ways.up).poll(cx, client, &mut self.upstream, &mut sent);
        let down = (ways.down).poll(cx, &mut self.upstream, client, &mut received);
        if sent + received > 0 {
            self.flight.route().metrics.tunnelled(sent, received);
            let outcome = &mut self.flight.outcome;
            outcome.request_bytes += sent;
            outcome.response_bytes += received;
        }
        match (up, down) {
            (Poll::Ready(Err(Broken::Reader)), _) | (_, Poll::Ready(Err(Broken::Writer))) => {
                Poll::Ready(Failure::Client)
            }
            (Poll::Ready(Err(Broken::Writer)), _) | (_, Poll::Ready(Err(Broken::Reader))) => {
                Poll::Ready(Failure::Upstream)
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Failure::None),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.flight.route().metrics.tunnel_closed();
    }
}
