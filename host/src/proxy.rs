//! The path of a request. Read it here, top down.
//!
//! head → route → filters → balance and forward (`forward`) → filters back →
//! response, whose body carries the exchange (`Flight`) to its end, where
//! every filter that ran is told the outcome.
//!
//! One request uses one snapshot from its first byte to its last. Errors are
//! values until `respond` makes HTTP of them. Called by `connection`.

mod body;
mod flight;
mod forward;
mod head;

use std::{rc::Rc, time::Instant};

use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;

use body::Content;
pub use body::ResponseBody;
use flight::Flight;

use crate::{
    body::{Meter, RequestBody},
    exchange::{Answer, ClientAddr, Exchange, Failure, Phase, RequestId, ResponseHead},
    forwarding::{self, ClientFields, X_REQUEST_ID},
    respond::{self, Error},
    router::Found,
    worker::Worker,
};

/// Serves one request. Cancel safe: a dropped future ends the exchange as
/// `Failure::Client`, and completion hooks still run.
pub async fn serve(
    worker: &Worker,
    client: &ClientFields,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let started = Instant::now();
    let (parts, incoming) = request.into_parts();
    let request_id = forwarding::request_id(&parts.headers);
    match admit(worker, client, parts, request_id.clone(), started) {
        Ok(flight) => run(worker, flight, incoming).await,
        Err(error) => refused(worker, &error, &request_id),
    }
}

/// Checks the head and finds the route. An error here has no pipeline yet.
fn admit(
    worker: &Worker,
    client: &ClientFields,
    parts: http::request::Parts,
    request_id: RequestId,
    started: Instant,
) -> Result<Flight, Error> {
    let head = head::check(parts)?;
    let local = worker.local();
    let path = head.uri.path();
    let query = head.uri.query();
    let (route, parameters) =
        match local
            .snapshot
            .router
            .find(&head.method, &head.host, path, query, &head.headers)
        {
            Found::Route { route, parameters } => (
                route,
                parameters
                    .iter()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
            ),
            Found::MethodNotAllowed { allow } => return Err(Error::MethodNotAllowed(allow)),
            Found::NotFound => return Err(Error::NoRoute),
        };
    let mut headers = head.headers;
    forwarding::strip_hop_by_hop(&mut headers);
    // The gateway has answered `Expect: 100-continue` on its own connection.
    headers.remove(header::EXPECT);
    (client.apply(&mut headers, &head.host_field)).map_err(|forwarding::Loops| Error::Loop)?;
    headers.insert(X_REQUEST_ID, request_id.0.clone());
    let exchange = Exchange {
        phase: Phase::Request,
        method: head.method,
        uri: head.uri,
        headers,
        host: head.host,
        scheme: client.scheme(),
        client: ClientAddr(client.client()),
        request_id,
        route,
        parameters,
        service: local.snapshot.route(route).service,
        ..Exchange::empty()
    };
    Ok(Flight::new(local, Box::new(exchange), started))
}

/// Runs the pipeline forward, forwards, and runs it back.
async fn run(worker: &Worker, mut flight: Flight, incoming: Incoming) -> Response<ResponseBody> {
    let meter = Rc::new(Meter::default());
    flight.meter = Some(Rc::clone(&meter));
    let result = match flight.request_filters() {
        Ok(None) => {
            let body = RequestBody::new(incoming, meter, worker.limits().request_body);
            forward::forward(worker, &mut flight, body)
                .await
                .map(|response| {
                    let (parts, body) = response.into_parts();
                    let mut headers = parts.headers;
                    forwarding::strip_hop_by_hop(&mut headers);
                    let status = parts.status;
                    (ResponseHead { status, headers }, Content::Upstream(body))
                })
        }
        Ok(Some(answer)) => {
            flight.outcome.failure = Failure::Filter;
            Ok(local(answer))
        }
        Err(error) => Err(error),
    };
    let (head, content) = result.unwrap_or_else(|error| {
        flight.outcome.failure = error.failure();
        local(respond::answer(&error, &flight.exchange.request_id))
    });
    finish(flight, head, content)
}

/// Runs the response back through the filters and hands it over.
fn finish(mut flight: Flight, head: ResponseHead, mut content: Content) -> Response<ResponseBody> {
    flight.exchange.response = Some(head);
    flight.exchange.phase = Phase::Response;
    if let Some(body) = flight.response_filters() {
        content = Content::full(body);
    }
    flight.exchange.phase = Phase::Complete;
    let (status, headers) = flight.take_response_head();
    response(status, headers, &flight.request_id(), |_| {
        ResponseBody::new(content, flight)
    })
}

/// An answer without a route.
fn refused(worker: &Worker, error: &Error, request_id: &RequestId) -> Response<ResponseBody> {
    let answer = respond::answer(error, request_id);
    worker.metrics().unrouted(answer.status);
    response(answer.status, answer.headers, &request_id.0, |_| {
        ResponseBody::local(answer.body)
    })
}

fn response(
    status: http::StatusCode,
    mut headers: HeaderMap,
    request_id: &HeaderValue,
    body: impl FnOnce(()) -> ResponseBody,
) -> Response<ResponseBody> {
    headers.insert(X_REQUEST_ID, request_id.clone());
    let mut response = Response::new(body(()));
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
    (ResponseHead { status, headers }, Content::full(body))
}
