//! The path of a request. Read it here, top down.
//!
//! head → route → filters → balance and forward (`forward`) → filters back →
//! response, whose body carries the exchange (`Flight`) to its end, where
//! every filter that ran is told the outcome.
//!
//! One request uses one snapshot from its first byte to its last. Errors are
//! values until `respond` makes HTTP of them. Called by `connection`.

mod alarm;
mod body;
mod flight;
mod forward;
mod grpc;
mod head;
mod path;
mod pump;
mod reframe;
mod refusal;
mod tunnel;
mod upgrade;
mod way;

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::Body;
use hyper::body::Incoming;

pub use alarm::Alarm;
pub use body::ResponseBody;
use body::{Content, HeldResponse};
use flight::Flight;
use pump::Pump;
use refusal::Refusal;
pub use tunnel::Tunnel;
use upgrade::Asked;

use crate::{
    body::RequestBody,
    exchange::{Answer, ClientAddr, Exchange, Failure, Phase, RequestId, ResponseHead, Side},
    forwarding::{self, ClientFields, X_REQUEST_ID},
    pipeline::{Chain, Stop},
    respond::{self, Error},
    router::Found,
    upstream::UpstreamBody,
    worker::Worker,
};

/// Serves one request; the alarm is for this and no other at the same time. Cancel
/// safe: a dropped future ends the exchange as `Failure::Client`, and completion
/// hooks still run.
///
/// The head is judged at once, so that the future has no room for it. The future is in
/// a box, since the library moves what it is given about, all of it, however little of
/// it is in use: of sixty-four clients' that is more than a processor keeps near.
pub fn serve<'a>(
    worker: &'a Worker,
    client: &ClientFields,
    alarm: &'a Alarm,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Response<ResponseBody>> + use<'a>>> {
    let started = Instant::now();
    let (parts, incoming) = request.into_parts();
    let request_id = forwarding::request_id(&parts.headers);
    let call = parts.version == Version::HTTP_2 && grpc::is_call(&parts.headers);
    let admitted = match admit(worker, client, parts, request_id.clone(), started) {
        Ok(mut flight) => {
            if call {
                flight.is_grpc(grpc::timeout(&flight.exchange.headers));
            }
            Ok(flight)
        }
        Err(refusal) => Err(Box::new(refused(worker, &refusal, &request_id, call))),
    };
    // First the room and then what stays there, which is written in its place then.
    let room = Box::new_uninit();
    let serving = async move {
        match admitted {
            Ok(flight) => run(worker, alarm, flight, incoming).await,
            Err(response) => *response,
        }
    };
    Box::into_pin(Box::write(room, serving))
}

/// Answers a request whose head was refused before anybody could read it in
/// one way or another, or all of it.
pub fn refuse(worker: &Worker, why: Error) -> Response<ResponseBody> {
    let request_id = forwarding::request_id(&HeaderMap::new());
    refused(worker, &why.into(), &request_id, false)
}

