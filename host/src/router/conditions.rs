//! What a route asks for besides host and path.

use http::{HeaderMap, HeaderName, Method};

use crate::config::Match;

use super::{query, table::Request};

/// Methods, headers and query parameters that a route asks for.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Empty: every method. `HEAD` is there where `GET` is.
    methods: Box<[Method]>,
    headers: Box<[(HeaderName, Wanted)]>,
    query: Box<[(Box<str>, Wanted)]>,
}

/// What a header or a query parameter must be.
#[derive(Debug)]
enum Wanted {
    Present,
    Value(Box<str>),
}

impl Conditions {
    pub(super) fn new(matches: &Match) -> Self {
        let headers = matches.headers.iter();
        let query = matches.query.iter();
        Self {
            methods: with_head(&matches.methods).into(),
            headers: headers
                .map(|(name, value)| (name.clone(), Wanted::new(value)))
                .collect(),
            query: query
                .map(|(name, value)| (name.as_str().into(), Wanted::new(value)))
                .collect(),
        }
    }

    /// How specific this is: the number of conditions, then of those with a value.
    pub(super) fn weight(&self) -> (usize, usize) {
        let all = self.headers.len() + self.query.len() + usize::from(!self.methods.is_empty());
        let headers = self.headers.iter().filter(|(_, wanted)| wanted.is_value());
        let query = self.query.iter().filter(|(_, wanted)| wanted.is_value());
        (all, headers.count() + query.count())
    }

    pub(super) fn method(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    /// Whether headers and query are as asked for.
    pub(super) fn but_for_method(&self, request: &Request<'_>) -> bool {
        self.headers(request.headers) && self.query(request.query)
    }

    /// A header that is there several times matches with any of its values.
    fn headers(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|(name, wanted)| match wanted {
            Wanted::Present => headers.contains_key(name),
            Wanted::Value(value) => headers.get_all(name).iter().any(|other| *other == **value),
        })
    }

    fn query(&self, query: Option<&str>) -> bool {
        self.query.iter().all(|(name, wanted)| {
            let mut values = query::values(query.unwrap_or_default(), name);
            match wanted {
                Wanted::Present => values.next().is_some(),
                Wanted::Value(value) => values.any(|other| query::is(other, value)),
            }
        })
    }

    pub(super) fn collect_methods(&self, into: &mut Vec<Method>) {
        into.extend(self.methods.iter().cloned());
    }
}

impl Wanted {
    /// `*` asks for presence only.
    fn new(value: &str) -> Self {
        match value {
            "*" => Self::Present,
            _ => Self::Value(value.into()),
        }
    }

    fn is_value(&self) -> bool {
        matches!(self, Self::Value(_))
    }
}

/// `GET` brings `HEAD` with it (RFC 9110, 9.1: both must be supported).
pub(super) fn with_head(methods: &[Method]) -> Vec<Method> {
    let mut methods = methods.to_vec();
    if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
        methods.push(Method::HEAD);
    }
    methods
}

/// Methods as the `Allow` field lists them.
pub(super) fn allowed(mut methods: Vec<Method>) -> Vec<Method> {
    methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    methods.dedup();
    methods
}
