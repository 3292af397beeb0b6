//! Finds routes that match exactly alike: the later one would never be used.

use std::cell::RefCell;

use crate::{
    exchange::RouteIndex,
    router::{Conflict, Router},
};

use super::{Diagnostic, Diagnostics, Route};

/// Notes every pair of routes that match alike.
pub(super) fn note_routes_alike(routes: &[Route], mistakes: &RefCell<Diagnostics>) {
    let numbered = (0..)
        .map(RouteIndex)
        .zip(routes.iter().map(|route| &route.matches));
    let Err(conflicts) = Router::build(numbered) else {
        return;
    };
    for Conflict { first, second } in conflicts {
        let (first, second) = (&routes[first.0 as usize], &routes[second.0 as usize]);
        let message = format!(
            "route `{}` matches exactly what route `{}` at {} matches",
            second.name, first.name, first.at
        );
        let hint = "the first would take everything: make one differ in host, path, methods, \
                    headers or query";
        let mistake = Diagnostic::new(second.at, "routes", message).hint(hint);
        mistakes.borrow_mut().push(mistake);
    }
}
