//! Which key a token is held against: the name of a key is its name, whole and as it is.

use portcullis_sdk::testing::*;

use crate::world::{SET, World};
use crate::*;

const SIGNATURE: &str = "the signature of the token is not valid";
const KEY: &str = "the token names a key that is not known";

/// What becomes of a token that this issuer signs, with this header: nothing, or why not.
fn verdict(config: &Value, issuer: &Issuer, header: Value) -> Option<String> {
    let gateway = Gateway::new();
    verdict_of(
        &gateway,
        &mut step(&gateway, config.clone()),
        issuer,
        header,
    )
}

fn verdict_of(
    gateway: &Gateway,
    step: &mut JwtAuth,
    issuer: &Issuer,
    header: Value,
) -> Option<String> {
    let token = issuer.with_header(header, &claims(json!({})));
    let reply = gateway.exchange(bearer(token)).run_request(step);
    let Reply::Answer(answer) = reply else {
        assert_eq!(reply, Reply::Next);
        return None;
    };
    let body: Value = serde_json::from_slice(answer.body_bytes()).unwrap();
    Some(body["detail"].as_str().unwrap().to_owned())
}

fn header(kid: Option<&str>) -> Value {
    kid.map_or(json!({}), |kid| json!({ "kid": kid }))
}

/// All sets of three keys with these names, some the same, some without one: a token passes
/// if a key of the name that it gives, or any if it gives none, is the one that signed it.
#[test]
fn a_token_passes_by_a_key_of_its_name_and_by_no_other() {
    let names = [None, Some(""), Some("a"), Some("A"), Some("ab")];
    let others = [Some("a "), Some("b"), Some("a\0")];
    let secrets = ["the first secret", "the second secret", "the third secret"];
    let issuers = [
        "the first secret",
        "the third secret",
        "a stranger's secret",
    ]
    .map(Issuer::hs256);
    let signers = [Some(0), Some(2), None];
    let gateway = Gateway::new();
    for number in 0..names.len().pow(3) {
        let of = [number % 5, number / 5 % 5, number / 25].map(|at| names[at]);
        let keys: Vec<_> = of
            .iter()
            .zip(secrets)
            .map(|(name, secret)| {
                let mut key = json!({ "secret": secret });
                if let Some(name) = name {
                    key["kid"] = json!(name);
                }
                key
            })
            .collect();
        let mut step = step(&gateway, json!({ "algorithms": ["HS256"], "keys": keys }));
        for kid in names.into_iter().chain(others) {
            for (issuer, signer) in issuers.iter().zip(signers) {
                let fits = |at: usize| kid.is_none() || of[at] == kid;
                let expected = match signer {
                    Some(at) if fits(at) => None,
                    _ if (0..3).any(fits) => Some(SIGNATURE.to_owned()),
                    _ => Some(KEY.to_owned()),
                };
                let came = verdict_of(&gateway, &mut step, issuer, header(kid));
                assert_eq!(came, expected, "{of:?}, {kid:?} by {signer:?}");
            }
        }
    }
}

#[test]
fn the_name_in_the_configuration_counts_and_then_that_of_the_key_itself() {
    let issuer = Issuer::ec("ES256");
    let with = |entry: Value| json!({ "algorithms": ["ES256"], "keys": [entry] });
    let outer = with(json!({ "kid": "outer", "jwk": issuer.jwk("inner") }));
    let inner = with(json!({ "jwk": issuer.jwk("inner") }));
    let set = json!({ "algorithms": ["ES256"], "jwks": { "keys": [issuer.jwk("inner")] } });
    for (config, kid, expected) in [
        (&outer, "outer", None),
        (&outer, "inner", Some(KEY)),
        (&inner, "inner", None),
        (&inner, "", Some(KEY)),
        (&set, "inner", None),
        (&set, "outer", Some(KEY)),
    ] {
        let came = verdict(config, &issuer, header(Some(kid)));
        assert_eq!(came.as_deref(), expected, "{kid} of {config}");
    }
}

#[test]
fn what_is_no_text_is_no_name() {
    let issuer = Issuer::ec("ES256");
    for name in [
        json!(7),
        json!(["7"]),
        json!({ "7": 7 }),
        json!(true),
        Value::Null,
    ] {
        let mut key = issuer.jwk("");
        key["kid"] = name.clone();
        let config = json!({ "algorithms": ["ES256"], "jwks": { "keys": [key] } });
        assert_eq!(verdict(&config, &issuer, header(None)), None, "{name}");
        for kid in [&name.to_string(), "7", ""] {
            let came = verdict(&config, &issuer, header(Some(kid)));
            assert_eq!(came.as_deref(), Some(KEY), "{kid:?} of {name}");
        }
    }
}

#[test]
fn keys_of_another_kind_do_not_count_among_those_that_are_tried() {
    let issuer = Issuer::ec("ES256");
    let mut keys: Vec<_> = (0..20)
        .map(|number| json!({ "kid": "a", "secret": format!("secret number {number}") }))
        .collect();
    keys.push(json!({ "kid": "a", "jwk": issuer.jwk("b") }));
    let config = json!({ "algorithms": ["HS256", "ES256"], "keys": keys });
    for kid in [None, Some("a")] {
        assert_eq!(verdict(&config, &issuer, header(kid)), None);
    }
}

#[test]
fn keys_of_the_configuration_and_those_of_the_issuer_are_known_by_name() {
    let (own, issuer) = (Issuer::ec("ES256"), Issuer::ec("ES256"));
    let world = World::with_keys(json!([issuer.jwk("theirs")]));
    let keys = json!([{ "kid": "own", "jwk": own.jwk("x") }]);
    let config = json!({ "algorithms": ["ES256"], "jwks_url": SET, "keys": keys });
    let mut step = step(&world.gateway, config);
    assert_eq!(world.gateway.run_start(&mut step), Ok(()));
    for (by, kid, expected) in [
        (&own, Some("own"), None),
        (&issuer, Some("theirs"), None),
        (&own, None, None),
        (&issuer, None, None),
        (&own, Some("theirs"), Some(SIGNATURE)),
        (&issuer, Some("own"), Some(SIGNATURE)),
    ] {
        let came = verdict_of(&world.gateway, &mut step, by, header(kid));
        assert_eq!(came.as_deref(), expected, "{kid:?}");
    }
}
