//! The tree of paths of one host.
//!
//! One level per segment. Children are found by hash, so that a level with ten
//! thousand literals costs what one with ten does.

use std::{cmp::Reverse, ops::ControlFlow};

use foldhash::HashMap;

use crate::{
    config::{PathPattern, Segment},
    exchange::RouteIndex,
};

use super::{
    Parameters,
    conditions::Conditions,
    parameters::{Capture, captures},
    table::Request,
};

/// A tree of path patterns, and the routes at each.
#[derive(Debug, Default)]
pub(super) struct Trie {
    root: Node,
    /// Routes that take every path, even one that is none.
    pathless: Vec<Candidate>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    parameter: Option<Box<Node>>,
    /// Routes whose pattern takes the rest of the path from here.
    rest: Vec<Candidate>,
    /// Routes whose pattern ends here.
    end: Vec<Candidate>,
}

/// One route at the end of its pattern.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) route: RouteIndex,
    pub(super) conditions: Conditions,
    captures: Box<[Capture]>,
}

impl Candidate {
    pub(super) fn new(
        route: RouteIndex,
        conditions: Conditions,
        pattern: Option<&PathPattern>,
    ) -> Self {
        Self {
            route,
            conditions,
            captures: captures(pattern),
        }
    }

    pub(super) fn takes(&self, request: &Request<'_>) -> bool {
        self.conditions.method(request.method) && self.conditions.but_for_method(request)
    }

    /// The parameters of a path that this route's pattern matches.
    pub(super) fn parameters<'a>(&'a self, path: &'a str) -> Parameters<'a> {
        Parameters::new(&self.captures, path)
    }
}

impl Trie {
    pub(super) fn insert(&mut self, pattern: Option<&PathPattern>, candidate: Candidate) {
        let Some(pattern) = pattern else {
            self.pathless.push(candidate);
            return;
        };
        let mut node = &mut self.root;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.as_str().into()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Rest(_) => return node.rest.push(candidate),
            };
        }
        node.end.push(candidate);
    }

    /// Puts the routes at each pattern into the order they are tried in.
    pub(super) fn sort(&mut self) {
        sort(&mut self.pathless);
        self.root.sort();
    }

    /// Visits the routes of matching patterns, the most specific pattern first.
    pub(super) fn walk<'a, B>(
        &'a self,
        path: &str,
        visit: &mut impl FnMut(&'a [Candidate]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if let Some(rest) = path.strip_prefix('/') {
            self.root.walk(rest, visit)?;
        }
        visit(&self.pathless)
    }
}

impl Node {
    fn sort(&mut self) {
        sort(&mut self.rest);
        sort(&mut self.end);
        self.literals.values_mut().for_each(Self::sort);
        self.parameter.iter_mut().for_each(|node| node.sort());
    }

    /// `rest` is what follows the slash before this level. As deep as the
    /// tree, whatever the path: patterns have few segments.
    fn walk<'a, B>(
        &'a self,
        rest: &str,
        visit: &mut impl FnMut(&'a [Candidate]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if let Some(node) = self.literals.get(segment) {
            node.descend(after, visit)?;
        }
        if let Some(node) = &self.parameter
            && !segment.is_empty()
        {
            node.descend(after, visit)?;
        }
        visit(&self.rest)
    }

    fn descend<'a, B>(
        &'a self,
        after: Option<&str>,
        visit: &mut impl FnMut(&'a [Candidate]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match after {
            Some(rest) => self.walk(rest, visit),
            None => visit(&self.end),
        }
    }
}

/// More conditions first, among them those that ask for a value rather than
/// for presence; otherwise the order of the file.
fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| Reverse(candidate.conditions.weight()));
}
