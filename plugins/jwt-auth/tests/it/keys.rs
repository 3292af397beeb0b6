//! Every algorithm, every form of a key, and which key a token is held against.

use portcullis_sdk::testing::*;

use crate::issuer::{RSA_PUBLIC, RSA_PUBLIC_PKCS1};
use crate::*;

const SIGNATURE: &str = "the signature of the token is not valid";
const ALGORITHM: &str = "the algorithm of the token is not accepted";
const KEY: &str = "the token names a key that is not known";

/// One issuer per algorithm with a public key.
fn public_issuers() -> Vec<Issuer> {
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let mut issuers: Vec<_> = rsa.into_iter().map(Issuer::rsa).collect();
    issuers.extend([Issuer::ec("ES256"), Issuer::ec("ES384"), Issuer::ed()]);
    issuers
}

#[test]
fn the_demonstration_works_as_it_stands() {
    let exchange = passed(
        demo(json!({})),
        bearer(token(json!({ "scope": "read write" }))),
    );
    let attributes = ["auth.subject", "auth.issuer", "auth.scopes", "auth.method"];
    let attributes = attributes.map(|name| exchange.attribute(name).unwrap());
    assert_eq!(attributes, ["ann", "example", "read write", "jwt"]);
    assert!(
        exchange.request_header("authorization").is_some(),
        "the token goes upstream"
    );
}

#[test]
fn every_algorithm_verifies_with_its_key_in_every_form() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        let token = Issuer::hs(algorithm, SECRET).token(&claims(json!({})));
        passed(
            json!({ "algorithms": [algorithm], "secret": SECRET }),
            bearer(token),
        );
    }
    for issuer in public_issuers() {
        let algorithm = issuer.algorithm;
        let set = json!({ "keys": [issuer.jwk("a")] });
        for key in [
            json!({ "public_key": issuer.pem() }),
            json!({ "keys": [{ "pem": issuer.pem() }] }),
            json!({ "keys": [{ "jwk": issuer.jwk("a") }] }),
            json!({ "jwks": set }),
            json!({ "jwks": set.to_string() }),
        ] {
            let mut config = key;
            config["algorithms"] = json!([algorithm]);
            passed(config.clone(), bearer(issuer.token(&claims(json!({})))));
            // And nothing else does: a bit of the signature, of the claims.
            let good = issuer.token(&claims(json!({})));
            let (message, signature) = good.rsplit_once('.').unwrap();
            let first = if signature.starts_with('A') { "B" } else { "A" };
            let forged = format!("{message}.{first}{}", &signature[1..]);
            assert_eq!(
                reason(config.clone(), bearer(forged)),
                SIGNATURE,
                "{algorithm}"
            );
            let other = issuer.token(&claims(json!({ "sub": "bob" })));
            let mixed = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
            assert_eq!(reason(config, bearer(mixed)), SIGNATURE, "{algorithm}");
        }
    }
    let token = Issuer::rsa("RS256").token(&claims(json!({})));
    passed(
        json!({ "algorithms": ["RS256"], "public_key": RSA_PUBLIC_PKCS1 }),
        bearer(token),
    );
}

#[test]
fn tokens_of_the_standards_verify() {
    // RFC 7515, appendix A.1: good, and expired since 2011.
    let config = json!({ "algorithms": ["HS256"], "keys": [{ "jwk": {
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    } }] });
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(
        reason(config, bearer(token)),
        "the token is expired or does not say when it expires"
    );
    // RFC 8037, appendix A.4: good, and no claims at all.
    let config = json!({ "algorithms": ["EdDSA"], "jwks": { "keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }] } });
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(
        reason(config, bearer(token)),
        "the claims of the token are malformed"
    );
}

#[test]
fn a_token_is_held_against_the_key_that_it_names() {
    let (one, two) = (Issuer::ec("ES256"), Issuer::ec("ES256"));
    let config = || json!({ "algorithms": ["ES256", "RS256"], "jwks": { "keys": [one.jwk("one"), two.jwk("two")] } });
    let named =
        |issuer: &Issuer, kid: &str| issuer.with_header(json!({ "kid": kid }), &claims(json!({})));
    passed(config(), bearer(named(&one, "one")));
    passed(config(), bearer(named(&two, "two")));
    assert_eq!(reason(config(), bearer(named(&one, "two"))), SIGNATURE);
    // Without a name every key that fits is tried.
    passed(config(), bearer(two.token(&claims(json!({})))));
    let unknown = "x".repeat(1_000);
    for kid in [
        "three",
        "",
        "One",
        "../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        "one\0",
        "one,two",
        &unknown,
    ] {
        assert_eq!(reason(config(), bearer(named(&one, kid))), KEY, "{kid}");
    }
}

#[test]
fn a_key_without_a_name_is_for_tokens_without_one_unless_names_are_ignored() {
    let issuer = Issuer::rsa("RS256");
    let token = issuer.with_header(json!({ "kid": "2026-01" }), &claims(json!({})));
    let config = |ignore: bool| json!({ "algorithms": ["RS256"], "public_key": RSA_PUBLIC, "ignore_kid": ignore });
    assert_eq!(reason(config(false), bearer(&token)), KEY);
    passed(config(true), bearer(&token));
    let named =
        json!({ "algorithms": ["RS256"], "keys": [{ "kid": "2026-01", "pem": RSA_PUBLIC }] });
    passed(named, bearer(&token));
}

#[test]
fn only_so_many_keys_are_tried_for_a_token_without_a_name() {
    let issuers: Vec<_> = (0..17)
        .map(|n| Issuer::hs256(format!("secret number {n}")))
        .collect();
    let keys: Vec<_> = (0..17)
        .map(|n| json!({ "kid": n.to_string(), "secret": format!("secret number {n}") }))
        .collect();
    let config = || json!({ "algorithms": ["HS256"], "keys": keys });
    passed(config(), bearer(issuers[15].token(&claims(json!({})))));
    assert_eq!(
        reason(config(), bearer(issuers[16].token(&claims(json!({}))))),
        SIGNATURE
    );
    passed(
        config(),
        bearer(issuers[16].with_header(json!({ "kid": "16" }), &claims(json!({})))),
    );
}

#[test]
fn an_algorithm_that_is_not_in_the_list_is_refused_even_if_the_key_fits() {
    for (accepted, used) in [("RS256", "RS512"), ("RS256", "PS256"), ("PS256", "RS256")] {
        let config = json!({ "algorithms": [accepted], "public_key": RSA_PUBLIC });
        let token = Issuer::rsa(used).token(&claims(json!({})));
        assert_eq!(reason(config, bearer(token)), ALGORITHM);
    }
}

#[test]
fn a_key_may_be_pinned_further() {
    let pinned = |key: Value| {
        let mut config = json!({ "algorithms": ["RS256", "PS256"] });
        config["keys"] = json!([key]);
        config
    };
    let mut jwk = Issuer::rsa("PS256").jwk("a");
    jwk["alg"] = "PS256".into();
    for config in [
        pinned(json!({ "pem": RSA_PUBLIC, "algorithms": ["PS256"] })),
        pinned(json!({ "jwk": jwk })),
        json!({ "algorithms": ["RS256", "PS256"], "jwks": { "keys": [jwk] } }),
    ] {
        passed(
            config.clone(),
            bearer(Issuer::rsa("PS256").token(&claims(json!({})))),
        );
        let token = Issuer::rsa("RS256").token(&claims(json!({})));
        assert_eq!(reason(config, bearer(token)), SIGNATURE);
    }
}
