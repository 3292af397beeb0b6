//! Where the token is, and what is left of it upstream.

use portcullis_sdk::testing::*;

use crate::*;

const AMBIGUOUS: &str = "the request carries more than one token";

#[test]
fn a_request_without_a_token_learns_that_it_needs_one() {
    for request in [
        Request::get("/users"),
        Request::get("/users").header("authorization", "Basic YW5uOnNlY3JldA=="),
        Request::get("/users").header("authorization", ""),
        Request::get("/users").header("authorization", token(json!({}))),
        Request::get("/users?access_token=x").header("cookie", "token=x"),
    ] {
        let answer = refused(demo(json!({ "realm": "shop" })), request);
        assert_eq!(answer.status(), 401);
        assert_eq!(
            answer.header_text("www-authenticate"),
            Some("Bearer realm=\"shop\"")
        );
        assert_eq!(
            answer.header_text("content-type"),
            Some("application/problem+json")
        );
    }
}

#[test]
fn a_bad_token_is_named_as_such() {
    let answer = refused(demo(json!({})), bearer("x"));
    assert_eq!(
        answer.header_text("www-authenticate").unwrap(),
        "Bearer realm=\"portcullis\", error=\"invalid_token\", error_description=\"the token is malformed\""
    );
    let request = Request::get("/").header("authorization", "Bearer");
    assert_eq!(reason(demo(json!({})), request), "the token is malformed");
}

#[test]
fn two_headers_are_refused_even_if_both_are_good() {
    let good = token(json!({}));
    let request = || bearer(&good).header("authorization", format!("Bearer {good}"));
    assert_eq!(reason(demo(json!({})), request()), AMBIGUOUS);
    let request = bearer(&good).header("Authorization", "Basic YW5uOnNlY3JldA==");
    assert_eq!(reason(demo(json!({})), request), AMBIGUOUS);
}

#[test]
fn another_header_and_another_scheme_may_be_asked_for() {
    let good = token(json!({}));
    let request = Request::get("/").header("x-token", &good);
    passed(demo(json!({ "header": "X-Token", "scheme": "" })), request);
    let request = Request::get("/").header("authorization", format!("JWT {good}"));
    passed(demo(json!({ "scheme": "jwt" })), request);
    passed(
        demo(json!({})),
        Request::get("/").header("authorization", format!("bearer   {good}")),
    );
}

#[test]
fn cookies_and_query_parameters_may_carry_it() {
    let good = token(json!({}));
    let config = || demo(json!({ "cookie": "session", "query": "access_token" }));
    passed(
        config(),
        Request::get("/").header("cookie", format!("a=1; session={good}; b=2")),
    );
    passed(
        config(),
        Request::get("/")
            .header("cookie", "a=1")
            .header("cookie", format!("session={good}")),
    );
    passed(
        config(),
        Request::get(&format!("/?a=1&access_token={good}")),
    );
    // Another scheme in the header is no token there.
    let request = Request::get("/")
        .header("authorization", "Basic YQ==")
        .header("cookie", format!("session={good}"));
    passed(config(), request);
    // The header counts first, and a bad one is not made good by a cookie.
    let request = bearer("x").header("cookie", format!("session={good}"));
    assert_eq!(reason(config(), request), "the token is malformed");
    for request in [
        Request::get("/").header("cookie", format!("session={good}; session={good}")),
        Request::get("/")
            .header("cookie", "session=x")
            .header("cookie", format!("session={good}")),
        Request::get(&format!("/?access_token={good}&access_token=x")),
        Request::get(&format!("/?access%5Ftoken=x&access_token={good}")),
    ] {
        assert_eq!(reason(config(), request), AMBIGUOUS);
    }
}

#[test]
fn the_token_is_removed_if_it_is_not_to_go_upstream() {
    let good = token(json!({}));
    let config =
        || demo(json!({ "forward_token": false, "cookie": "session", "query": "access_token" }));
    let request = Request::get(&format!("/a?b=%20&access_token={good}&c"))
        .header("authorization", format!("Bearer {good}"))
        .header("cookie", format!("a=1; session={good};b=2"))
        .header("cookie", "session=x")
        .header("cookie", "c=3");
    let exchange = passed(config(), request);
    assert_eq!(exchange.request_header("authorization"), None);
    assert_eq!(exchange.request_header_values("cookie"), ["a=1;b=2", "c=3"]);
    assert_eq!(exchange.path(), "/a");
    assert_eq!(exchange.query().as_deref(), Some("b=%20&c"));
    // Credentials of another scheme are not this filter's.
    let request = Request::get("/")
        .header("authorization", "Basic YQ==")
        .header("cookie", format!("session={good}"));
    let exchange = passed(config(), request);
    assert_eq!(
        exchange.request_header("authorization").as_deref(),
        Some("Basic YQ==")
    );
    assert_eq!(exchange.request_header("cookie"), None);
}
