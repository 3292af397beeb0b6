//! The router itself: hosts, each with its tree of paths.

use std::ops::ControlFlow;

use foldhash::{HashMap, HashMapExt};
use http::{HeaderMap, Method};

use crate::{config::Match, exchange::RouteIndex};

use super::{
    Conflict, Parameters,
    conditions::{Conditions, allowed},
    conflict::Conflicts,
    trie::{Candidate, Trie},
};

/// The longest host name (RFC 1035): nothing longer can match a wildcard, so
/// that a host made of dots does not cost a look-up for each of them.
const LONGEST_HOST: usize = 253;

/// Finds the route of a request.
#[derive(Debug, Default)]
pub struct Router {
    exact: HashMap<Box<str>, Trie>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Trie>,
    any: Trie,
}

/// What the router says of a request.
#[derive(Debug)]
pub enum Found<'a> {
    /// A route matches.
    Route {
        /// The most specific one that matches.
        route: RouteIndex,
        /// The parameters of its path.
        parameters: Parameters<'a>,
    },
    /// Routes match but for the method.
    MethodNotAllowed {
        /// The methods they take, sorted, each once: the `Allow` field.
        allow: Vec<Method>,
    },
    /// Nothing matches.
    NotFound,
}

/// The request as the router looks at it.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
}

impl Router {
    /// Builds the router from routes in the order of the file.
    ///
    /// # Errors
    ///
    /// All pairs of routes that match exactly alike.
    pub fn build<'m>(
        routes: impl Iterator<Item = (RouteIndex, &'m Match)>,
    ) -> Result<Self, Vec<Conflict>> {
        let mut router = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            any: Trie::default(),
        };
        let mut conflicts = Conflicts::default();
        for (route, matches) in routes {
            conflicts.check(route, matches);
            let candidate = Candidate::new(route, Conditions::new(matches), matches.path.as_ref());
            let trie = router.host(matches.host.as_deref());
            trie.insert(matches.path.as_ref(), candidate);
        }
        let tries = router
            .exact
            .values_mut()
            .chain(router.wildcard.values_mut());
        tries.chain([&mut router.any]).for_each(Trie::sort);
        conflicts.or(router)
    }

    fn host(&mut self, host: Option<&str>) -> &mut Trie {
        let Some(host) = host else {
            return &mut self.any;
        };
        let (hosts, name) = match host.strip_prefix("*.") {
            Some(suffix) => (&mut self.wildcard, suffix),
            None => (&mut self.exact, host),
        };
        hosts.entry(name.into()).or_default()
    }

    /// The most specific route that takes a request, else why there is none.
    ///
    /// `host` is lower-case and without port, empty if there is none; `path`
    /// is compared as it is; a path that does not begin with `/` (as in
    /// `OPTIONS *`) matches only routes without a path. A route that lists
    /// `GET` takes `HEAD` too.
    pub fn find<'a>(
        &'a self,
        method: &Method,
        host: &str,
        path: &'a str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Found<'a> {
        let request = Request {
            method,
            path,
            query,
            headers,
        };
        let found = self.walk(host, path, &mut |candidates| {
            let first = candidates
                .iter()
                .find(|candidate| candidate.takes(&request));
            first.map_or(ControlFlow::Continue(()), ControlFlow::Break)
        });
        match found {
            ControlFlow::Break(candidate) => Found::Route {
                route: candidate.route,
                parameters: candidate.parameters(path),
            },
            ControlFlow::Continue(()) => self.refuse(host, &request),
        }
    }

    /// Says whether another method would have been taken. Walks a second time:
    /// a request that is answered does not pay for collecting methods.
    fn refuse<'a>(&self, host: &str, request: &Request<'_>) -> Found<'a> {
        let mut allow = Vec::new();
        let walked: ControlFlow<()> = self.walk(host, request.path, &mut |candidates| {
            let others = candidates
                .iter()
                .filter(|candidate| candidate.conditions.but_for_method(request))
                .map(|candidate| &candidate.conditions);
            others.for_each(|conditions| conditions.collect_methods(&mut allow));
            ControlFlow::Continue(())
        });
        debug_assert!(walked.is_continue(), "collecting never stops early");
        if allow.is_empty() {
            Found::NotFound
        } else {
            Found::MethodNotAllowed {
                allow: allowed(allow),
            }
        }
    }

    /// Visits the routes at matching hosts and paths, the most specific first.
    fn walk<'a, B>(
        &'a self,
        host: &str,
        path: &str,
        visit: &mut impl FnMut(&'a [Candidate]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if let Some(trie) = self.exact.get(host) {
            trie.walk(path, visit)?;
        }
        if !self.wildcard.is_empty() && host.len() <= LONGEST_HOST {
            for (dot, _) in host.match_indices('.').filter(|(dot, _)| *dot > 0) {
                if let Some(trie) = self.wildcard.get(&host[dot + 1..]) {
                    trie.walk(path, visit)?;
                }
            }
        }
        self.any.walk(path, visit)
    }
}
