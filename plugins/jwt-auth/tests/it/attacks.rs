//! What people try on verifiers of tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_sdk::testing::*;

use crate::issuer::RSA_PUBLIC;
use crate::*;

const SIGNATURE: &str = "the signature of the token is not valid";
const ALGORITHM: &str = "the algorithm of the token is not accepted";
const MALFORMED: &str = "the token is malformed";

fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn none_is_no_algorithm_in_any_case() {
    let signature = token(json!({}));
    let signature = signature.rsplit('.').next().unwrap();
    for name in ["none", "None", "NONE", "nOnE", "", "null"] {
        let header = encode(json!({ "alg": name }).to_string());
        let body = encode(claims(json!({})).to_string());
        let unsigned = format!("{header}.{body}.");
        assert_eq!(reason(demo(json!({})), bearer(&unsigned)), MALFORMED);
        let unsigned = format!("{header}.{body}");
        assert_eq!(reason(demo(json!({})), bearer(&unsigned)), MALFORMED);
        let signed = format!("{header}.{body}.{signature}");
        assert_eq!(reason(demo(json!({})), bearer(signed)), ALGORITHM, "{name}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    for algorithms in [json!(["RS256"]), json!(["RS256", "HS256"])] {
        let config = json!({ "algorithms": algorithms, "public_key": RSA_PUBLIC, "keys": [
            { "secret": "another key, so that HS256 is of use", "algorithms": ["HS256"], "kid": "h" },
        ] });
        let config = if algorithms == json!(["RS256"]) {
            json!({ "algorithms": algorithms, "public_key": RSA_PUBLIC })
        } else {
            config
        };
        for secret in [
            RSA_PUBLIC.to_owned(),
            RSA_PUBLIC.trim().to_owned(),
            String::new(),
        ] {
            let forged = Issuer::hs256(&secret).token(&claims(json!({})));
            let reason = reason(config.clone(), bearer(forged));
            assert!(reason == ALGORITHM || reason == SIGNATURE, "{reason}");
        }
    }
    // A key set without `alg`: the kind of the key alone keeps it from being one.
    let jwk = Issuer::rsa("RS256").jwk("a");
    let config = json!({ "algorithms": ["RS256", "HS256"], "jwks": { "keys": [jwk.clone()] } });
    for secret in [jwk["n"].as_str().unwrap().to_owned(), jwk.to_string()] {
        let forged = Issuer::hs256(secret).with_header(json!({ "kid": "a" }), &claims(json!({})));
        assert_eq!(reason(config.clone(), bearer(forged)), SIGNATURE);
    }
}

#[test]
fn a_header_cannot_bring_its_own_key() {
    let attacker = Issuer::ec("ES256");
    let victim = Issuer::ec("ES256");
    let config = || json!({ "algorithms": ["ES256"], "jwks": { "keys": [victim.jwk("a")] } });
    for members in [
        json!({ "jwk": attacker.jwk("a") }),
        json!({ "jwk": attacker.jwk("a"), "kid": "a" }),
        json!({ "jku": "http://127.0.0.1:9901/keys" }),
        json!({ "x5u": "http://127.0.0.1:9901/keys", "x5c": ["AAAA"] }),
    ] {
        let forged = attacker.with_header(members.clone(), &claims(json!({})));
        assert_eq!(reason(config(), bearer(forged)), SIGNATURE, "{members}");
        // They are not looked at in a good token either.
        let good = victim.with_header(members, &claims(json!({})));
        passed(config(), bearer(good));
    }
}

#[test]
fn extensions_that_must_be_understood_are_refused() {
    for members in [
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "crit": ["b64"], "b64": false }),
    ] {
        let token = Issuer::hs256(SECRET).with_header(members, &claims(json!({})));
        assert_eq!(
            reason(demo(json!({})), bearer(token)),
            "the token asks for an extension that is not supported"
        );
    }
}

