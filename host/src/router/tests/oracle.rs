//! The router against a naive matcher that has the same rules written down plainly.

use http::Method;

use crate::config::{Match, PathPattern, Segment};

use super::{Request, build, find, matching, request};

/// Every route is tried, and of those that match the one with the least rank
/// is taken.
fn naive(routes: &[Match], request: &Request) -> String {
    let mut allow = Vec::new();
    let mut best: Option<(Rank, String)> = None;
    for (number, route) in routes.iter().enumerate() {
        let Some(parameters) = naive_place(route, request) else {
            continue;
        };
        let head = request.method == Method::HEAD && route.methods.contains(&Method::GET);
        if !(route.methods.is_empty() || route.methods.contains(&request.method) || head) {
            allow.extend(route.methods.iter().map(|method| method.as_str()));
            allow.extend(route.methods.contains(&Method::GET).then_some("HEAD"));
            continue;
        }
        let rank = rank(route, number);
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, format!("{number}{parameters}")));
        }
    }
    allow.sort_unstable();
    allow.dedup();
    match best {
        Some((_, found)) => found,
        None if allow.is_empty() => "404".to_owned(),
        None => format!("405 {}", allow.join(",")),
    }
}

/// Host, path, conditions, conditions with a value, place in the file.
type Rank = (isize, Vec<u8>, isize, isize, usize);

fn rank(route: &Match, number: usize) -> Rank {
    let host = match &route.host {
        Some(host) if host.starts_with('*') => -(host.len() as isize),
        Some(_) => isize::MIN,
        None => 0,
    };
    let kinds = |pattern: &PathPattern| {
        let kind = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Rest(_) => 2,
        };
        pattern.segments().iter().map(kind).collect()
    };
    let path = route.path.as_ref().map_or(vec![3], kinds);
    let conditions =
        route.headers.len() + route.query.len() + usize::from(!route.methods.is_empty());
    let headers = route.headers.iter().map(|(_, value)| value);
    let query = route.query.iter().map(|(_, value)| value);
    let values = headers.chain(query).filter(|value| *value != "*").count();
    (
        host,
        path,
        -(conditions as isize),
        -(values as isize),
        number,
    )
}

/// The parameters if all but the method matches.
fn naive_place(route: &Match, request: &Request) -> Option<String> {
    let host = match &route.host {
        None => true,
        Some(host) => match host.strip_prefix('*') {
            Some(suffix) => request.host.len() > suffix.len() && request.host.ends_with(suffix),
            None => *host == request.host,
        },
    };
    let headers = route.headers.iter().all(|(name, value)| {
        let mut values = request.headers.get_all(name).iter();
        values.any(|other| value == "*" || other == value.as_str())
    });
    let query = route.query.iter().all(|(name, value)| {
        let mut pairs = request.query.as_deref().unwrap_or("").split('&');
        pairs.any(|pair| {
            pair.split_once('=')
                .is_some_and(|(n, v)| n == name && (value == "*" || v == value))
        })
    });
    if !(host && headers && query) {
        return None;
    }
    match &route.path {
        None => Some(String::new()),
        Some(pattern) => naive_path(pattern, &request.path),
    }
}

fn naive_path(pattern: &PathPattern, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let mut parameters = String::new();
    for (number, segment) in pattern.segments().iter().enumerate() {
        match segment {
            Segment::Literal(text) if parts.get(number) == Some(&&**text) => {}
            Segment::Parameter(name) if parts.get(number).is_some_and(|part| !part.is_empty()) => {
                parameters += &format!(" {name}={}", parts[number]);
            }
            Segment::Rest(name) => {
                parts.get(number)?;
                let rest = parts[number..].join("/");
                return Some(format!("{parameters} {name}={rest}"));
            }
            _ => return None,
        }
    }
    (parts.len() == pattern.segments().len()).then_some(parameters)
}

fn random_match(random: &mut fastrand::Rng) -> Match {
    let mut pick = |choices: &[&'static str]| random.choice(choices).copied().unwrap_or_default();
    let methods = pick(&["-", "-", "GET", "POST", "GET,POST", "HEAD"]);
    let host = pick(&["", "", "a.b", "*.b", "*.a.b", "c.a.b"]);
    let mut path = String::new();
    for depth in 0..4 {
        path += pick(&["/a", "/b", "/{p}", "/", "", "/{*r}"])
            .replace('p', &format!("p{depth}"))
            .as_str();
        if path.ends_with("*r}") || path.ends_with('/') {
            break;
        }
    }
    let header = pick(&["", "", "", " h:x=1", " h:x=2", " h:x=*", " h:x=1 h:y=*"]);
    let query = pick(&["", "", "", " q:v=1", " q:v=*"]);
    matching(&format!("{methods} {host}{path}{header}{query}"))
}

fn random_request(random: &mut fastrand::Rng) -> Request {
    let mut pick = |choices: &[&'static str]| random.choice(choices).copied().unwrap_or_default();
    let method = pick(&["GET", "GET", "POST", "HEAD", "PUT"]);
    let host = pick(&["a.b", "c.a.b", "d.c.a.b", "b", "x", ""]);
    let path: String = (0..4).map(|_| pick(&["/a", "/b", "/c", "/", ""])).collect();
    let query = pick(&["", "?v=1", "?v=2", "?w=1&v=1"]);
    let headers = pick(&["", " h:x=1", " h:x=2", " h:x=3 h:x=1", " h:x=1 h:y=1"]);
    let path = if path.is_empty() {
        "/".to_owned()
    } else {
        path
    };
    request(&format!("{method} {host}{path}{query}{headers}"))
}

#[test]
fn agrees_with_a_naive_matcher() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut answers = [0_u32; 3];
    for _ in 0..1_500 {
        let mut routes: Vec<Match> = Vec::new();
        for _ in 0..random.usize(1..12) {
            routes.push(random_match(&mut random));
            if build(&routes).is_err() {
                routes.pop();
            }
        }
        let router = build(&routes).unwrap();
        for _ in 0..20 {
            let request = random_request(&mut random);
            let expected = naive(&routes, &request);
            let Request {
                method,
                host,
                path,
                query,
                headers,
            } = &request;
            assert_eq!(
                find(&router, &request),
                expected,
                "{method} {host}{path} {query:?} {headers:?}\n{routes:#?}"
            );
            answers[match &*expected {
                "404" => 0,
                other if other.starts_with("405 ") => 1,
                _ => 2,
            }] += 1;
        }
    }
    // The test would be worth nothing if all answers were of one kind.
    assert!(answers.iter().all(|count| *count > 500), "{answers:?}");
}
