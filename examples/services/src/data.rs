//! What the services serve: three records each.
//!
//! Used by `service`. Nothing is ever stored: a demo starts the same each time.

use clap::ValueEnum;
use serde_json::{Value, json};

/// Which of the services this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// People.
    Users,
    /// Things on sale.
    Products,
    /// Who bought what.
    Orders,
}

impl Kind {
    /// The service's name, which is also the path segment before an id.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Products => "products",
            Self::Orders => "orders",
        }
    }

    /// All records, in order of their ids, which count from 1.
    pub(crate) fn records(self) -> Vec<Value> {
        match self {
            Self::Users => vec![
                json!({"id": 1, "name": "Ann"}),
                json!({"id": 2, "name": "Bob"}),
                json!({"id": 3, "name": "Carol"}),
            ],
            Self::Products => vec![
                json!({"id": 1, "name": "Lantern", "price": 1900}),
                json!({"id": 2, "name": "Rope", "price": 1200}),
                json!({"id": 3, "name": "Kettle", "price": 3400}),
            ],
            Self::Orders => vec![
                json!({"id": 1, "user": 1, "product": 2, "count": 1}),
                json!({"id": 2, "user": 3, "product": 1, "count": 2}),
                json!({"id": 3, "user": 2, "product": 3, "count": 1}),
            ],
        }
    }
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The whole collection, or a path that names none: the mirror shows all it has.
    All,
    /// One record.
    One(usize),
    /// A record whose id is not one.
    Nothing,
}

/// Reads a path: the segment after the service's name is an id, whatever
/// stands before, so that rewritten paths work as well.
pub(crate) fn wanted(kind: Kind, path: &str) -> Wanted {
    let mut segments = path
        .split('/')
        .skip_while(|segment| *segment != kind.name());
    match segments.nth(1).filter(|id| !id.is_empty()) {
        None => Wanted::All,
        Some(id) => match id.parse() {
            Ok(number @ 1..=3) => Wanted::One(number),
            _ => Wanted::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_all_records_or_one_or_none() {
        for (path, expected) in [
            ("/api/users", Wanted::All),
            ("/users/", Wanted::All),
            ("/hello", Wanted::All),
            ("/api/v2/users/3", Wanted::One(3)),
            ("/users/1/orders", Wanted::One(1)),
            ("/users/0", Wanted::Nothing),
            ("/users/4", Wanted::Nothing),
            ("/users/ann", Wanted::Nothing),
        ] {
            assert_eq!(wanted(Kind::Users, path), expected, "{path}");
        }
    }
}