/// Checks the head and finds the route. An error here has no pipeline yet.
fn admit(
    worker: &Worker,
    client: &ClientFields,
    mut parts: http::request::Parts,
    request_id: RequestId,
    started: Instant,
) -> Result<Box<Flight>, Refusal> {
    // First of all, so that what is too much costs as little as can be.
    let place = worker.enter().ok_or(Error::Overloaded)?;
    // HTTP/1.1 is held to it before, and HTTP/2 to the bytes of the head only.
    if parts.headers.len() > worker.limits().request_headers {
        return Err(Error::HeadTooLarge.into());
    }
    let asked = Asked::of(&mut parts);
    let head = head::check(parts)?;
    let told = client.told(&head.headers);
    let client = told.as_ref().unwrap_or(client);
    let local = worker.local();
    let path = head.matched.as_deref().unwrap_or(head.uri.path());
    let query = head.uri.query();
    let (route, parameters) =
        match local
            .snapshot
            .router
            .find(&head.method, &head.host, path, query, &head.headers)
        {
            Found::Route { route, parameters } => {
                let named = (parameters.iter()).map(|(name, value)| (name.into(), value.into()));
                match local.snapshot.route(route).keeps_parameters {
                    true => (route, named.collect()),
                    false => (route, Vec::new()),
                }
            }
            Found::MethodNotAllowed { allow } => {
                return Err(Error::MethodNotAllowed(allow).into());
            }
            Found::NotFound => return Err(Error::NoRoute.into()),
        };
    let (mut headers, noted) = (head.headers, head.noted);
    let idle = worker.limits().tunnel_idle_timeout;
    let upgrade = asked.passed(&headers, &local.snapshot.route(route).upgrades, idle)?;
    let takes_trailers = noted.te && forwarding::takes_trailers(&headers);
    if noted.hop_by_hop {
        forwarding::strip_hop_by_hop(&mut headers, true);
    }
    if noted.expect {
        // The gateway has answered `Expect: 100-continue` on its own connection.
        headers.remove(header::EXPECT);
    }
    let gateways =
        (client.apply(&mut headers, &head.host_field)).map_err(|forwarding::Loops| Error::Loop)?;
    headers.insert(X_REQUEST_ID, request_id.0.clone());
    let exchange = Exchange {
        phase: Phase::Request,
        method: head.method,
        uri: head.uri,
        headers,
        host: head.host,
        scheme: client.scheme(),
        takes_trailers,
        tls: client.tls(),
        gateways,
        client: ClientAddr(client.client()),
        request_id,
        route,
        parameters,
        service: local.snapshot.route(route).service,
        ..Exchange::empty()
    };
    let mut flight = Flight::new(local, Box::new(exchange), started, place);
    flight.upgrade = upgrade;
    Ok(flight)
}

/// Runs the pipeline forward, forwards, and runs it back.
async fn run(
    worker: &Worker,
    alarm: &Alarm,
    mut flight: Box<Flight>,
    incoming: Incoming,
) -> Response<ResponseBody> {
    let result = match flight.request_filters().await {
        Ok(None) => {
            let limits = || flight.route().limits.over(worker.limits());
            let body = RequestBody::new(incoming, limits, flight.started());
            flight.meter = body.meter();
            match filtered(&mut flight, body).await {
                Ok(body) => {
                    let response = forward::forward(worker, alarm, &mut flight, body).await;
                    response.and_then(|response| upstream(&mut flight, response))
                }
                Err(stop) => Err(stop),
            }
        }
        Ok(Some(answer)) => Err(Stop::Answer(Box::new(answer))),
        Err(error) => Err(error.into()),
    };
    if let Err(Stop::Error(error)) = &result
        && let Some(reason) = refusal::reason(error)
    {
        worker.metrics().refused(reason);
    }
    let (head, content) = result.unwrap_or_else(|stop| stopped(&mut flight, stop));
    let timeout = flight.route().limits.over(worker.limits()).stream_timeout;
    finish(flight, head, content, timeout).await
}

/// The request's body as it goes upstream: as it comes, or what the filters
/// that look at it make of it. Some of them wait for all of it.
async fn filtered(flight: &mut Flight, body: RequestBody) -> Result<RequestBody, Stop> {
    if body.is_too_large() {
        return Err(Error::BodyTooLarge.into());
    }
    if flight.route().pipeline.changes_responses() {
        reframe::ask_for_all(&mut flight.exchange.headers);
    }
    match flight.chain_of(Side::Request) {
        // In a box, so that others pay nothing for its size.
        Some(chain) if !body.is_end_stream() => {
            Box::pin(look_at_request(flight, *chain, body)).await
        }
        _ => Ok(body),
    }
}

