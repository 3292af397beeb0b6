//! Sends a request to an instance of its service, and again where it may be.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use http::{Request, Response, Version};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    body::RequestBody,
    discovery::Instance,
    exchange::{Exchange, Phase, ServiceIndex},
    forwarding,
    pipeline::Stop,
    respond::Error,
    upstream::{
        Backoff, Policy, Reason, Repeatable, RequestBody as BodyState, SendError, SendErrorKind,
        UpstreamBody,
    },
    worker::Worker,
};

use super::{
    Flight,
    alarm::{Alarm, Late},
};

/// How one try failed.
struct Failed {
    stop: Stop,
    /// What a retry policy may name; none if no retry can help.
    reason: Option<Reason>,
    /// The request's body, if nothing was sent.
    unsent: Option<RequestBody>,
}

/// Forwards until there is a response or no try is left. Cancel safe: dropping
/// the future closes the connection that the request was on.
pub(super) async fn forward(
    worker: &Worker,
    alarm: &Alarm,
    flight: &mut Flight,
    mut body: RequestBody,
) -> Result<Response<UpstreamBody<RequestBody>>, Stop> {
    flight.exchange.phase = Phase::Upstream;
    let service = flight.exchange.service.ok_or(Error::NoService)?;
    let deadline = flight.deadline();
    let sent_body = match body {
        RequestBody::Empty => BodyState::Empty,
        RequestBody::Stream(_) | RequestBody::Piped(_) | RequestBody::Own(_) => BodyState::Consumed,
    };
    flight.note_request();
    loop {
        let instance = pick(flight, service, deadline).await?;
        let until = match send(worker, alarm, flight, &instance, body, deadline).await {
            Ok(response) => {
                let reason = Reason::of_status(response.status());
                match retry_at(flight, reason, sent_body, deadline) {
                    Some(until) => {
                        body = RequestBody::Empty;
                        until
                    }
                    None => return Ok(response),
                }
            }
            Err(failed) => {
                let state = match failed.unsent {
                    Some(RequestBody::Stream(_) | RequestBody::Piped(_)) => BodyState::NotStarted,
                    _ => sent_body,
                };
                let until = retry_at(flight, failed.reason, state, deadline);
                body = failed.unsent.unwrap_or(RequestBody::Empty);
                until.ok_or(failed.stop)?
            }
        };
        flight.exchange.tried.push(instance.number);
        sleep_until(until).await;
    }
}

/// One try, in the time that the try and the route have.
async fn send(
    worker: &Worker,
    alarm: &Alarm,
    flight: &mut Flight,
    instance: &Arc<Instance>,
    body: RequestBody,
    deadline: Instant,
) -> Result<Response<UpstreamBody<RequestBody>>, Failed> {
    let request = request(flight, body);
    flight.exchange.instance = Some(instance.address);
    flight.outcome.attempts += 1;
    flight.in_flight = Some(instance.begin());
    let begun = Instant::now();
    let until = match flight.route().retries.per_try_timeout {
        Some(limit) => deadline.min(begun + limit),
        None => deadline,
    };
    let changes = flight.upgrade.is_some();
    // Pinned where it is made: it holds the request, which is not to be moved once more.
    let sending = pin!(async {
        match changes {
            false => worker.pool().send(&instance.target, request).await,
            // In a box, so that others pay nothing for its size.
            true => Box::pin(worker.pool().switch(&instance.target, request)).await,
        }
    });
    let sending = alarm.until(until, sending);
    let sent = match flight.pump.is_some() {
        false => sending.await,
        true => pumping(flight, sending).await?,
    };
    match sent {
        Ok(Ok(response)) => {
            flight.outcome.forwarded = true;
            instance.record_latency(begun.elapsed());
            Ok(response)
        }
        Ok(Err(error)) => Err(broken(flight, error)),
        Err(Late) => Err(too_late(flight)),
    }
}

