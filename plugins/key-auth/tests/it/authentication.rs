//! Who passes, what is answered to the others, and what goes upstream.

use portcullis_sdk::testing::*;

use crate::*;

fn keyed(key: impl AsRef<[u8]>) -> Request {
    Request::get("/a").header("x-api-key", key)
}

#[test]
fn a_known_key_passes_and_tells_whose_it_is() {
    for (key, name, groups) in [
        ("ann-secret-1", "ann", Some("staff,admins")),
        ("ann-secret-2", "ann", Some("staff,admins")),
        ("bob-secret-1", "bob", None),
    ] {
        let (exchange, reply) = run(json!({}), keyed(key));
        assert_eq!(reply, Reply::Next);
        assert_eq!(
            exchange.request_header("x-consumer-name").as_deref(),
            Some(name)
        );
        assert_eq!(
            exchange.request_header("x-consumer-groups").as_deref(),
            groups
        );
        let attributes = [
            "auth.subject",
            "auth.consumer",
            "auth.groups",
            "auth.method",
        ];
        let attributes = attributes.map(|attribute| exchange.attribute(attribute).unwrap());
        assert_eq!(attributes, [name, name, groups.unwrap_or(""), "key"]);
    }
}

#[test]
fn what_the_client_says_of_itself_is_removed() {
    let request = keyed("bob-secret-1")
        .header("X-Consumer-Name", "ann")
        .header("x-consumer-name", "root")
        .header("X-Consumer-Groups", "admins");
    let (exchange, reply) = run(json!({}), request);
    assert_eq!(reply, Reply::Next);
    assert_eq!(exchange.request_header_values("x-consumer-name"), ["bob"]);
    assert!(
        exchange
            .request_header_values("x-consumer-groups")
            .is_empty()
    );
}

#[test]
fn everything_else_is_401() {
    for (request, detail) in [
        (Request::get("/a"), "the request carries no API key"),
        (keyed("wrong"), "the API key is not valid"),
        (keyed(""), "the API key is not valid"),
        (keyed("ann-secret-"), "the API key is not valid"),
        (keyed("ann-secret-11"), "the API key is not valid"),
        (keyed("ANN-SECRET-1"), "the API key is not valid"),
        (keyed(b"ann-secret-1\xff"), "the API key is not valid"),
        (keyed("x".repeat(100_000)), "the API key is not valid"),
        (
            keyed("ann-secret-1, ann-secret-2"),
            "the API key is not valid",
        ),
        (
            keyed("ann-secret-1").header("x-api-key", "ann-secret-1"),
            "the request carries more than one API key",
        ),
        (
            keyed("ann-secret-1").header("X-API-Key", "wrong"),
            "the request carries more than one API key",
        ),
        (
            Request::get("/a?api_key=ann-secret-1"),
            "the request carries no API key",
        ),
    ] {
        let answer = answer(json!({ "realm": "shop" }), request);
        assert_eq!(answer.status(), 401);
        assert_eq!(
            answer.header_text("www-authenticate"),
            Some("ApiKey realm=\"shop\"")
        );
        assert_eq!(
            answer.header_text("content-type"),
            Some("application/problem+json")
        );
        let body: Value = serde_json::from_slice(answer.body_bytes()).unwrap();
        assert_eq!(body["detail"], detail);
    }
}

#[test]
fn the_key_is_removed_unless_asked_to_stay() {
    let (exchange, _) = run(json!({}), keyed("bob-secret-1"));
    assert_eq!(exchange.request_header("x-api-key"), None);
    let (exchange, _) = run(json!({ "hide_credentials": false }), keyed("bob-secret-1"));
    assert_eq!(
        exchange.request_header("x-api-key").as_deref(),
        Some("bob-secret-1")
    );
    let (exchange, _) = run(
        json!({ "header": "X-Token" }),
        Request::get("/").header("x-token", "bob-secret-1"),
    );
    assert_eq!(exchange.request_header("x-token"), None);
}

#[test]
fn a_query_parameter_may_carry_the_key() {
    let config = || json!({ "query": "api_key" });
    for (path, rest) in [
        ("/a?api_key=bob-secret-1", ""),
        ("/a?x=%20+1&api_key=bob-secret-1&y=&&z", "x=%20+1&y=&&z"),
        ("/a?%61pi_key=bob%2Dsecret-1&b=2", "b=2"),
    ] {
        let (exchange, reply) = run(config(), Request::get(path));
        assert_eq!(reply, Reply::Next, "{path}");
        assert_eq!(exchange.attribute("auth.consumer").as_deref(), Some("bob"));
        assert_eq!(
            (
                exchange.path().as_str(),
                exchange.query().unwrap_or_default().as_str()
            ),
            ("/a", rest)
        );
    }
    let (exchange, _) = run(
        json!({ "query": "api_key", "hide_credentials": false }),
        Request::get("/a?api_key=bob-secret-1"),
    );
    assert_eq!(exchange.query().as_deref(), Some("api_key=bob-secret-1"));
    // A header works beside it, and an untouched query stays as it is.
    let (exchange, reply) = run(
        config(),
        Request::get("/a?b=2&").header("x-api-key", "bob-secret-1"),
    );
    assert_eq!(
        (reply, exchange.query().as_deref()),
        (Reply::Next, Some("b=2&"))
    );
}

#[test]
fn two_keys_are_refused_wherever_they_are() {
    for request in [
        Request::get("/a?api_key=bob-secret-1&api_key=bob-secret-1"),
        Request::get("/a?api_key=wrong&api%5Fkey=bob-secret-1"),
        Request::get("/a?api_key=bob-secret-1").header("x-api-key", "bob-secret-1"),
        Request::get("/a?api_key=").header("x-api-key", "bob-secret-1"),
    ] {
        assert_eq!(answer(json!({ "query": "api_key" }), request).status(), 401);
    }
}

#[test]
fn a_query_alone_may_be_looked_at() {
    let config = || json!({ "query": "api_key", "header": null });
    let (_, reply) = run(config(), Request::get("/a?api_key=bob-secret-1"));
    assert_eq!(reply, Reply::Next);
    assert_eq!(answer(config(), keyed("bob-secret-1")).status(), 401);
}

#[test]
fn groups_decide_who_may_pass() {
    let config = || json!({ "allowed_groups": ["admins", "robots"] });
    let (_, reply) = run(config(), keyed("ann-secret-1"));
    assert_eq!(reply, Reply::Next);
    let answer = answer(config(), keyed("bob-secret-1"));
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.header_text("www-authenticate"), None);
}
