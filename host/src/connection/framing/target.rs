//! Which targets a request may have: those that the library takes, too, so that none
//! is answered by it.

use std::ops::ControlFlow;

use http::Uri;

use super::{TOO_LARGE, all};

/// The longest target that the library takes.
pub(super) const LONGEST: usize = (1 << 16) - 2;

/// One of the four forms of a target (RFC 9112 §3.2), in characters that a URI
/// may have.
pub(super) fn form(method: &[u8], target: &[u8]) -> ControlFlow<&'static str> {
    if target.len() > LONGEST {
        return ControlFlow::Break(TOO_LARGE);
    }
    if !all(target, is_plain) {
        odd(target)?;
    }
    let scheme = |scheme: &[u8]| {
        let head = target.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    let known = match target {
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => method == b"CONNECT" || scheme(b"http://") || scheme(b"https://"),
    };
    let good = match target {
        [b'/', ..] => known,
        _ => known && Uri::try_from(target).is_ok(),
    };
    match good {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break("the request target is malformed"),
    }
}

/// A character that may be anywhere in a target.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() & !matches!(byte, b'#' | b'\\' | b'<' | b'>' | b'"' | b'`')
}

/// A target with a character that may not be everywhere.
fn odd(target: &[u8]) -> ControlFlow<&'static str> {
    if memchr::memchr(b'#', target).is_some() {
        return ControlFlow::Break("the request target has a fragment");
    }
    let graphic = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
    match target.iter().all(graphic) && Uri::try_from(target).is_ok() {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break("the request target has a character that no URI has"),
    }
}
