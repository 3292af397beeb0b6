//! `body`: the body in flight, and what filters want to become of it.

use ::http::HeaderMap;

use super::{
    exchange::{Flight, Phase},
    flight,
    rules::{checked, set},
    with,
};
use crate::Refusal;
pub(crate) use crate::bindings::imports::portcullis::gateway::body::Side;

/// Bytes written in one call of a hook.
const LARGEST_OUTPUT: usize = 1 << 20;

/// What may not stand in trailers beside what the gateway owns: fields of
/// framing, routing, authentication and content (RFC 9110, 6.5.1).
const NO_TRAILERS: [&str; 18] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "set-cookie",
    "trailer",
    "www-authenticate",
];

/// What a body hook was called for, and what it makes of it.
#[derive(Debug, Clone, Default)]
pub(in crate::testing) struct InHook {
    pub(in crate::testing) bytes: Vec<u8>,
    pub(in crate::testing) end: bool,
    /// None: nothing was written, not even nothing.
    pub(in crate::testing) written: Option<Vec<u8>>,
}

/// What filters have said of the bodies of an exchange.
#[derive(Debug, Clone, Default)]
pub(in crate::testing) struct Wishes {
    /// By filter.
    pub(in crate::testing) skipped: Vec<(usize, Side)>,
    pub(in crate::testing) decoded: Vec<Side>,
    pub(in crate::testing) held: Vec<Side>,
}

pub(crate) fn skip(side: Side) -> Result<(), Refusal> {
    let in_configure = with(|state| {
        let configuring = state.current.is_none();
        if configuring {
            state.skipped_bodies.push(side);
        }
        configuring
    });
    if in_configure {
        return Ok(());
    }
    flight(|flight| {
        if (flight.phase, side) != (Phase::Request, Side::Response) {
            check_head(flight, side)?;
        }
        flight.wishes.skipped.push((flight.step, side));
        Ok(())
    })
}

pub(crate) fn decode(side: Side) -> Result<(), Refusal> {
    flight(|flight| {
        check_head(flight, side)?;
        let headers = match (side, &mut flight.response) {
            (Side::Request, _) => &mut flight.headers,
            (Side::Response, Some(response)) => &mut response.headers,
            (Side::Response, None) => return Err(Refusal::WrongPhase),
        };
        let Some(coding) = headers.get("content-encoding") else {
            return Ok(());
        };
        let coding = coding.as_bytes().to_ascii_lowercase();
        if matches!(&*coding, b"identity" | b"") {
            return Ok(());
        }
        if !matches!(&*coding, b"gzip" | b"x-gzip" | b"deflate" | b"br") {
            return Err(Refusal::Invalid);
        }
        headers.remove("content-encoding");
        flight.wishes.decoded.push(side);
        Ok(())
    })
}

pub(crate) fn hold_head(side: Side) -> Result<(), Refusal> {
    flight(|flight| {
        check_head(flight, side)?;
        flight.wishes.held.push(side);
        Ok(())
    })
}

pub(crate) fn read() -> Vec<u8> {
    flight(|flight| in_hook(flight).bytes.clone())
}

pub(crate) fn write(bytes: &[u8]) -> Result<(), Refusal> {
    flight(|flight| {
        let written = in_hook(flight).written.get_or_insert_default();
        if written.len() + bytes.len() > LARGEST_OUTPUT {
            return Err(Refusal::TooLarge);
        }
        written.extend(bytes);
        Ok(())
    })
}

pub(crate) fn trailers() -> Vec<(String, Vec<u8>)> {
    flight(|flight| match in_hook(flight).end {
        true => super::exchange::fields(&flight.trailers),
        false => Vec::new(),
    })
}

pub(crate) fn set_trailer(name: &str, value: &[u8]) -> Result<(), Refusal> {
    flight(|flight| {
        let (name, value) = checked(name, value)?;
        if NO_TRAILERS.contains(&name.as_str()) {
            return Err(Refusal::Forbidden);
        }
        set(trailers_of(flight)?, name.as_str(), value.as_bytes())
    })
}

pub(crate) fn remove_trailer(name: &str) -> bool {
    flight(|flight| trailers_of(flight).is_ok_and(|trailers| trailers.remove(name).is_some()))
}

/// Fails outside of the hook that sees this side's head.
fn check_head(flight: &Flight, side: Side) -> Result<(), Refusal> {
    match (flight.phase, side) {
        (Phase::Request, Side::Request) | (Phase::Response, Side::Response) => Ok(()),
        _ => Err(Refusal::WrongPhase),
    }
}

fn in_hook(flight: &mut Flight) -> &mut InHook {
    let body = flight.body.as_mut();
    body.expect("a trap: there is no body outside of the hooks that see one")
}

fn trailers_of(flight: &mut Flight) -> Result<&mut HeaderMap, Refusal> {
    match in_hook(flight).end {
        true => Ok(&mut flight.trailers),
        false => Err(Refusal::WrongPhase),
    }
}
