//! The router against its rules, route by route.

mod cost;
mod oracle;

use http::{HeaderMap, HeaderValue, Method};

use crate::{
    config::{Match, PathPattern},
    exchange::RouteIndex,
};

use super::{Conflict, Found, Router};

/// A match in short: `GET,POST host/path h:name=value q:name=value`, `-` for every method.
fn matching(short: &str) -> Match {
    let mut words = short.split(' ');
    let methods = words.next().unwrap_or("-");
    let place = words.next().unwrap_or("");
    let (host, path) = match place.find('/') {
        Some(at) => place.split_at(at),
        None => (place, ""),
    };
    let mut matches = Match {
        host: (!host.is_empty()).then(|| host.to_owned()),
        path: (!path.is_empty()).then(|| path.parse::<PathPattern>().unwrap()),
        ..Match::default()
    };
    if methods != "-" {
        matches.methods = methods
            .split(',')
            .map(|method| method.parse().unwrap())
            .collect();
    }
    for word in words {
        let (name, value) = word[2..].split_once('=').unwrap();
        match &word[..2] {
            "h:" => matches
                .headers
                .push((name.parse().unwrap(), value.to_owned())),
            _ => matches.query.push((name.to_owned(), value.to_owned())),
        }
    }
    matches
}

fn build(routes: &[Match]) -> Result<Router, Vec<Conflict>> {
    Router::build((0..).map(RouteIndex).zip(routes))
}

fn router(routes: &[&str]) -> Router {
    let routes: Vec<Match> = routes.iter().map(|short| matching(short)).collect();
    build(&routes).unwrap()
}

