//! Tokens and keys: who passes, what the others are told, and what the
//! service gets to see.

use std::{
    fs,
    io::ErrorKind,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use crate::support::{Gateway, Reply, Upstream, one_route};

const SECRET: &str = "at-least-thirty-two-bytes-of-secret";

fn guarded(
    upstream: &Upstream,
    plugin: &str,
    config: &str,
    environment: &[(&str, &str)],
) -> Gateway {
    let pipeline = format!("pipeline: [{{ plugin: {plugin}, config: {config} }}]");
    let config = one_route(&[upstream.address], "", &pipeline);
    Gateway::start_with(&[plugin], &config, environment)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unsigned(algorithm: &str, claims: &Value) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" });
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

fn hs256(claims: &Value, secret: &str) -> String {
    let text = unsigned("HS256", claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("{text}.{}", encode(hmac::sign(&key, text.as_bytes())))
}

/// Seconds since the Unix epoch, so much later or earlier.
fn now(offset: i64) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_secs()).expect("before the end of time") + offset
}

fn claims() -> Value {
    json!({ "iss": "tests", "sub": "ann", "scope": "users:read", "exp": now(600) })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn bearer(gateway: &Gateway, token: &str) -> Reply {
    gateway
        .client()
        .get("/a", &[("authorization", &format!("Bearer {token}"))])
}

const JWT: &str = "{ algorithms: [HS256], secret: \"${SECRET}\", issuer: tests, required_scopes: [users:read], claims_to_headers: { sub: x-user }, public_paths: [/open] }";

#[test]
fn a_good_token_passes_and_its_claims_cannot_be_forged() {
    let upstream = Upstream::start("a");
    let gateway = guarded(&upstream, "jwt-auth", JWT, &[("SECRET", SECRET)]);
    let token = format!("Bearer {}", hs256(&claims(), SECRET));
    let reply = gateway
        .client()
        .get("/a", &[("authorization", &token), ("x-user", "root")]);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["headers"]["x-user"], "ann");

    let open = gateway.client().get("/open", &[("x-user", "root")]);
    assert_eq!(open.status, 200);
    assert_eq!(open.json()["headers"]["x-user"], Value::Null);
}

#[test]
fn every_other_token_is_refused_with_its_reason() {
    let upstream = Upstream::start("a");
    let gateway = guarded(&upstream, "jwt-auth", JWT, &[("SECRET", SECRET)]);
    let none = gateway.get("/a");
    assert_eq!(none.status, 401);
    assert_eq!(
        none.header("www-authenticate"),
        "Bearer realm=\"portcullis\""
    );
    assert_eq!(none.header("content-type"), "application/problem+json");

    let good = hs256(&claims(), SECRET);
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    let other = hs256(&with(claims(), "sub", json!("root")), SECRET);
    let (other_text, _) = other.rsplit_once('.').expect("three parts");
    let refused = [
        ("alg none", format!("{}.", unsigned("none", &claims()))),
        ("alg None", format!("{}.", unsigned("None", &claims()))),
        ("no signature", format!("{text}.")),
        ("another's signature", format!("{other_text}.{signature}")),
        (
            "another secret",
            hs256(&claims(), "another-secret-of-thirty-two-bytes!"),
        ),
        (
            "another issuer",
            hs256(&with(claims(), "iss", json!("else")), SECRET),
        ),
        (
            "expired",
            hs256(&with(claims(), "exp", json!(now(-60))), SECRET),
        ),
        (
            "no expiry",
            hs256(&with(claims(), "exp", Value::Null), SECRET),
        ),
        (
            "not yet",
            hs256(&with(claims(), "nbf", json!(now(600))), SECRET),
        ),
        (
            "an algorithm that is not allowed",
            format!("{}.{signature}", unsigned("HS512", &claims())),
        ),
        ("no token", "x".to_owned()),
    ];
    for (what, token) in refused {
        let reply = bearer(&gateway, &token);
        assert_eq!(reply.status, 401, "{what}");
        let challenge = reply.header("www-authenticate");
        assert!(
            challenge.contains("error=\"invalid_token\""),
            "{what}: {challenge}"
        );
    }
    let narrow = bearer(
        &gateway,
        &hs256(&with(claims(), "scope", json!("orders:read")), SECRET),
    );
    assert_eq!(narrow.status, 403);
    let challenge = narrow.header("www-authenticate");
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"users:read\""), "{challenge}");
    assert_eq!(upstream.hits(), 0);
}

