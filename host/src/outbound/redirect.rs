//! Where a redirect leads (RFC 9110 §15.4), and what of a request may go there.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header, uri::PathAndQuery};
use url::{Position, Url};

use super::{
    Error, policy,
    request::{Host, Place, Request, Sending},
};

/// The fields that go along to another origin: none that could tell who asks.
const HARMLESS: [HeaderName; 9] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::USER_AGENT,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
];

/// Makes of a request the one that an answer redirects to. False if the answer is
/// the last word: it is no redirect, no more are followed, or the body cannot be
/// sent again. `host` is what the request had in `Host`.
///
/// # Errors
///
/// `Broken` for a redirect to nowhere, `Invalid` for one to what is no place.
pub(super) fn follow(
    request: &mut Request,
    body: &mut Sending,
    status: StatusCode,
    headers: &HeaderMap,
    host: &str,
) -> Result<bool, Error> {
    let Some(location) = headers.get(header::LOCATION) else {
        return Ok(false);
    };
    let drops_body = match status.as_u16() {
        301 | 302 => request.method == Method::POST,
        303 => request.method != Method::GET && request.method != Method::HEAD,
        307 | 308 => false,
        _ => return Ok(false),
    };
    if request.redirects == 0 || (!drops_body && matches!(body, Sending::Once(_))) {
        return Ok(false);
    }
    request.redirects -= 1;
    let location = location.to_str().map_err(|_| Error::Broken)?;
    let next = place(&request.place, location, host)?;
    if drops_body {
        request.method = Method::GET;
        *body = Sending::Whole(Bytes::new());
        for name in [
            header::CONTENT_TYPE,
            header::CONTENT_LANGUAGE,
            header::CONTENT_ENCODING,
        ] {
            request.headers.remove(name);
        }
    }
    if !same_origin(&request.place, &next) {
        let headers = std::mem::take(&mut request.headers);
        let harmless = |name: &HeaderName| Some((name.clone(), headers.get(name)?.clone()));
        request.headers = HARMLESS.iter().filter_map(harmless).collect();
    }
    request.place = next;
    Ok(true)
}

/// The place that a location names, seen from another.
fn place(from: &Place, location: &str, host: &str) -> Result<Place, Error> {
    match from {
        Place::Host(from) => {
            let next = from.url.join(location).map_err(|_| Error::Broken)?;
            Host::of(policy::checked(next)?).map(Place::Host)
        }
        // A service is asked by its name, and believes that it is `host`.
        Place::Service { name, path } => {
            let base = format!("http://{host}{path}");
            let base = Url::parse(&base).map_err(|_| Error::Broken)?;
            let next = policy::checked(base.join(location).map_err(|_| Error::Broken)?)?;
            if next.host() != base.host()
                || next.port_or_known_default() != base.port_or_known_default()
            {
                return Host::of(next).map(Place::Host);
            }
            let path = &next[Position::BeforePath..Position::AfterQuery];
            Ok(Place::Service {
                name: name.clone(),
                path: PathAndQuery::try_from(path).map_err(|_| Error::Broken)?,
            })
        }
    }
}

