//! The parameters of a path, cut out when they are asked for.
//!
//! Nothing is recorded while the tree is walked: a route knows which segments
//! are its parameters, and a path that matched has them.

use std::fmt;

use crate::config::{PathPattern, Segment};

/// Where a parameter of a pattern stands.
#[derive(Debug)]
pub(super) struct Capture {
    name: Box<str>,
    /// The number of its segment.
    segment: usize,
    /// Whether it goes to the end of the path.
    to_end: bool,
}

/// The captures of a pattern, in the order of its segments.
pub(super) fn captures(pattern: Option<&PathPattern>) -> Box<[Capture]> {
    let segments = pattern.map_or(&[][..], PathPattern::segments);
    let numbered = segments.iter().enumerate();
    let found = numbered.filter_map(|(segment, kind)| {
        let (name, to_end) = match kind {
            Segment::Literal(_) => return None,
            Segment::Parameter(name) => (name, false),
            Segment::Rest(name) => (name, true),
        };
        Some(Capture {
            name: name.as_str().into(),
            segment,
            to_end,
        })
    });
    found.collect()
}

/// The parameters of a route's path: names and values, as they are in the path.
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    captures: &'a [Capture],
    path: &'a str,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(captures: &'a [Capture], path: &'a str) -> Self {
        Self { captures, path }
    }

    /// True if the route's path has none.
    pub fn is_empty(&self) -> bool {
        self.captures.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.captures.len()
    }

    /// Names and values in the order of the path. Values are not decoded.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.path.strip_prefix('/');
        let mut number = 0;
        self.captures.iter().filter_map(move |capture| {
            while number < capture.segment {
                rest = rest?.split_once('/').map(|(_, after)| after);
                number += 1;
            }
            let value = match rest?.split_once('/') {
                Some((segment, _)) if !capture.to_end => segment,
                _ => rest?,
            };
            Some((&*capture.name, value))
        })
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
