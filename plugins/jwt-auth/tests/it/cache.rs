//! A remembered token is still judged by the clock and by all of its bytes.

use std::time::Duration;

use portcullis_sdk::testing::*;

use crate::*;

fn reply(gateway: &Gateway, step: &mut JwtAuth, token: &str) -> Reply {
    gateway.exchange(bearer(token)).run_request(step)
}

fn status(gateway: &Gateway, step: &mut JwtAuth, token: &str) -> Option<u16> {
    reply(gateway, step, token).answer().map(Answer::status)
}

#[test]
fn a_remembered_token_expires_in_time() {
    for size in [0, 1_024] {
        let gateway = Gateway::new();
        let mut step = step(&gateway, demo(json!({ "cache": { "size": size } })));
        let token = token(json!({ "exp": NOW + 10 }));
        for _ in 0..10 {
            assert_eq!(status(&gateway, &mut step, &token), None);
            gateway.advance(Duration::from_millis(999));
        }
        assert_eq!(status(&gateway, &mut step, &token), None, "10 ms are left");
        gateway.advance(Duration::from_millis(10));
        assert_eq!(status(&gateway, &mut step, &token), Some(401));
        assert_eq!(status(&gateway, &mut step, &token), Some(401));
    }
}

#[test]
fn a_token_that_was_too_early_is_not_remembered_as_bad() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo(json!({})));
    let token = token(json!({ "nbf": NOW + 1 }));
    assert_eq!(status(&gateway, &mut step, &token), Some(401));
    gateway.advance(Duration::from_secs(1));
    assert_eq!(status(&gateway, &mut step, &token), None);
}

#[test]
fn a_remembered_token_says_the_same_of_its_holder_each_time() {
    let gateway = Gateway::new();
    let config = demo(json!({
        "claims_to_headers": { "sub": "x-user", "team": "x-team" }, "claims_to_attributes": { "sub": "user.name" },
    }));
    let mut step = step(&gateway, config);
    let tokens = ["ann", "bob"].map(|name| (name, token(json!({ "sub": name }))));
    for _ in 0..3 {
        for (name, token) in &tokens {
            let exchange = gateway.exchange(
                bearer(token)
                    .header("x-user", "root")
                    .header("x-team", "root"),
            );
            assert_eq!(exchange.run_request(&mut step), Reply::Next);
            assert_eq!(exchange.request_header_values("x-user"), [*name]);
            assert!(exchange.request_header_values("x-team").is_empty());
            assert_eq!(exchange.attribute("auth.subject").as_deref(), Some(*name));
            assert_eq!(exchange.attribute("user.name").as_deref(), Some(*name));
        }
    }
}

#[test]
fn a_token_that_lacks_a_scope_lacks_it_each_time() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo(json!({ "required_scopes": ["write"] })));
    let token = token(json!({ "scope": "read" }));
    for _ in 0..3 {
        assert_eq!(status(&gateway, &mut step, &token), Some(403));
    }
}

#[test]
fn the_signature_of_a_remembered_token_is_good_for_nothing_else() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo(json!({})));
    let good = token(json!({}));
    assert_eq!(status(&gateway, &mut step, &good), None);
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other = token(json!({ "sub": "root" }));
    let forged = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(status(&gateway, &mut step, &forged), Some(401));
    assert_eq!(status(&gateway, &mut step, &good), None);
}

#[test]
fn many_tokens_push_each_other_out_and_all_stay_good() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo(json!({ "cache": { "size": 4 } })));
    let tokens: Vec<_> = (0..50)
        .map(|n| token(json!({ "sub": n.to_string() })))
        .collect();
    for _ in 0..2 {
        for (number, token) in tokens.iter().enumerate() {
            let exchange = gateway.exchange(bearer(token));
            assert_eq!(exchange.run_request(&mut step), Reply::Next);
            assert_eq!(exchange.attribute("auth.subject"), Some(number.to_string()));
        }
    }
}
