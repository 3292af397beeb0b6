//! Routes that match exactly alike.
//!
//! Two routes are alike if host, path (but for the names of parameters),
//! headers and query are the same and both would take a method: both take
//! every method, or one is listed by both. One that lists methods beside one
//! that does not is no conflict: it goes first, and leaves the others.

use std::{error::Error, fmt};

use foldhash::HashMap;
use http::Method;

use crate::{
    config::{Match, Segment},
    exchange::RouteIndex,
};

use super::{Router, conditions::with_head};

/// Two routes that match exactly alike: the second would never be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The one that comes first.
    pub first: RouteIndex,
    /// The one that comes later.
    pub second: RouteIndex,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.first.0, self.second.0);
        write!(
            f,
            "route {second} matches exactly what route {first} matches"
        )
    }
}

impl Error for Conflict {}

/// What has been seen while a router is built.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    seen: HashMap<(Alike, Option<Method>), RouteIndex>,
    found: Vec<Conflict>,
}

/// All of a match but methods and the names of parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Alike {
    host: Option<String>,
    path: Option<String>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Conflicts {
    pub(super) fn check(&mut self, second: RouteIndex, matches: &Match) {
        let alike = Alike::new(matches);
        let methods = with_head(&matches.methods).into_iter().map(Some);
        let every = matches.methods.is_empty().then_some(None);
        let mut noted = false;
        for method in methods.chain(every) {
            let first = *self.seen.entry((alike.clone(), method)).or_insert(second);
            if first != second && !noted {
                self.found.push(Conflict { first, second });
                noted = true;
            }
        }
    }

    /// The router if there is no conflict.
    pub(super) fn or(self, router: Router) -> Result<Router, Vec<Conflict>> {
        if self.found.is_empty() {
            Ok(router)
        } else {
            Err(self.found)
        }
    }
}

impl Alike {
    fn new(matches: &Match) -> Self {
        let mut headers: Vec<_> = (matches.headers.iter())
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .collect();
        headers.sort_unstable();
        let mut query = matches.query.clone();
        query.sort_unstable();
        let shape = |segment: &Segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            // Literals hold no braces.
            Segment::Parameter(_) => "/{}".to_owned(),
            Segment::Rest(_) => "/{*}".to_owned(),
        };
        let path = matches.path.as_ref();
        Self {
            host: matches.host.clone(),
            path: path.map(|path| path.segments().iter().map(shape).collect()),
            headers,
            query,
        }
    }
}
