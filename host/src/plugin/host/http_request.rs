//! `http`, its second part: what a plugin asks, read and held to its limits.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header::VIA};
use wasmtime::Result;

use crate::{
    exchange::Exchange,
    forwarding::{self, X_REQUEST_ID},
    outbound::{self, Error, Request},
};

use super::{
    super::{data::Data, wit, wit::Refusal},
    Caller,
    exchange_response::Fields,
    fields::{self, MOST_FIELDS},
    http::Met,
};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What a plugin asks.
pub(super) struct Asked {
    pub(super) request: Request,
    /// Bytes of the answer that it may read.
    pub(super) most: u64,
    pub(super) met: Met,
}

/// Reads what a plugin asks.
pub(super) fn read(caller: &mut Caller<'_>, asked: &wit::Request) -> Result<Result<Asked, Error>> {
    let headers = match headers(caller, &asked.headers)? {
        Ok(headers) => headers,
        Err(error) => return Ok(Err(error)),
    };
    let (method, url) = (asked.method.to_str(&*caller)?, asked.url.to_str(&*caller)?);
    let request = match &asked.service {
        Some(service) => Request::to_service(&method, &service.to_str(&*caller)?, &url),
        None => Request::to_url(&method, &url),
    };
    let limits = &caller.data().allowance.limits.http;
    let (timeout, largest) = (limits.timeout, limits.response_size as u64);
    let wanted = Duration::from_millis(asked.timeout_ms.into());
    let met = Met {
        timeout: wanted.is_zero() || wanted >= timeout,
        response_size: asked.most == 0 || asked.most >= largest,
    };
    let request = request.and_then(|request| {
        let request = request.with_headers(headers)?.following(asked.redirects)?;
        Ok(Asked {
            request: request.within(if met.timeout { timeout } else { wanted }),
            most: if met.response_size {
                largest
            } else {
                asked.most
            },
            met,
        })
    });
    Ok(request)
}

/// The fields that a request has, without those that are the gateway's, and with
/// those that tie it to the request that the plugin works on: its trace, and the
/// gateways that it came through, so that a circle is noticed.
fn headers(caller: &mut Caller<'_>, list: &Fields) -> Result<Result<HeaderMap, Error>> {
    if list.len() > MOST_FIELDS {
        return Ok(Err(Error::Invalid));
    }
    let mut headers = HeaderMap::with_capacity(list.len());
    for index in 0..list.len() {
        let Some(field) = list.get(&mut *caller, index) else {
            break;
        };
        let (name, value) = field?;
        let added = fields::checked(caller, &name, &value)?
            .and_then(|field| fields::append(&mut headers, field));
        match added {
            // Whoever passes on all fields of a message has some of these.
            Ok(()) | Err(Refusal::Forbidden) => {}
            Err(_) => return Ok(Err(Error::Invalid)),
        }
    }
    if let Ok(exchange) = caller.data().exchange() {
        trace(&mut headers, exchange);
    }
    Ok(Ok(headers))
}

fn trace(headers: &mut HeaderMap, exchange: &Exchange) {
    let of = |name: &HeaderName| exchange.headers.get(name).cloned();
    let own = headers.contains_key(&TRACEPARENT);
    let mut missing = vec![(X_REQUEST_ID, Some(exchange.request_id.0.clone()))];
    // The state of one trace says nothing of another.
    if !own {
        missing.push((TRACEPARENT, of(&TRACEPARENT)));
        missing.push((TRACESTATE, of(&TRACESTATE)));
    }
    if !headers.contains_key(VIA) {
        for value in exchange.headers.get_all(VIA) {
            headers.append(VIA, value.clone());
        }
    }
    forwarding::insist(headers, exchange.gateways);
    for (name, value) in missing {
        if let Some(value) = value.filter(|value| !value.is_empty())
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
}

/// For whom a call is made: nobody, in a hook without an exchange.
pub(super) fn on_behalf_of(data: &Data) -> outbound::Caller {
    let nobody = Exchange::empty();
    let exchange = data.exchange().unwrap_or(&nobody);
    outbound::Caller {
        client: exchange.client.0,
        request_id: exchange.request_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn a_trace_goes_along_whole_or_not_at_all() {
        let exchange = Exchange {
            headers: fields(&[
                ("traceparent", "theirs"),
                ("tracestate", "theirs"),
                ("via", "1.1 a"),
            ]),
            request_id: crate::exchange::RequestId(HeaderValue::from_static("id-1")),
            ..Exchange::empty()
        };
        for (given, expected) in [
            (
                fields(&[]),
                fields(&[
                    ("x-request-id", "id-1"),
                    ("traceparent", "theirs"),
                    ("tracestate", "theirs"),
                    ("via", "1.1 a"),
                ]),
            ),
            (
                fields(&[("traceparent", "own"), ("x-request-id", "own")]),
                fields(&[
                    ("traceparent", "own"),
                    ("x-request-id", "own"),
                    ("via", "1.1 a"),
                ]),
            ),
        ] {
            let mut headers = given;
            trace(&mut headers, &exchange);
            assert_eq!(headers, expected);
        }
        let mut headers = HeaderMap::new();
        trace(&mut headers, &Exchange::empty());
        assert!(headers.is_empty());
    }

    #[test]
    fn who_leaves_out_where_a_request_has_been_is_not_heard() {
        let exchange = Exchange {
            gateways: 2,
            ..Exchange::empty()
        };
        for given in [&[][..], &[("via", "1.1 a, 1.1 portcullis")]] {
            let mut headers = fields(given);
            trace(&mut headers, &exchange);
            assert_eq!(forwarding::gateways(&headers), 2, "{given:?}");
        }
    }
}
