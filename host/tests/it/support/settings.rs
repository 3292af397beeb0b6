//! The configuration that most tests need.

use std::net::SocketAddr;

/// One service `s` of these instances and one route `r` to it that matches
/// everything. `service` and `route` are more keys of either, a line each.
pub(crate) fn one_route(instances: &[SocketAddr], service: &str, route: &str) -> String {
    format!(
        "services:\n  s:\n    instances: [{}]\n{}routes:\n  - name: r\n    match: {{ path: \"/{{*rest}}\" }}\n    service: s\n{}",
        list(instances),
        indented(service),
        indented(route),
    )
}

/// Instances as they are written between `[` and `]`.
fn list(instances: &[SocketAddr]) -> String {
    let instances: Vec<_> = instances
        .iter()
        .map(|address| format!("{{ address: \"{address}\" }}"))
        .collect();
    instances.join(", ")
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("    {line}\n")).collect()
}
