//! What the claims must say, and where they go.

use portcullis_sdk::testing::*;

use crate::*;

const EXPIRED: &str = "the token is expired or does not say when it expires";
const EARLY: &str = "the token is not valid yet";
const ISSUER: &str = "the issuer of the token is not accepted";
const AUDIENCE: &str = "the token is for another audience";

/// Checks one token against one configuration: none if it passes.
#[track_caller]
fn check(settings: Value, others: Value, expected: Option<&str>) {
    let request = bearer(token(others.clone()));
    match expected {
        None => drop(passed(demo(settings), request)),
        Some(expected) => assert_eq!(reason(demo(settings), request), expected, "{others}"),
    }
}

#[test]
fn expiry_is_judged_to_the_millisecond() {
    for (exp, expected) in [
        (json!(NOW + 1), None),
        (json!(NOW), Some(EXPIRED)),
        (json!(NOW - 1), Some(EXPIRED)),
        (json!(0), Some(EXPIRED)),
        (json!(NOW as f64 + 0.5), None),
        (json!(NOW as f64 - 0.5), Some(EXPIRED)),
        (json!(u64::MAX), None),
        (json!(1e300), None),
        (json!(-1), Some(EXPIRED)),
        (json!(-1e300), Some(EXPIRED)),
        (json!(i64::MIN), Some(EXPIRED)),
        (json!((NOW + 60).to_string()), Some(EXPIRED)),
        (json!("NaN"), Some(EXPIRED)),
        (json!([NOW + 60]), Some(EXPIRED)),
        (json!(true), Some(EXPIRED)),
        (Value::Null, Some(EXPIRED)),
    ] {
        check(json!({}), json!({ "exp": exp }), expected);
    }
    // A null that is really there is no time either.
    let body = r#"{"iss":"example","exp":null}"#;
    let token = Issuer::hs256(SECRET).over(r#"{"alg":"HS256"}"#, body);
    assert_eq!(reason(demo(json!({})), bearer(token)), EXPIRED);
}

#[test]
fn expiry_may_be_left_out_only_if_that_is_allowed() {
    check(
        json!({ "require_expiry": false }),
        json!({ "exp": null }),
        None,
    );
    check(
        json!({ "require_expiry": false }),
        json!({ "exp": NOW }),
        Some(EXPIRED),
    );
    check(
        json!({ "require_expiry": false }),
        json!({ "exp": "never" }),
        Some(EXPIRED),
    );
}

#[test]
fn not_before_is_judged_and_issued_at_is_not() {
    for (nbf, expected) in [
        (json!(NOW), None),
        (json!(NOW - 1), None),
        (json!(NOW + 1), Some(EARLY)),
        (json!(NOW as f64 + 0.5), Some(EARLY)),
        (json!(u64::MAX), Some(EARLY)),
        (json!(-1), Some(EARLY)),
        (json!("0"), Some(EARLY)),
    ] {
        check(json!({}), json!({ "nbf": nbf }), expected);
    }
    check(json!({}), json!({ "iat": NOW + 1_000 }), None);
}

#[test]
fn leeway_goes_both_ways() {
    let leeway = || json!({ "leeway": "30s" });
    check(leeway(), json!({ "exp": NOW - 29 }), None);
    check(leeway(), json!({ "exp": NOW - 30 }), Some(EXPIRED));
    check(leeway(), json!({ "nbf": NOW + 30 }), None);
    check(leeway(), json!({ "nbf": NOW + 31 }), Some(EARLY));
    check(leeway(), json!({ "exp": u64::MAX, "nbf": 0 }), None);
}

#[test]
fn issuers_match_exactly() {
    for (accepted, issuer, expected) in [
        (json!("example"), json!("example"), None),
        (json!(["other", "example"]), json!("example"), None),
        (json!("example"), json!("Example"), Some(ISSUER)),
        (json!("example"), json!("example/"), Some(ISSUER)),
        (json!("example"), json!(""), Some(ISSUER)),
        (json!("example"), Value::Null, Some(ISSUER)),
        (
            json!("example"),
            json!(["example"]),
            Some("the claims of the token are malformed"),
        ),
        (Value::Null, json!("anybody"), None),
    ] {
        check(
            json!({ "issuer": accepted }),
            json!({ "iss": issuer }),
            expected,
        );
    }
}

#[test]
fn one_audience_must_match_if_any_is_asked_for() {
    for (accepted, audience, expected) in [
        (json!("api"), json!("api"), None),
        (json!("api"), json!(["web", "api"]), None),
        (json!(["web", "api"]), json!("api"), None),
        (json!("api"), json!("web"), Some(AUDIENCE)),
        (json!("api"), json!("api "), Some(AUDIENCE)),
        (json!("api"), json!([]), Some(AUDIENCE)),
        (json!("api"), json!([["api"]]), Some(AUDIENCE)),
        (json!("api"), json!(["api", 7]), Some(AUDIENCE)),
        (json!("api"), json!({ "api": true }), Some(AUDIENCE)),
        (json!("api"), Value::Null, Some(AUDIENCE)),
        (Value::Null, json!("anything"), None),
    ] {
        check(
            json!({ "audience": accepted }),
            json!({ "aud": audience }),
            expected,
        );
    }
}

#[test]
fn scopes_must_all_be_there() {
    let config = || demo(json!({ "required_scopes": ["read", "write"] }));
    for (claims, enough) in [
        (json!({ "scope": "read write" }), true),
        (json!({ "scope": "write admin read" }), true),
        (json!({ "scp": ["read", "write"] }), true),
        (json!({ "scp": "read write" }), true),
        (json!({ "scopes": ["write", "read"] }), true),
        (json!({ "scope": "read", "scp": ["write"] }), true),
        (json!({ "scope": "read" }), false),
        (json!({ "scope": "readwrite" }), false),
        (json!({ "scope": "READ WRITE" }), false),
        (json!({ "scope": "" }), false),
        (json!({ "scopes": ["read write"] }), false),
        (json!({ "scope": { "read": 1, "write": 1 } }), false),
        (json!({ "scope": 7 }), false),
        (json!({}), false),
    ] {
        let (_, reply) = run(config(), bearer(token(claims.clone())));
        let status = reply.answer().map(Answer::status);
        assert_eq!(status, (!enough).then_some(403), "{claims}");
    }
    let answer = refused(config(), bearer(token(json!({}))));
    assert_eq!(
        answer.header_text("www-authenticate").unwrap(),
        "Bearer realm=\"portcullis\", error=\"insufficient_scope\", error_description=\"the token lacks a scope that is needed here\", scope=\"read write\""
    );
    assert_eq!(
        answer.header_text("content-type"),
        Some("application/problem+json")
    );
}

#[test]
fn an_entry_of_a_list_is_never_taken_for_two_scopes() {
    let exchange = passed(
        demo(json!({})),
        bearer(token(
            json!({ "scopes": ["read", "a admin", "", "b\"", 7] }),
        )),
    );
    assert_eq!(exchange.attribute("auth.scopes").as_deref(), Some("read"));
}

fn handed_on() -> Value {
    demo(json!({
        "claims_to_headers": {
            "sub": "X-User", "email": "x-email", "groups": "x-groups", "admin": "x-admin",
            "/realm/roles": "x-roles", "https://example.com/team": "x-team", "/a~1b/c~0d/0": "x-odd",
        },
        "claims_to_attributes": { "email": "user.email", "tenant": "user.tenant" },
    }))
}

#[test]
fn claims_are_handed_on_in_headers_and_attributes() {
    let request = bearer(token(json!({
        "email": "zo\u{eb}@example.com", "groups": ["a", "b"], "admin": true, "tenant": 7,
        "realm": { "roles": ["x,y", "z"] }, "https://example.com/team": "red", "a/b": { "c~d": ["odd"] },
    })));
    let exchange = passed(handed_on(), request);
    for (header, expected) in [
        ("x-user", "ann"),
        ("x-email", "zo\u{eb}@example.com"),
        ("x-groups", "a,b"),
        ("x-admin", "true"),
        // An entry with a comma: as JSON, so that it is not taken for two.
        ("x-roles", "[\"x,y\",\"z\"]"),
        ("x-team", "red"),
        ("x-odd", "odd"),
    ] {
        assert_eq!(exchange.request_header_values(header), [expected]);
    }
    assert_eq!(
        exchange.attribute("user.email").as_deref(),
        Some("zo\u{eb}@example.com")
    );
    assert_eq!(exchange.attribute("user.tenant").as_deref(), Some("7"));
}

#[test]
fn headers_of_claims_never_come_from_the_client() {
    for claims in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": "" }),
        json!({ "groups": [] }),
    ] {
        let request = bearer(token(claims))
            .header("x-email", "root@example.com")
            .header("X-Email", "root2@example.com")
            .header("x-groups", "admins")
            .header("x-user", "root");
        let exchange = passed(handed_on(), request);
        assert!(exchange.request_header_values("x-email").is_empty());
        assert!(exchange.request_header_values("x-groups").is_empty());
        assert_eq!(exchange.request_header_values("x-user"), ["ann"]);
        assert_eq!(exchange.attribute("user.email"), None);
    }
}

