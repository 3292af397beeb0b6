//! What a head may no longer say when filters may change its body.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// Fields of a body that is as its sender made it: its digests (RFC 9530, RFC
/// 3230, RFC 1864), and signatures over them (RFC 9421).
const OF_THE_BYTES: [HeaderName; 5] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    header::CONTENT_LENGTH,
];

/// Makes a request's head right for a body that may change.
pub(super) fn request(headers: &mut HeaderMap) {
    for name in &OF_THE_BYTES {
        headers.remove(name);
    }
}

/// Makes a response's head right for a body that may change: what it says of a
/// response to HEAD, or of one that was not modified, is of that body too.
pub(super) fn response(headers: &mut HeaderMap) {
    request(headers);
    // Parts of a body that may change cannot be put together (RFC 9110 §14.3).
    headers.remove(header::ACCEPT_RANGES);
    weaken(headers);
}

/// A strong validator says that not a byte differs (RFC 9110 §8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get_mut(header::ETAG) else {
        return;
    };
    if !tag.as_bytes().starts_with(b"W/") {
        let weak = [b"W/", tag.as_bytes()].concat();
        if let Ok(weak) = HeaderValue::from_bytes(&weak) {
            *tag = weak;
        }
    }
}

/// Asks for the whole body where a filter may change it: of a part nobody could
/// say which part of the changed body it is (RFC 9110 §14.2).
pub(super) fn ask_for_all(headers: &mut HeaderMap) {
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
}

/// Whether a response has no body whatever its head says (RFC 9110 §6.4.1).
pub(super) fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_nothing_of_bytes_that_may_change() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("etag", "\"strong\""),
            ("accept-ranges", "bytes"),
            ("repr-digest", "sha-256=:AAAA:"),
            ("content-md5", "AAAA"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response(&mut headers);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["content-type"], "text/plain");
        assert_eq!(headers["etag"], "W/\"strong\"");
        response(&mut headers);
        assert_eq!(headers["etag"], "W/\"strong\"");
    }
}
