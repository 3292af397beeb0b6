//! What the command line asks for.

use std::{path::PathBuf, str::FromStr, time::Duration};

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration.
    pub config: PathBuf,
    /// The name of the route that is measured.
    pub route: String,
    /// A file with the request's head. None: a request is made from what the
    /// route matches.
    pub request: Option<PathBuf>,
    /// How long it goes on.
    pub effort: Effort,
    /// Two files of one plugin to compare. None: the pipeline is measured.
    pub compare: Option<Compare>,
}

/// How long a measurement goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// About this long.
    Time(Duration),
    /// So many requests for each figure.
    Requests(u64),
}

/// Two files of one plugin.
#[derive(Debug, Clone)]
pub struct Compare {
    /// The one that is there.
    pub old: PathBuf,
    /// The one that would replace it.
    pub new: PathBuf,
    /// What they are files of. None: what their names say.
    pub place: Option<Place>,
}

/// A use of a plugin by a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A step of the pipeline, from 0, as in `routes[0].pipeline[0]`.
    Step(usize),
    /// The balancer of the route's service.
    Balancer,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "balancer" => Ok(Self::Balancer),
            number => number
                .parse()
                .map(Self::Step)
                .map_err(|_| "the number of a step, from 0, or `balancer`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_or_the_balancer() {
        assert_eq!("2".parse(), Ok(Place::Step(2)));
        assert_eq!("balancer".parse(), Ok(Place::Balancer));
        assert!("-1".parse::<Place>().is_err());
    }
}