/// Runs OpenSSL; none if it is not installed.
fn openssl(directory: &Path, arguments: &[&str]) -> Option<()> {
    let run = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output();
    match run {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {arguments:?}: {said}");
            Some(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            None
        }
        Err(error) => panic!("openssl: {error}"),
    }
}

#[test]
fn a_token_signed_by_openssl_passes_with_the_public_key_as_pem() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let text = unsigned("RS256", &claims());
    fs::write(directory.join("text"), &text).unwrap();
    let made = openssl(directory, &["genrsa", "-out", "key", "2048"]);
    if made.is_none() {
        eprintln!("openssl is not installed: not tested");
        return;
    }
    openssl(directory, &["rsa", "-in", "key", "-pubout", "-out", "pem"]);
    openssl(
        directory,
        &[
            "dgst",
            "-sha256",
            "-sign",
            "key",
            "-out",
            "signature",
            "text",
        ],
    );
    let pem = fs::read_to_string(directory.join("pem")).unwrap();
    let token = format!(
        "{text}.{}",
        encode(fs::read(directory.join("signature")).unwrap())
    );

    let upstream = Upstream::start("a");
    let config = "{ algorithms: [RS256], public_key: \"${PEM}\" }";
    let gateway = guarded(&upstream, "jwt-auth", config, &[("PEM", &pem)]);
    let reply = bearer(&gateway, &token);
    assert_eq!(reply.status, 200, "{}", reply.text());
    // The public key is no secret to sign with.
    assert_eq!(bearer(&gateway, &hs256(&claims(), &pem)).status, 401);
    let tampered = token.replacen(&encode(claims().to_string())[..8], "eyJpc3Mi", 1);
    let forged = format!("{}x{}", &tampered[..60], &tampered[61..]);
    assert_eq!(bearer(&gateway, &forged).status, 401);
    assert_eq!(upstream.hits(), 1);
}

const KEYS: &str = "{ consumers: [{ name: ann, groups: [staff, users], key: \"${ANN_KEY}\" }, { name: bob, groups: [guests], key: bobs-own-key }], query: api_key, allowed_groups: [staff] }";

#[test]
fn a_key_passes_and_stays_with_the_gateway() {
    let upstream = Upstream::start("a");
    let gateway = guarded(&upstream, "key-auth", KEYS, &[("ANN_KEY", "anns-own-key")]);
    let forged = [
        ("x-api-key", "anns-own-key"),
        ("x-consumer-name", "root"),
        ("x-consumer-groups", "admins"),
    ];
    let reply = gateway.client().get("/a", &forged);
    assert_eq!(reply.status, 200);
    let headers = reply.json()["headers"].clone();
    assert_eq!(headers["x-consumer-name"], "ann");
    assert_eq!(headers["x-consumer-groups"], "staff,users");
    assert_eq!(headers["x-api-key"], Value::Null);

    let reply = gateway.get("/a?b=c&api_key=anns-own-key&d=e");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["path"], "/a?b=c&d=e");
    assert!(!reply.text().contains("anns-own-key"), "{}", reply.text());
}

#[test]
fn no_key_a_wrong_key_and_another_group_are_told_apart() {
    let upstream = Upstream::start("a");
    let gateway = guarded(&upstream, "key-auth", KEYS, &[("ANN_KEY", "anns-own-key")]);
    let cases: [(&[(&str, &str)], u16); 4] = [
        (&[], 401),
        (&[("x-api-key", "nobodys-key")], 401),
        (
            &[("x-api-key", "anns-own-key"), ("x-api-key", "anns-own-key")],
            401,
        ),
        (&[("x-api-key", "bobs-own-key")], 403),
    ];
    for (headers, status) in cases {
        let reply = gateway.client().get("/a", headers);
        assert_eq!(reply.status, status, "{headers:?}");
        let challenge = reply.header("www-authenticate");
        assert_eq!(
            challenge.starts_with("ApiKey realm="),
            status == 401,
            "{challenge}"
        );
    }
    assert_eq!(upstream.hits(), 0);
    let shown = gateway.admin("/api/v1/config").text();
    assert!(!shown.contains("own-key"), "{shown}");
}
