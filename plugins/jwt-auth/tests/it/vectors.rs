//! Signatures of others: the examples of the RFCs (`data/rfc-examples.json`), and
//! whatever can be made of them that must not pass. A signature is good if what is
//! left to be said against a token is what it claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_sdk::testing::*;
use serde::Deserialize;

use crate::*;

const ALL: [&str; 12] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "EdDSA",
];

#[derive(Deserialize)]
struct Examples {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    source: String,
    algorithm: String,
    key: Value,
    token: String,
    result: String,
}

fn examples() -> Vec<Example> {
    let text = include_str!("../data/rfc-examples.json");
    serde_json::from_str::<Examples>(text).unwrap().examples
}

fn valid() -> Vec<Example> {
    let mut examples = examples();
    examples.retain(|example| example.result == "valid");
    examples
}

/// A step with one key, and another so that there is one if the first is of no use.
struct Verifier {
    gateway: Gateway,
    step: JwtAuth,
}

impl Verifier {
    fn of(key: &Value) -> Self {
        let spare = Issuer::ed().jwk("spare");
        let config = json!({ "algorithms": ALL, "jwks": { "keys": [key, spare] } });
        let gateway = Gateway::new();
        let step = step(&gateway, config);
        Self { gateway, step }
    }

    /// Whether a token's signature is taken for good.
    fn accepts(&mut self, token: &str) -> bool {
        match self
            .gateway
            .exchange(bearer(token))
            .run_request(&mut self.step)
        {
            Reply::Next => true,
            Reply::Answer(answer) => {
                assert_eq!(answer.status(), 401, "{token}");
                let body: Value = serde_json::from_slice(answer.body_bytes()).unwrap();
                let why = body["detail"].as_str().unwrap();
                why.contains("claims") || why.contains("expired")
            }
            Reply::Failed(why) => panic!("{why}: {token}"),
        }
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header, payload and signature.
fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().unwrap()
}

#[test]
fn the_examples_of_the_rfcs_are_judged_as_they_say() {
    let mut seen = Vec::new();
    for example in examples() {
        let accepted = Verifier::of(&example.key).accepts(&example.token);
        let (source, result) = (&example.source, example.result.as_str());
        assert_eq!(accepted, result == "valid", "{source}: {result}");
        assert_eq!(
            result == "unsupported",
            example.algorithm == "ES512",
            "{source}"
        );
        seen.push(example.result);
    }
    for (result, number) in [("valid", 7), ("unsupported", 2), ("invalid", 11)] {
        assert_eq!(seen.iter().filter(|seen| *seen == result).count(), number);
    }
}

#[test]
fn no_other_key_is_good_for_an_example() {
    let examples = valid();
    for example in &examples {
        for other in &examples {
            let mut key = other.key.clone();
            // Not for want of the name alone.
            key["kid"] = example.key["kid"].clone();
            if key["kid"].is_null() {
                key.as_object_mut().unwrap().remove("kid");
            }
            let same = ["k", "n", "x"]
                .iter()
                .all(|of| example.key[of] == other.key[of]);
            let accepted = Verifier::of(&key).accepts(&example.token);
            let pinned = key["alg"]
                .as_str()
                .is_none_or(|alg| alg == example.algorithm);
            assert_eq!(
                accepted,
                same && pinned,
                "{} {}",
                example.source,
                other.source
            );
        }
    }
}

#[test]
fn a_changed_example_is_good_no_longer() {
    for example in valid() {
        let mut verifier = Verifier::of(&example.key);
        let [header, payload, signature] = parts(&example.token);
        let mut bad = vec![
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}..{signature}"),
            format!("{header}.{signature}"),
            format!(".{payload}.{signature}"),
            format!("{payload}.{signature}"),
            format!(".{payload}."),
            payload.to_owned(),
            String::new(),
            "..".to_owned(),
            format!("{}.", example.token),
            format!("{}.AAAA", example.token),
            format!(
                "{{\"payload\":\"{payload}\",\"protected\":\"{header}\",\"signature\":\"{signature}\"}}"
            ),
            format!("{header}.{payload}.{signature}="),
            format!("{header}.{signature}.{payload}"),
        ];
        for (index, part) in [header, payload, signature].into_iter().enumerate() {
            let bytes = decode(part);
            for (at, bit) in (0..bytes.len()).flat_map(|at| [(at, 1), (at, 0x80)]) {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                let mut parts = [header, payload, signature].map(str::to_owned);
                parts[index] = encode(changed);
                bad.push(parts.join("."));
            }
            let mut longer = [header, payload, signature].map(str::to_owned);
            longer[index] = encode([&bytes[..], b"\0"].concat());
            bad.push(longer.join("."));
        }
        for token in bad {
            assert!(!verifier.accepts(&token), "{}: {token}", example.source);
        }
        assert!(verifier.accepts(&example.token), "{}", example.source);
    }
}

#[test]
fn an_example_says_its_own_algorithm_and_no_other() {
    for example in valid() {
        let mut verifier = Verifier::of(&example.key);
        let [header, payload, signature] = parts(&example.token);
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        for name in ALL
            .iter()
            .chain(&["none", "None", "ES512", "ES256K", "HS1", ""])
        {
            let mut header = header.clone();
            header["alg"] = (*name).into();
            let header = encode(header.to_string());
            for signature in [signature, ""] {
                let token = format!("{header}.{payload}.{signature}");
                let accepted = verifier.accepts(&token);
                assert_eq!(
                    accepted,
                    token == example.token,
                    "{} {name}",
                    example.source
                );
            }
        }
    }
}

/// Case 26: what everybody knows of a key must not be a secret.
#[test]
fn nothing_public_of_a_key_is_a_secret() {
    for example in valid() {
        let key = &example.key;
        if key["kty"] == "oct" {
            continue;
        }
        let mut verifier = Verifier::of(key);
        let mut secrets = vec![key.to_string().into_bytes(), Vec::new()];
        for name in ["n", "e", "x", "y", "kid"] {
            if let Some(text) = key[name].as_str() {
                secrets.push(text.as_bytes().to_vec());
                secrets.extend(URL_SAFE_NO_PAD.decode(text));
            }
        }
        for (secret, algorithm) in secrets
            .iter()
            .flat_map(|secret| ["HS256", "HS384", "HS512"].map(|name| (secret, name)))
        {
            let forger = Issuer::hs(algorithm, secret);
            let mut tokens = vec![forger.token(&claims(json!({})))];
            if !key["kid"].is_null() {
                let named = json!({ "kid": key["kid"] });
                tokens.push(forger.with_header(named, &claims(json!({}))));
            }
            for token in tokens {
                assert!(!verifier.accepts(&token), "{} {algorithm}", example.source);
            }
        }
    }
}