struct Request {
    method: Method,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

/// A request in short: `GET host/path?query h:name=value`.
fn request(short: &str) -> Request {
    let mut words = short.split(' ');
    let method = words.next().unwrap_or_default();
    let place = words.next().unwrap_or_default();
    let (host, target) = match place.find(['/', '*']) {
        Some(at) => place.split_at(at),
        None => (place, ""),
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let mut headers = HeaderMap::new();
    for word in words {
        let (name, value) = word[2..].split_once('=').unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    Request {
        method: method.parse().unwrap(),
        host: host.to_owned(),
        path: path.to_owned(),
        query,
        headers,
    }
}

/// What was found in short: `2 id=5 rest=a/b`, `405 GET,HEAD`, `404`.
fn find(router: &Router, request: &Request) -> String {
    let Request {
        method,
        host,
        path,
        query,
        headers,
    } = request;
    match router.find(method, host, path, query.as_deref(), headers) {
        Found::Route { route, parameters } => {
            let parameters = parameters
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            format!("{}{}", route.0, parameters.collect::<String>())
        }
        Found::MethodNotAllowed { allow } => {
            let allow: Vec<&str> = allow.iter().map(Method::as_str).collect();
            format!("405 {}", allow.join(","))
        }
        Found::NotFound => "404".to_owned(),
    }
}

#[track_caller]
fn check(routes: &[&str], cases: &[(&str, &str)]) {
    let router = router(routes);
    for (short, expected) in cases {
        assert_eq!(find(&router, &request(short)), *expected, "{short}");
    }
}

#[test]
fn paths_the_most_specific_first() {
    check(
        &[
            "- /{*rest}",
            "- /users/{id}",
            "- /users/me",
            "- /users/{id}/orders/{order}",
            "- /users/me/{*more}",
            "- /",
        ],
        &[
            ("GET /", "5"),
            ("GET /users", "0 rest=users"),
            ("GET /users/", "0 rest=users/"),
            ("GET /users/me", "2"),
            ("GET /users/7", "1 id=7"),
            ("GET /users/7%2F8", "1 id=7%2F8"),
            ("GET /users/7/orders/8", "3 id=7 order=8"),
            ("GET /users/me/orders/8", "4 more=orders/8"),
            ("GET /users/me/", "4 more="),
            ("GET /users/7/orders", "0 rest=users/7/orders"),
            ("GET /users/7/orders/8/", "0 rest=users/7/orders/8/"),
            ("GET //", "0 rest=/"),
            ("GET *", "404"),
            ("GET ", "404"),
        ],
    );
}

#[test]
fn a_slash_at_the_end_counts() {
    check(
        &["- /api/users", "- /files/", "- /a/{x}/", "- /b/{*rest}"],
        &[
            ("GET /api/users", "0"),
            ("GET /api/users/", "404"),
            ("GET /files", "404"),
            ("GET /files/", "1"),
            ("GET /a/1/", "2 x=1"),
            ("GET /a/1", "404"),
            ("GET /a//", "404"),
            ("GET /b/", "3 rest="),
            ("GET /b", "404"),
            ("GET /b//", "3 rest=/"),
        ],
    );
}

#[test]
fn hosts_exact_then_the_longest_wildcard_then_any() {
    check(
        &[
            "- /{*all}",
            "- *.example.com/a",
            "- *.eu.example.com/a",
            "- api.eu.example.com/a",
            "- api.eu.example.com/b",
            "-",
            "- only.example.com",
        ],
        &[
            ("GET api.eu.example.com/a", "3"),
            ("GET x.eu.example.com/a", "2"),
            ("GET x.y.eu.example.com/a", "2"),
            ("GET x.example.com/a", "1"),
            ("GET eu.example.com/a", "1"),
            ("GET example.com/a", "0 all=a"),
            ("GET .example.com/a", "0 all=a"),
            ("GET api.eu.example.com/c", "0 all=c"),
            ("GET only.example.com/a", "6"),
            ("GET *", "5"),
            ("GET other/", "0 all="),
        ],
    );
}

#[test]
fn conditions_decide_and_fall_back() {
    check(
        &[
            "- /a",
            "- /a h:x-version=2",
            "- /a h:x-version=*",
            "POST /a h:x-version=2",
            "- /a q:v=1 q:w=*",
            "- /{x} h:beta=yes",
            "- /b h:beta=no",
        ],
        &[
            ("GET /a", "0"),
            ("GET /a h:x-version=2", "1"),
            ("GET /a h:x-version=1 h:x-version=2", "1"),
            ("GET /a h:x-version=3", "2"),
            ("POST /a h:x-version=2", "3"),
            ("GET /a?v=1", "0"),
            ("GET /a?w&v=%31", "4"),
            ("GET /b h:beta=yes", "5 x=b"),
            ("GET /b h:beta=no", "6"),
            ("GET /b", "404"),
        ],
    );
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    check(
        &[
            "GET,PUT /a",
            "POST /{x}",
            "DELETE api.example.com/a",
            "GET /q q:v=1",
            "PURGE *.example.com/p h:k=1",
        ],
        &[
            ("GET /a", "0"),
            ("HEAD /a", "0"),
            ("POST /a", "1 x=a"),
            ("DELETE /a", "405 GET,HEAD,POST,PUT"),
            ("PATCH api.example.com/a", "405 DELETE,GET,HEAD,POST,PUT"),
            ("GET api.example.com/a", "0"),
            ("PUT /q", "405 POST"),
            ("PUT /q?v=1", "405 GET,HEAD,POST"),
            ("GET x.example.com/p", "405 POST"),
            ("GET x.example.com/p h:k=1", "405 POST,PURGE"),
            ("GET /none/here", "404"),
        ],
    );
}

#[test]
fn parameters_are_found_by_name() {
    let router = router(&["- /a/{b}/c/{d}/{*e}"]);
    let found = router.find(&Method::GET, "", "/a/1/c/2/3/4", None, &HeaderMap::new());
    let Found::Route { parameters, .. } = found else {
        panic!("{found:?}")
    };
    assert_eq!(parameters.len(), 3);
    assert_eq!(parameters.get("d"), Some("2"));
    assert_eq!(parameters.get("e"), Some("3/4"));
    assert_eq!(parameters.get("x"), None);
    assert_eq!(
        format!("{parameters:?}"),
        r#"{"b": "1", "d": "2", "e": "3/4"}"#
    );
}

#[test]
fn routes_alike_are_refused() {
    type Case = (&'static [&'static str], &'static [(u32, u32)]);
    let cases: [Case; 8] = [
        (&["- /a", "- /a"], &[(0, 1)]),
        (&["- /a/{x}", "- /a/{y}", "- /a/{z}"], &[(0, 1), (0, 2)]),
        (&["- /a/{x}", "- /a/{*x}", "- /a/x", "- /a/x/"], &[]),
        (&["GET /a", "POST /a", "- /a", "GET,POST /a"], &[(0, 3)]),
        (&["GET /a", "HEAD /a"], &[(0, 1)]),
        (&["- a.b/", "- *.a.b/", "- /", "- a.b/"], &[(0, 3)]),
        (
            &["- /a h:a=1 h:b=2 q:c=3", "- /a h:b=2 h:a=1 q:c=3"],
            &[(0, 1)],
        ),
        (
            &["- /a h:a=1", "- /a h:a=2", "- /a h:a=*", "- /a q:a=1"],
            &[],
        ),
    ];
    for (routes, expected) in cases {
        let matches: Vec<Match> = routes.iter().map(|short| matching(short)).collect();
        let found = build(&matches).err().unwrap_or_default();
        let found: Vec<_> = found.iter().map(|c| (c.first.0, c.second.0)).collect();
        assert_eq!(found, expected, "{routes:?}");
    }
}
