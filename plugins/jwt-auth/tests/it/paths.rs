//! Public paths as a request meets them; their rules are tested beside them.

use portcullis_sdk::testing::*;

use crate::*;

fn config() -> Value {
    demo(json!({
        "public_paths": ["/health", "/public/*"],
        "claims_to_headers": { "sub": "x-user" },
    }))
}

#[test]
fn public_paths_need_no_token_and_others_do() {
    passed(config(), Request::get("/health"));
    passed(config(), Request::get("/health?x=/admin"));
    passed(config(), Request::get("/public/app.css"));
    passed(
        config(),
        Request::get("/public/app.css").header("authorization", "Bearer rubbish"),
    );
    for path in [
        "/healthz",
        "/users",
        "/public",
        "/public/%2e%2e/users",
        "/public/../users",
        "/public//users",
        "/public/..;/users",
    ] {
        assert_eq!(
            refused(config(), Request::get(path)).status(),
            401,
            "{path}"
        );
        passed(
            config(),
            Request::get(path).header("authorization", format!("Bearer {}", token(json!({})))),
        );
    }
}

#[test]
fn nobody_is_somebody_on_a_public_path() {
    let request = Request::get("/health")
        .header("x-user", "root")
        .header("X-User", "root");
    let exchange = passed(config(), request);
    assert!(exchange.request_header_values("x-user").is_empty());
    assert_eq!(exchange.attribute("auth.subject"), None);
    // Not even with a good token: it was not looked at.
    let request =
        Request::get("/health").header("authorization", format!("Bearer {}", token(json!({}))));
    let exchange = passed(config(), request);
    assert_eq!(exchange.request_header("x-user"), None);
    assert_eq!(exchange.attribute("auth.method"), None);
}
