//! Whose requests are counted together.

use portcullis_sdk::testing::*;

use crate::*;

/// Sends requests against a limit of one and tells which passed.
fn check(config: Value, requests: impl IntoIterator<Item = (Request, bool)>) {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config);
    for (number, (request, expected)) in requests.into_iter().enumerate() {
        assert_eq!(
            passes(&gateway, &mut step, request),
            expected,
            "request {number}"
        );
    }
}

fn one(key: &str) -> Value {
    json!({ "requests": 1, "per": "1h", "key": key })
}

#[test]
fn clients_are_told_apart_by_address() {
    check(
        one("client_ip"),
        [
            (from("10.0.0.1"), true),
            (from("10.0.0.2"), true),
            (from("10.0.0.1"), false),
            // The same network of 64 bits is one client.
            (from("2001:db8:1:2::1"), true),
            (from("2001:db8:1:2:ffff::2"), false),
            (from("2001:db8:1:3::1"), true),
            (from("::ffff:10.0.0.2"), false),
        ],
    );
    let config = json!({ "requests": 1, "per": "1h", "ipv6_prefix": 128 });
    check(
        config,
        [
            (from("2001:db8::1"), true),
            (from("2001:db8::2"), true),
            (from("2001:db8::1"), false),
        ],
    );
}

#[test]
fn a_route_may_have_one_limit_for_all() {
    check(
        one("route"),
        [(from("10.0.0.1"), true), (from("10.0.0.2"), false)],
    );
}

#[test]
fn routes_are_told_apart_unless_a_name_joins_them() {
    let requests = || [from("10.0.0.1"), from("10.0.0.1").route("orders")];
    check(one("client_ip"), requests().into_iter().zip([true, true]));
    let joined = json!({ "requests": 1, "per": "1h", "name": "api" });
    check(joined, requests().into_iter().zip([true, false]));
}

#[test]
fn headers_tell_apart_and_leaving_them_out_is_no_way_round() {
    let tenant = |value: &str| from("10.0.0.1").header("x-tenant", value);
    check(
        one("header:X-Tenant"),
        [
            (tenant("a"), true),
            (tenant("b"), true),
            (tenant("a").client("10.0.0.2"), false),
            // Without it, or empty: the address.
            (from("10.0.0.1"), true),
            (from("10.0.0.1"), false),
            (tenant(""), false),
            (from("10.0.0.2"), true),
            // A value that looks like an address is not that client.
            (tenant("10.0.0.3"), true),
            (from("10.0.0.3"), true),
        ],
    );
}

#[test]
fn consumers_subjects_and_attributes_tell_apart() {
    for (key, attribute) in [
        ("consumer", "auth.consumer"),
        ("subject", "auth.subject"),
        ("attribute:user.team", "user.team"),
    ] {
        let request = |value| from("10.0.0.1").attribute(attribute, value);
        check(
            one(key),
            [
                (request("ann"), true),
                (request("bob"), true),
                (request("ann").client("10.0.0.2"), false),
                (from("10.0.0.1"), true),
                (request(""), false),
            ],
        );
    }
}

#[test]
fn long_and_binary_values_are_kept_apart() {
    let tenant = |value: &[u8]| from("10.0.0.1").header("x-tenant", value);
    let long = [b'a'; 5_000];
    let mut other = long;
    other[4_999] = b'b';
    check(
        one("header:x-tenant"),
        [
            (tenant(&long), true),
            (tenant(&other), true),
            (tenant(&long), false),
            (tenant(b"\xff"), true),
            (tenant(b"\xfe"), true),
            (tenant(b"\xff"), false),
            // A digest that is sent as such is not the value it is of.
            (
                tenant(b"#a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"),
                true,
            ),
            (tenant(b"a|b"), true),
            (tenant(b"a|b"), false),
        ],
    );
}

#[test]
fn long_names_of_routes_are_no_failure() {
    let route = |name: &str| from("10.0.0.1").route(&name.repeat(100));
    check(
        one("client_ip"),
        [
            (route("long"), true),
            (route("name"), true),
            (route("long"), false),
        ],
    );
}

#[test]
fn limits_of_one_step_may_have_different_keys() {
    let config = json!({ "limits": [
        { "requests": 2, "per": "1h", "key": "client_ip" },
        { "requests": 3, "per": "1h", "key": "route" },
    ] });
    check(
        config,
        [
            (from("10.0.0.1"), true),
            (from("10.0.0.1"), true),
            (from("10.0.0.1"), false),
            (from("10.0.0.2"), true),
            (from("10.0.0.2"), false),
        ],
    );
}