/// Waits for something, and moves the request's body meanwhile, which filters
/// look at: they may stop the request.
async fn pumping<T>(flight: &mut Flight, waited: impl Future<Output = T>) -> Result<T, Failed> {
    let mut waited = pin!(waited);
    poll_fn(|cx| {
        if let Poll::Ready(Err(stop)) = flight.poll_pump(cx) {
            return Poll::Ready(Err(Failed {
                stop,
                reason: None,
                unsent: None,
            }));
        }
        waited.as_mut().poll(cx).map(Ok)
    })
    .await
}

fn broken(flight: &mut Flight, error: SendError<RequestBody>) -> Failed {
    tracing::debug!(
        request_id = flight.exchange.request_id.as_str(),
        instance = ?flight.exchange.instance,
        "{error}"
    );
    let client = flight.meter.as_ref().and_then(|meter| meter.error());
    let upstream = match error.kind {
        SendErrorKind::Connect | SendErrorKind::ConnectTimeout | SendErrorKind::Tls => {
            Error::Connect
        }
        SendErrorKind::NotTaken => Error::NotTaken,
        _ => Error::Upstream,
    };
    flight.outcome.forwarded = upstream == Error::Upstream && client.is_none();
    Failed {
        stop: client.unwrap_or(upstream).into(),
        reason: error.reason,
        unsent: error.unsent.map(|request| request.into_body()),
    }
}

/// A try that ran out of time. While the client was still sending its body
/// that says nothing of the instance.
fn too_late(flight: &mut Flight) -> Failed {
    let slow = flight
        .meter
        .as_ref()
        .is_some_and(|meter| meter.is_pending());
    flight.outcome.forwarded = !slow;
    match slow {
        true => Failed {
            stop: Error::ClientSlow.into(),
            reason: None,
            unsent: None,
        },
        false => Failed {
            stop: Error::Timeout.into(),
            reason: Some(Reason::Timeout),
            unsent: None,
        },
    }
}

/// The request as it goes upstream. Its head is copied only if something may
/// still need it: a retry, or a filter on the way back.
fn request(flight: &mut Flight, body: RequestBody) -> Request<RequestBody> {
    let route = flight.route();
    let (keep, filtered) = (route.keeps_request_head, !route.pipeline.is_empty());
    let Exchange {
        method,
        uri,
        headers,
        gateways,
        ..
    } = &mut *flight.exchange;
    if filtered {
        forwarding::insist(headers, *gateways);
    }
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.clone();
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = match keep {
        true => headers.clone(),
        false => std::mem::take(headers),
    };
    if let Some(upgrade) = &flight.upgrade {
        upgrade.ask(request.headers_mut());
    }
    request
}

async fn pick(
    flight: &mut Flight,
    service: ServiceIndex,
    deadline: Instant,
) -> Result<Arc<Instance>, Error> {
    let attempts = flight.outcome.attempts;
    let balancer = flight.local.balancer(service);
    if !balancer.is_slow() {
        return balancer.pick(&mut flight.exchange, attempts);
    }
    // In a box, so that others pay nothing for its size.
    let picking = Box::pin(balancer.pick_aside(&mut flight.exchange, attempts));
    let picked = timeout_at(deadline, picking).await;
    picked.unwrap_or(Err(Error::PluginTimeout))
}

/// When to try again, if policy, attempts, method, body, time and budget allow
/// it. Takes from the budget then.
fn retry_at(
    flight: &Flight,
    reason: Option<Reason>,
    body: BodyState,
    deadline: Instant,
) -> Option<Instant> {
    let route = flight.route();
    let attempts = flight.outcome.attempts;
    let request = Repeatable::new(&flight.exchange.method, body);
    if !Policy::new(&route.retries).should_retry(reason?, request, attempts) {
        return None;
    }
    let now = Instant::now();
    let backoff = Backoff::from(route.retries.backoff);
    let until = now + backoff.delay(attempts - 1, fastrand::u32(..));
    // A try that reached nobody is not held against the budget: the next is no
    // more load than the first would have been, and an instance that is gone must
    // not use up what is there for those that are in trouble.
    let free = reason == Some(Reason::ConnectFailure);
    let allowed =
        until < deadline && (free || flight.budget().retry(now.into_std(), &route.retries));
    if allowed {
        route.metrics.retried();
    }
    allowed.then_some(until)
}
