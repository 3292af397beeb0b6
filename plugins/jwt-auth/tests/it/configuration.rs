//! What is accepted as a configuration.

use portcullis_sdk::testing::*;

use crate::issuer::RSA_PUBLIC;
use crate::*;

#[test]
fn good_configurations_are_accepted() {
    let gateway = Gateway::new();
    let encryption = json!({ "kty": "oct", "k": "AAAA", "use": "enc" });
    for config in [
        json!({ "algorithms": ["HS256"], "secret": "secret", "issuer": "example" }),
        json!({ "algorithms": ["RS256", "ES256"], "public_key": RSA_PUBLIC }),
        // Keys of a set that are of no use here are passed over.
        json!({ "algorithms": ["RS256"], "jwks": { "keys": [
            encryption, { "kty": "new" }, 7, Issuer::ec("ES256").jwk("e"), Issuer::rsa("RS256").jwk("r"),
        ] } }),
        demo(
            json!({ "issuer": ["a", "b"], "audience": ["c"], "leeway": "1h", "cache": { "size": 0 } }),
        ),
        demo(json!({ "cache": {} })),
    ] {
        gateway.configure::<JwtAuth>(config).map(drop).unwrap();
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    let gateway = Gateway::new();
    let with_key = |key: Value| json!({ "algorithms": ["HS256"], "keys": [key] });
    for (config, expected) in [
        (json!({}), "missing field `algorithms`"),
        (json!({ "algorithms": ["HS256"] }), "there is no key"),
        (
            json!({ "algorithms": [], "secret": "x" }),
            "fits none of `algorithms`",
        ),
        (
            json!({ "algorithms": ["none"], "secret": "x" }),
            "unknown variant `none`",
        ),
        (
            json!({ "algorithms": ["hs256"], "secret": "x" }),
            "unknown variant `hs256`",
        ),
        (
            json!({ "algorithms": ["RS256"], "secret": "x" }),
            "`secret`: this kind of key fits none",
        ),
        (
            json!({ "algorithms": ["HS256"], "secret": "" }),
            "`secret`: a secret is not empty",
        ),
        (
            json!({ "algorithms": ["HS256"], "secret": RSA_PUBLIC }),
            "`secret`: this is a PEM text",
        ),
        (
            json!({ "algorithms": ["HS256"], "public_key": RSA_PUBLIC }),
            "`public_key`: this kind of key fits none",
        ),
        (
            json!({ "algorithms": ["RS256"], "public_key": "rubbish" }),
            "`public_key`: ",
        ),
        (
            json!({ "algorithms": ["RS256"], "jwks": "rubbish" }),
            "`jwks` is no JSON",
        ),
        (
            json!({ "algorithms": ["RS256"], "jwks": {} }),
            "`jwks` has no list `keys`",
        ),
        (
            json!({ "algorithms": ["RS256"], "jwks": { "keys": [] } }),
            "`jwks` holds no key that can be used here: it is empty",
        ),
        (
            json!({ "algorithms": ["RS256"], "jwks": { "keys": [{ "kty": "oct", "k": "AAAA" }] } }),
            "`jwks` holds no key that can be used here",
        ),
        (
            with_key(json!({ "kid": "a" })),
            "`keys` entry 1: give exactly one of",
        ),
        (
            with_key(json!({ "secret": "x", "pem": "y" })),
            "`keys` entry 1: give exactly one of",
        ),
        (
            with_key(json!({ "secret": "x", "algorithms": ["HS512"] })),
            "`keys` entry 1: this kind of key fits none",
        ),
        (
            with_key(json!({ "jwk": { "kty": "oct", "k": "" } })),
            "a secret is not empty",
        ),
        (
            with_key(json!({ "jwk": { "kty": "oct", "k": "AAAA", "use": "enc" } })),
            "`use` is not `sig`",
        ),
        (
            with_key(json!({ "jwk": { "kty": "oct", "k": "AAAA", "key_ops": ["sign"] } })),
            "`key_ops` do not name `verify`",
        ),
        (
            with_key(json!({ "jwk": { "kty": "oct", "k": "AAAA", "alg": "none" } })),
            "`keys` entry 1: ",
        ),
        (demo(json!({ "secrets": 1 })), "unknown field `secrets`"),
        (
            demo(json!({ "leeway": "2h" })),
            "`leeway` is 2h, but at most 1h",
        ),
        (
            demo(json!({ "public_paths": ["/a/../b"] })),
            "`public_paths`: `/a/../b`",
        ),
        (
            demo(json!({ "claims_to_headers": { "sub": "x user" } })),
            "`claims_to_headers`: `x user` is not a header's name",
        ),
        (
            demo(json!({ "claims_to_headers": { "sub": "Host" } })),
            "the gateway itself owns `host`",
        ),
        (
            demo(json!({ "claims_to_headers": { "sub": "Authorization" } })),
            "carries the token itself",
        ),
        (
            demo(json!({ "claims_to_headers": { "sub": "x-a", "iss": "X-A" } })),
            "two claims go into `x-a`",
        ),
        (
            demo(json!({ "claims_to_attributes": { "sub": "User" } })),
            "`User` is not an attribute's name",
        ),
        (
            demo(json!({ "header": "" })),
            "`header`: `` is not a header's name",
        ),
    ] {
        let text = config.to_string();
        let error = gateway.configure::<JwtAuth>(config).map(drop).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn at_most_a_hundred_keys() {
    let gateway = Gateway::new();
    let keys = |number: u32| json!({ "algorithms": ["HS256"], "keys": vec![json!({ "secret": "x" }); number as usize] });
    gateway.configure::<JwtAuth>(keys(100)).map(drop).unwrap();
    let error = gateway
        .configure::<JwtAuth>(keys(101))
        .map(drop)
        .unwrap_err();
    assert!(error.contains("at most 100"), "{error}");
}
