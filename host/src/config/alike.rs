//! Finds routes that match exactly alike: the later one would never be used.

use std::cell::RefCell;

use crate::{
    exchange::RouteIndex,
    router::{Conflict, Router},
};

use super::{Diagnostic, Diagnostics, route::ReadRoute};

/// Notes every pair of routes that match alike.
pub(super) fn note_routes_alike(routes: &[ReadRoute], mistakes: &RefCell<Diagnostics>) {
    let numbered = (0..).map(RouteIndex).zip(routes);
    let known = numbered.filter(|(_, read)| read.match_known);
    let Err(conflicts) = Router::build(known.map(|(index, read)| (index, &read.route.matches)))
    else {
        return;
    };
    for Conflict { first, second } in conflicts {
        let route = |index: RouteIndex| &routes[index.0 as usize].route;
        let (first, second) = (route(first), route(second));
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
