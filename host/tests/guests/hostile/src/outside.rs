//! Deeds that need what a step has to allow: the store, and discovery.

use crate::bindings::portcullis::gateway::{discovery, store};
use crate::deeds::{found, number};

/// Keeps as many values of as many bytes as the request asks for, and finds
/// out how many of them are still there.
pub fn store() {
    let (count, value) = (number("x-count"), vec![b'v'; number("x-bytes")]);
    let taken = (0..count).filter(|index| store::set(&format!("{index}"), &value, 0));
    let taken = taken.count();
    let kept = (0..count).filter(|index| store::get(&format!("{index}")).is_some());
    found(&format!("{taken} {}", kept.count()));
}

/// What is known of services.
pub fn discover() -> String {
    let mut services = discovery::services();
    services.sort();
    let known = |name: &&str| discovery::instances(name).is_some();
    let asked: Vec<&str> = ["users", "orders"].into_iter().filter(known).collect();
    format!("{} | {}", services.join(" "), asked.join(" "))
}

/// Whether a value that is kept is there.
pub fn keeps() -> bool {
    store::set("k", b"v", 0) && store::get("k") == Some(b"v".to_vec())
}

/// Whether a service that is not there is not.
pub fn knows_nothing() -> bool {
    discovery::instances("nowhere").is_none()
}
