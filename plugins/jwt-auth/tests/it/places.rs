//! Tokens that name keys and places: nothing is looked up, opened or asked for.

use portcullis_sdk::testing::*;

use crate::world::{SECOND, SET, World, named};
use crate::*;

/// Case 27: a name is compared with names, and nothing else is done with it.
#[test]
fn a_name_of_a_key_is_no_path_no_query_and_no_pattern() {
    let issuer = Issuer::ec("ES256");
    let world = World::with_keys(json!([issuer.jwk("a"), issuer.jwk("")]));
    let mut step = world.started();
    world.asked();
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "http://127.0.0.1:9901/keys",
        "a' OR '1'='1",
        "a'; DROP TABLE keys; --",
        "a\0",
        "a\0b",
        "A",
        "a ",
        "*",
        "%61",
        "a|id",
        "${jndi:ldap://127.0.0.1/a}",
        "jwks:version",
        "0",
        &"a".repeat(1_000),
    ] {
        assert_eq!(world.status(&mut step, &named(&issuer, kid)), 401, "{kid}");
    }
    for kid in [
        json!(0),
        json!(["a"]),
        json!({ "a": 1 }),
        json!(true),
        Value::Null,
    ] {
        let token = issuer.with_header(json!({ "kid": kid }), &claims(json!({})));
        assert_eq!(world.status(&mut step, &token), 401, "{kid}");
    }
    assert_eq!(world.asked(), 0, "within the cool-down of the first fetch");
    assert_eq!(world.status(&mut step, &named(&issuer, "a")), 200);
    assert_eq!(world.status(&mut step, &named(&issuer, "")), 200);
}

/// Case 28: what a header says of places is not looked at, let alone fetched.
#[test]
fn nobody_is_asked_because_a_token_says_so() {
    let (issuer, attacker) = (Issuer::ec("ES256"), Issuer::ec("ES256"));
    let world = World::with_keys(json!([issuer.jwk("a")]));
    let mut step = world.started();
    world.gateway.advance(30 * SECOND);
    world.asked();
    for place in ["http://127.0.0.1:9901/keys", SET, "file:///etc/passwd"] {
        for member in ["jku", "x5u", "jwks_uri", "iss", "url"] {
            let header = json!({ "kid": "a", member: place, "jwk": attacker.jwk("a") });
            let good = issuer.with_header(header.clone(), &claims(json!({})));
            assert_eq!(world.status(&mut step, &good), 200, "{header}");
            let forged = attacker.with_header(header.clone(), &claims(json!({})));
            assert_eq!(world.status(&mut step, &forged), 401, "{header}");
        }
    }
    assert_eq!(world.asked(), 0);
}