#[test]
fn claims_that_would_read_otherwise_as_a_header_are_refused() {
    for email in [
        "a\r\nx-admin: 1",
        "a\nb",
        "a\0",
        "a\tb",
        "\u{7f}",
        " root",
        "root ",
        "a\u{85}b",
    ] {
        let request = bearer(token(json!({ "email": email })));
        assert_eq!(
            reason(handed_on(), request),
            "a claim of the token cannot be passed on",
            "{email:?}"
        );
    }
    let long =
        demo(json!({ "claims_to_headers": { "email": "x-email" }, "max_token_bytes": 65_536 }));
    let request = bearer(token(json!({ "email": "x".repeat(8_193) })));
    assert_eq!(
        reason(long, request),
        "a claim of the token cannot be passed on"
    );
}

#[test]
fn a_subject_is_a_text_and_replaces_an_earlier_one() {
    check(
        json!({}),
        json!({ "sub": 7 }),
        Some("the claims of the token are malformed"),
    );
    let request = bearer(token(json!({ "sub": null }))).attribute("auth.subject", "somebody-else");
    let exchange = passed(demo(json!({})), request);
    assert_eq!(exchange.attribute("auth.subject").as_deref(), Some(""));
}

#[test]
fn a_subject_that_cannot_be_an_attribute_is_refused() {
    let config = demo(json!({ "max_token_bytes": 65_536 }));
    let request = bearer(token(json!({ "sub": "x".repeat(9_000) })));
    assert_eq!(
        reason(config, request),
        "a claim of the token cannot be passed on"
    );
}