fn same_origin(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Host(one), Place::Host(other)) => one.origin == other.origin,
        (Place::Service { name: one, .. }, Place::Service { name: other, .. }) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(field).collect()
    }

    fn shown(place: &Place) -> String {
        match place {
            Place::Service { name, path } => format!("{name} {path}"),
            Place::Host(host) => host.url.to_string(),
        }
    }

    /// Follows one redirect, from a URL or, with a name before it, a path of a
    /// service that has the address 10.0.0.5:8080.
    fn followed(from: &str, method: &str, status: u16, location: &str) -> Result<String, Error> {
        let mut request = match from.split_once(' ') {
            Some((service, path)) => Request::to_service(method, service, path)?,
            None => Request::to_url(method, from)?,
        };
        request.redirects = 1;
        request.headers = headers(&[("authorization", "x"), ("accept", "y")]);
        let mut body = Sending::Whole(Bytes::from_static(b"body"));
        let answer: HeaderMap = [(
            header::LOCATION,
            HeaderValue::from_str(location).expect("a value"),
        )]
        .into_iter()
        .collect();
        let status = StatusCode::from_u16(status).expect("a status");
        if !follow(&mut request, &mut body, status, &answer, "10.0.0.5:8080")? {
            return Ok("stays".into());
        }
        assert!(request.headers.contains_key("accept"));
        let tells = request.headers.contains_key("authorization");
        let has_body = matches!(body, Sending::Whole(bytes) if !bytes.is_empty());
        let method = request.method.as_str();
        Ok(format!(
            "{method} {} {tells} {has_body}",
            shown(&request.place)
        ))
    }

    #[test]
    fn a_redirect_leads_where_a_browser_would_go_and_tells_strangers_nothing() {
        let url = "https://a.example/x/y?z";
        for (from, method, status, location, expected) in [
            (url, "GET", 302, "b", "GET https://a.example/x/b true true"),
            (
                url,
                "GET",
                301,
                "/b?c",
                "GET https://a.example/b?c true true",
            ),
            (url, "POST", 302, "/b", "GET https://a.example/b true false"),
            (url, "PUT", 302, "/b", "PUT https://a.example/b true true"),
            (url, "PUT", 303, "/b", "GET https://a.example/b true false"),
            (url, "HEAD", 303, "/b", "HEAD https://a.example/b true true"),
            (url, "POST", 307, "/b", "POST https://a.example/b true true"),
            (
                url,
                "POST",
                308,
                "https://a.example:443/b",
                "POST https://a.example/b true true",
            ),
            (
                url,
                "GET",
                302,
                "http://a.example/b",
                "GET http://a.example/b false true",
            ),
            (
                url,
                "GET",
                302,
                "https://a.example:444/",
                "GET https://a.example:444/ false true",
            ),
            (
                url,
                "GET",
                302,
                "//b.example/",
                "GET https://b.example/ false true",
            ),
            (
                url,
                "GET",
                302,
                "//0x7f.1/",
                "GET https://127.0.0.1/ false true",
            ),
            (url, "GET", 304, "/b", "stays"),
            (url, "GET", 200, "/b", "stays"),
            ("users /x/y", "GET", 302, "z", "GET users /x/z true true"),
            (
                "users /x",
                "GET",
                302,
                "http://10.0.0.5:8080/z",
                "GET users /z true true",
            ),
            (
                "users /x",
                "GET",
                302,
                "http://10.0.0.5/z",
                "GET http://10.0.0.5/z false true",
            ),
            (
                "users /x",
                "GET",
                302,
                "//b.example/",
                "GET http://b.example/ false true",
            ),
        ] {
            let followed = followed(from, method, status, location);
            assert_eq!(
                followed.as_deref(),
                Ok(expected),
                "{from} {status} {location}"
            );
        }
        for location in [
            "file:///etc/passwd",
            "https://user:secret@b.example/",
            "javascript:a",
        ] {
            assert_eq!(
                followed(url, "GET", 302, location),
                Err(Error::Invalid),
                "{location}"
            );
        }
        assert_eq!(followed(url, "GET", 302, "https://[::"), Err(Error::Broken));
    }

    #[test]
    fn what_cannot_be_followed_is_the_answer() {
        let answer = headers(&[("location", "/b")]);
        let request = || Request::to_url("POST", "http://a.example/").expect("is valid");
        let follows = |redirects, status: StatusCode, mut body| {
            let mut request = request();
            request.redirects = redirects;
            follow(&mut request, &mut body, status, &answer, "")
        };
        let (moved, see_other) = (StatusCode::TEMPORARY_REDIRECT, StatusCode::SEE_OTHER);
        assert_eq!(follows(0, moved, Sending::Whole(Bytes::new())), Ok(false));
        assert_eq!(follows(1, moved, Sending::Once(None)), Ok(false));
        assert_eq!(follows(1, see_other, Sending::Once(None)), Ok(true));
    }
}