async fn look_at_request(
    flight: &mut Flight,
    chain: Chain,
    body: RequestBody,
) -> Result<RequestBody, Stop> {
    if chain.changes() {
        reframe::request(&mut flight.exchange.headers);
    }
    let mut pump = Box::new(Pump::new(chain, body));
    if let Err(stop) = flight.hold(&mut *pump).await {
        flight.passing(|passage| pump.abandon(passage));
        return Err(stop);
    }
    if let Some(length) = pump.length() {
        let headers = &mut flight.exchange.headers;
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let piped = pump.open();
    flight.pump = Some(pump);
    Ok(RequestBody::Piped(piped))
}

/// The response that came.
fn upstream(
    flight: &mut Flight,
    response: Response<UpstreamBody<RequestBody>>,
) -> Result<(ResponseHead, Content), Stop> {
    let (parts, body) = response.into_parts();
    let (status, mut headers) = (parts.status, parts.headers);
    if let Some(upgrade) = &mut flight.upgrade {
        upgrade.hear(status, &headers)?;
    }
    forwarding::strip_hop_by_hop(&mut headers, flight.exchange.takes_trailers);
    Ok((ResponseHead { status, headers }, Content::Upstream(body)))
}

/// The response in place of one that did not come.
fn stopped(flight: &mut Flight, stop: Stop) -> (ResponseHead, Content) {
    local(match stop {
        Stop::Answer(answer) => {
            flight.outcome.failure = Failure::Filter;
            *answer
        }
        stop => {
            let error = stop.error();
            flight.outcome.failure = error.failure();
            respond::answer(&error, &flight.exchange.request_id)
        }
    })
}

/// Runs the response back through the filters and hands it over.
async fn finish(
    mut flight: Box<Flight>,
    head: ResponseHead,
    mut content: Content,
    timeout: Duration,
) -> Response<ResponseBody> {
    flight.exchange.response = Some(head);
    flight.exchange.phase = Phase::Response;
    if let Some(body) = flight.response_filters().await {
        content = Content::answer(body);
    }
    if let Some(chain) = flight.chain_of(Side::Response) {
        // In a box, as above.
        Box::pin(look_at_response(&mut flight, chain, &mut content)).await;
    }
    flight.exchange.phase = Phase::Complete;
    let (mut status, mut headers) = flight.take_response_head();
    if flight.grpc && content.is_own() && grpc::translate(&mut status, &mut headers) {
        content = Content::answer(Bytes::new().into());
        if let Some(mut chain) = flight.chain.take() {
            flight.passing(|passage| chain.abandon(passage));
        }
    }
    if let Some(upgrade) = flight.upgrade.take() {
        let head = ResponseHead { status, headers };
        return upgrade.answer(flight, head, content, timeout);
    }
    let id = flight.request_id();
    let body = ResponseBody::new(content, flight, timeout);
    response(status, headers, &id, body)
}

/// Puts filters in the way of the response's body. Some of them wait for all of
/// it, and may answer instead.
async fn look_at_response(flight: &mut Flight, mut chain: Box<Chain>, content: &mut Content) {
    loop {
        let Some(head) = &mut flight.exchange.response else {
            return;
        };
        if chain.changes() {
            reframe::response(&mut head.headers);
        }
        if content.is_end_stream() || reframe::is_bodiless(&flight.exchange.method, head.status) {
            return;
        }
        let chain = &mut *chain;
        let Err(stop) = flight.hold(&mut HeldResponse { content, chain }).await else {
            break;
        };
        let answered = matches!(stop, Stop::Answer(_));
        let (head, body) = stopped(flight, stop);
        flight.exchange.response = Some(head);
        *content = body;
        flight.passing(|passage| match answered {
            true => chain.restart(passage),
            false => chain.abandon(passage),
        });
        if !answered {
            return;
        }
    }
    flight.chain = Some(chain);
}

/// An answer without a route.
fn refused(
    worker: &Worker,
    refusal: &Refusal,
    request_id: &RequestId,
    grpc: bool,
) -> Response<ResponseBody> {
    let mut answer = respond::answer(&refusal.error, request_id);
    worker.metrics().unrouted(answer.status);
    if let Some(reason) = refusal.reason {
        worker.metrics().refused(reason);
    }
    if grpc && grpc::translate(&mut answer.status, &mut answer.headers) {
        answer.body = Bytes::new().into();
    }
    let body = ResponseBody::local(answer.body);
    response(answer.status, answer.headers, &request_id.0, body)
}

fn response(
    status: http::StatusCode,
    mut headers: HeaderMap,
    request_id: &HeaderValue,
    body: ResponseBody,
) -> Response<ResponseBody> {
    headers.insert(X_REQUEST_ID, request_id.clone());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_11;
    *response.headers_mut() = headers;
    response
}

fn local(answer: Answer) -> (ResponseHead, Content) {
    let Answer {
        status,
        headers,
        body,
    } = answer;
    (ResponseHead { status, headers }, Content::answer(body))
}