#[test]
fn ambiguous_json_is_refused() {
    let issuer = Issuer::hs256(SECRET);
    let body = claims(json!({})).to_string();
    let header = r#"{"alg":"HS256"}"#;
    for (header, body, expected) in [
        (r#"{"alg":"none","alg":"HS256"}"#, body.as_str(), MALFORMED),
        (r#"{"alg":"HS256","kid":"a","kid":"b"}"#, &body, MALFORMED),
        (
            header,
            r#"{"iss":"example","exp":99999999999,"sub":"ann","sub":"root"}"#,
            "the claims of the token are malformed",
        ),
        (
            header,
            r#"{"iss":"example","exp":1,"exp":99999999999}"#,
            "the claims of the token are malformed",
        ),
        (
            header,
            r#"{"iss":"example","exp":99999999999,"a":{"b":1,"b":2}}"#,
            "the claims of the token are malformed",
        ),
        (
            header,
            r#"{"iss":"example","exp":99999999999} "x""#,
            "the claims of the token are malformed",
        ),
        (
            header,
            r#"["iss","example"]"#,
            "the claims of the token are malformed",
        ),
        (header, "", "the claims of the token are malformed"),
    ] {
        let token = issuer.over(header, body);
        assert_eq!(
            reason(demo(json!({})), bearer(token)),
            expected,
            "{header} {body}"
        );
    }
}

#[test]
fn a_token_has_one_form_only() {
    let good = token(json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    // 43 characters for 32 bytes: the last has two bits to spare, which must be 0.
    assert_eq!(signature.len(), 43);
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let stray = alphabet
        .chars()
        .nth(alphabet.find(last).unwrap() + 1)
        .unwrap();
    let malleable = format!("{message}.{}{stray}", &signature[..42]);
    for bad in [
        malleable,
        format!("{good}="),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!(".{body}.{signature}"),
        format!("{header}=.{body}.{signature}"),
        format!("{header}.{body}.{signature}\u{e9}"),
        format!("{good} {good}"),
        format!("{good},Bearer {good}"),
        String::new(),
        "x".into(),
    ] {
        assert_eq!(reason(demo(json!({})), bearer(&bad)), MALFORMED, "{bad}");
    }
    let bytes = [b"Bearer ", good.as_bytes(), b"\xff"].concat();
    let request = Request::get("/").header("authorization", bytes);
    assert_eq!(reason(demo(json!({})), request), MALFORMED);
}

#[test]
fn bad_signatures_are_refused() {
    let issuer = Issuer::ec("ES256");
    let config = || json!({ "algorithms": ["ES256"], "public_key": issuer.pem() });
    let good = issuer.token(&claims(json!({})));
    let message = good.rsplit_once('.').unwrap().0;
    passed(config(), bearer(&good));
    for signature in [
        vec![0; 64],
        vec![0xff; 64],
        vec![0; 63],
        vec![0; 65],
        vec![0; 1],
        // The form of ASN.1, with r = s = 1.
        vec![0x30, 6, 2, 1, 1, 2, 1, 1],
    ] {
        let forged = format!("{message}.{}", encode(signature));
        assert_eq!(reason(config(), bearer(forged)), SIGNATURE);
    }
    let wrong = Issuer::hs256("another secret").token(&claims(json!({})));
    assert_eq!(reason(demo(json!({})), bearer(wrong)), SIGNATURE);
}

#[test]
fn a_token_that_is_too_long_is_not_even_read() {
    let long = token(json!({ "padding": "x".repeat(1_000_000) }));
    assert_eq!(
        reason(demo(json!({})), bearer(&long)),
        "the token is too long"
    );
    let medium = token(json!({ "padding": "x".repeat(7_000) }));
    assert!(medium.len() > 8_192);
    assert_eq!(
        reason(demo(json!({})), bearer(&medium)),
        "the token is too long"
    );
    passed(demo(json!({ "max_token_bytes": 16_384 })), bearer(&medium));
}
