//! Which route a request takes.

use crate::support::{Gateway, Upstream, asking, start_with_files};

/// Every route says its name in `x-route`.
fn config(upstream: &Upstream, routes: &[(&str, &str)]) -> String {
    let address = upstream.address;
    let routes: String = routes
        .iter()
        .map(|(name, matches)| {
            format!(
                "  - name: {name}\n    match: {{ {matches} }}\n    service: s\n    pipeline:\n      - plugin: headers\n        config: {{ response: {{ set: {{ x-route: \"{{route}}\" }} }} }}\n"
            )
        })
        .collect();
    format!("services:\n  s:\n    instances: [{{ address: \"{address}\" }}]\nroutes:\n{routes}")
}

type Ask<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// Asks and compares: method, path, headers, and the route that must answer,
/// or the status if none does.
fn check(routes: &[(&str, &str)], asked: &[Ask<'_>]) {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&["headers"], &config(&upstream, routes));
    let mut client = gateway.client();
    for (method, path, headers, expected) in asked {
        let reply = client.send(method, path, headers, "");
        let took = match reply.header("x-route") {
            "" => reply.status.as_str().to_owned(),
            route => route.to_owned(),
        };
        assert_eq!(took, *expected, "{method} {path} {headers:?}");
    }
}

#[test]
fn paths_go_from_literal_over_parameter_to_rest() {
    check(
        &[
            ("rest", "path: \"/users/{*rest}\""),
            ("one", "path: \"/users/{id}\""),
            ("me", "path: /users/me"),
            ("orders", "path: \"/users/{id}/orders\""),
            ("order", "path: \"/users/{id}/orders/{order}\""),
            ("root", "path: /"),
        ],
        &[
            ("GET", "/users/me", &[], "me"),
            ("GET", "/users/me?x=1", &[], "me"),
            ("GET", "/users/7", &[], "one"),
            ("GET", "/users/7/orders", &[], "orders"),
            ("GET", "/users/me/orders", &[], "orders"),
            ("GET", "/users/7/orders/9", &[], "order"),
            ("GET", "/users/7/orders/9/lines", &[], "rest"),
            ("GET", "/users/7/else", &[], "rest"),
            ("GET", "/users/", &[], "rest"),
            ("GET", "/users", &[], "404"),
            ("GET", "/", &[], "root"),
            ("GET", "/Users/me", &[], "404"),
        ],
    );
}

#[test]
fn filters_get_the_parameters_of_the_path() {
    let upstream = Upstream::start("a");
    let address = upstream.address;
    let config = format!(
        "services:\n  s:\n    instances: [{{ address: \"{address}\" }}]\nroutes:\n  \
         - name: r\n    match: {{ path: \"/users/{{id}}/{{*rest}}\" }}\n    service: s\n    \
         pipeline: [{{ plugin: asking, allow: {{ http: [s] }} }}]\n"
    );
    let gateway = start_with_files(&[("asking", asking())], "{}", &config);
    for (name, expected) in [("id", "7"), ("rest", "a/b"), ("other", "")] {
        let deed = format!("parameter {name}");
        let reply = gateway.client().get("/users/7/a/b", &[("x-do", &deed)]);
        assert_eq!(
            (reply.status.as_u16(), reply.text()),
            (200, expected.into()),
            "{name}"
        );
    }
}

#[test]
fn hosts_go_from_exact_over_wildcard_to_any() {
    check(
        &[
            ("any", "path: \"/{*rest}\""),
            ("wild", "host: \"*.example.com\", path: \"/{*rest}\""),
            ("deep", "host: \"*.eu.example.com\", path: \"/{*rest}\""),
            ("exact", "host: api.example.com, path: \"/{*rest}\""),
        ],
        &[
            ("GET", "/a", &[("host", "api.example.com")], "exact"),
            ("GET", "/a", &[("host", "API.Example.com:8080")], "exact"),
            ("GET", "/a", &[("host", "www.example.com")], "wild"),
            ("GET", "/a", &[("host", "a.eu.example.com")], "deep"),
            ("GET", "/a", &[("host", "example.com")], "any"),
            ("GET", "/a", &[("host", "example.org")], "any"),
            ("GET", "/a", &[("host", "badexample.com")], "any"),
        ],
    );
}

#[test]
fn methods_headers_and_query_decide_and_fall_back() {
    check(
        &[
            ("all", "path: /a"),
            ("post", "path: /a, methods: [POST, PUT]"),
            ("v2", "path: /a, headers: { x-version: \"2\" }"),
            ("debug", "path: /a, query: { debug: \"*\" }"),
            (
                "both",
                "path: /a, headers: { x-version: \"2\" }, query: { debug: \"1\" }",
            ),
            ("read", "path: /b, methods: [GET]"),
            ("write", "path: /b, methods: [POST]"),
            ("literal", "path: /c/d, headers: { x-version: \"2\" }"),
            ("parameter", "path: \"/c/{x}\""),
        ],
        &[
            ("GET", "/a", &[], "all"),
            ("POST", "/a", &[], "post"),
            ("PUT", "/a", &[], "post"),
            ("DELETE", "/a", &[], "all"),
            ("GET", "/a", &[("x-version", "2")], "v2"),
            ("GET", "/a", &[("x-version", "3")], "all"),
            ("GET", "/a?debug=yes", &[], "debug"),
            ("GET", "/a?x=1&debug=1", &[("x-version", "2")], "both"),
            ("GET", "/b", &[], "read"),
            ("POST", "/b", &[], "write"),
            ("PATCH", "/b", &[], "405"),
            ("GET", "/c/d", &[("x-version", "2")], "literal"),
            ("GET", "/c/d", &[], "parameter"),
        ],
    );
}

#[test]
fn a_hundred_routes_are_told_apart() {
    let paths: Vec<_> = (0..100)
        .map(|n| (format!("r{n}"), format!("path: \"/service{n}/{{id}}\"")))
        .collect();
    let routes: Vec<_> = paths
        .iter()
        .map(|(name, path)| (name.as_str(), path.as_str()))
        .collect();
    let asked = [0, 1, 17, 49, 98, 99].map(|n| (format!("/service{n}/x"), format!("r{n}")));
    let none: &[(&str, &str)] = &[];
    let asked: Vec<Ask<'_>> = asked
        .iter()
        .map(|(path, route)| ("GET", path.as_str(), none, route.as_str()))
        .collect();
    check(&routes, &asked);
}
