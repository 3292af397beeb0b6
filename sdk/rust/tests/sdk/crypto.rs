//! The fake crypto verifies for real, and a key is of use for its own
//! algorithms only.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use portcullis_sdk::crypto::{
    Algorithm, DigestAlgorithm, VerificationKey, constant_time_equal, digest,
};
use serde_json::json;

const MESSAGE: &[u8] = b"eyJhbGciOiJub25lIn0.e30";

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_secret_verifies_its_own_signature_only() {
    let key = VerificationKey::from_secret("secret");
    let signer = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret");
    let signature = ring::hmac::sign(&signer, MESSAGE);
    assert!(key.verify(Algorithm::Hs256, MESSAGE, signature.as_ref()));
    assert!(!key.verify(Algorithm::Hs256, b"other", signature.as_ref()));
    assert!(!key.verify(Algorithm::Hs384, MESSAGE, signature.as_ref()));
    assert_eq!(
        key.algorithms(),
        [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512]
    );
    let jwk = json!({ "kty": "oct", "k": base64url(b"secret"), "alg": "HS256" });
    let key = VerificationKey::from_jwk(&jwk.to_string()).unwrap();
    assert!(key.verify(Algorithm::Hs256, MESSAGE, signature.as_ref()));
    assert_eq!(key.algorithms(), [Algorithm::Hs256]);
}

#[test]
fn elliptic_curves_verify_from_pem_and_jwk() {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let signature = pair.sign(&random, MESSAGE).unwrap();
    let point = pair.public_key().as_ref();

    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let prefix = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    for key in [
        VerificationKey::from_jwk(&jwk.to_string()).unwrap(),
        VerificationKey::from_pem(&pem("PUBLIC KEY", &[prefix, point].concat())).unwrap(),
    ] {
        assert_eq!(key.algorithms(), [Algorithm::Es256]);
        assert!(key.verify(Algorithm::Es256, MESSAGE, signature.as_ref()));
        assert!(!key.verify(Algorithm::Es256, b"other", signature.as_ref()));
        // The public key is not a secret, whatever a token's header says.
        let forged = ring::hmac::sign(
            &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, point),
            MESSAGE,
        );
        assert!(!key.verify(Algorithm::Hs256, MESSAGE, forged.as_ref()));
    }
}

#[test]
fn edwards_keys_verify_from_pem_and_jwk() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let signature = pair.sign(MESSAGE);
    let public = pair.public_key().as_ref();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(public), "kid": "1" });
    let prefix = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
    for key in [
        VerificationKey::from_jwk(&jwk.to_string()).unwrap(),
        VerificationKey::from_pem(&pem("PUBLIC KEY", &[prefix, public].concat())).unwrap(),
    ] {
        assert_eq!(key.algorithms(), [Algorithm::Eddsa]);
        assert!(key.verify(Algorithm::Eddsa, MESSAGE, signature.as_ref()));
    }
}

// An RSA key of 2,048 bits and its signatures of `MESSAGE`, made with OpenSSL.
const RSA_PUBLIC_KEY: &str = "\
MIIBCgKCAQEAwAUE99tnM+2gsIiDfYAN0GL7o5Kcgx4F8FRjwP1nXheCLDcfqW+KGbKGVLSPAzda20vH\
E0cCDl/rDe8mfjOfDBHdWvEk+fgKmB1nw6JRJDc+r3aFr2qWzI1a7P5uTe7XFLf0BEhzRfxqn6HoLPRk\
QyviOeb3FX5Vha4YxNcaqdc+bDTrdd2+WBzkUXLBX9dacpmCP7CfRaRo4Hd1a0g+YiLXKW1DyV/gxVD7\
OmdUak46H7dLUWcHjaKXT9IlKEYa3JOPkurEhHlqgYOffJFaQUScUw+5iTDtqQqam/D1gU10la5uoddS\
nRlCeNZH8raYfUg7mtFP6dKc36ufZuPzuQIDAQAB";
const RS256: &str = "\
t8iaYPx6HsBnh0_1DDiWTsDB6h5ZH-uCbt2KnbhoarMEvjHEEAhNQkSLpojQBQ2pIB706d5uybjKKLNs\
97mBVmqMMD-7rxGOUvDZvFKOHAk3uWuV22cTM0d5c80FQmQxbMWTaFVPmkXhOd8JB-QCS8AwCtDPU9Et\
jxRXuqxa2NN7UQ8SBNnHLhsfNZQdh2M1CMT4OrIn-3014tz4guzK_UnDF0RXv9BIA1g3euhqZPfItaf-\
CM7D4OQjfzUKZuiEriJAL7spnCOgF53M6KksPE_-\
LelOKx25AzSLdznOPGyhUo8XIcfoDVLXf1Vpe3RdJ-5aXkDBlhGKyYuxmJCZ7Q";
const PS384: &str = "\
r-xEJsMF084sSy2ktnGl5VvqNxgQPP-JCNwAeIOg7iE793bzz8CmqouKvmlF9KaoA9kq4ggmUYzX0xjQ\
Ufgwd76OlfO5D3JocHTmyUm9Uc418Z_g0nCEDdU2lunecao5HO78wlhqTbKUARfii6CKy9EG-gzxxAdd\
QU-\
e9K8ukk0Sz8KlCqqnhi8oF71S4SiHqxisA045fqfCezGUOaTkziX7z6yi3IrbSp8HpgPDLJpYbRcSG23\
cfOZFySlqhTu2s4RF3X1eCnIHMjoIJG0cFvbKmwGPiEodorvB_qS_F0YCzZ5mhpKQXdPAcP9nMc6DwWM\
PGFbjuABrvuP4BkT-hg";

#[test]
fn rsa_verifies_from_both_pem_forms_and_jwk() {
    let der = STANDARD.decode(RSA_PUBLIC_KEY).unwrap();
    // `SubjectPublicKeyInfo` around the same `RSAPublicKey`.
    let prefix = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
    // The modulus follows 9 bytes of headers; the exponent, 65537, is last.
    let jwk = json!({ "kty": "RSA", "n": base64url(&der[9..265]), "e": "AQAB" });
    for key in [
        VerificationKey::from_pem(&pem("RSA PUBLIC KEY", &der)).unwrap(),
        VerificationKey::from_pem(&pem("PUBLIC KEY", &[prefix, &der[..]].concat())).unwrap(),
        VerificationKey::from_jwk(&jwk.to_string()).unwrap(),
    ] {
        let verifies = |algorithm, signature: &str| {
            key.verify(
                algorithm,
                MESSAGE,
                &URL_SAFE_NO_PAD.decode(signature).unwrap(),
            )
        };
        assert!(verifies(Algorithm::Rs256, RS256) && verifies(Algorithm::Ps384, PS384));
        assert!(!verifies(Algorithm::Rs384, RS256) && !verifies(Algorithm::Ps256, PS384));
        assert!(!verifies(Algorithm::Rs256, PS384) && !verifies(Algorithm::Hs256, RS256));
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for pem in [
        "",
        "hello",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert!(VerificationKey::from_pem(pem).is_err(), "{pem}");
    }
    let small = json!({ "kty": "RSA", "n": base64url(&[0xff; 128]), "e": "AQAB" });
    for (jwk, says) in [
        ("[]".to_owned(), "not a key"),
        (
            json!({ "kty": "RSA", "n": "AQAB" }).to_string(),
            "`e` is missing",
        ),
        (small.to_string(), "1024 bits"),
        (
            json!({ "kty": "EC", "crv": "P-521", "x": "", "y": "" }).to_string(),
            "P-521",
        ),
        (
            json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "RS256" }).to_string(),
            "`alg`",
        ),
    ] {
        let text = VerificationKey::from_jwk(&jwk).unwrap_err().to_string();
        assert!(text.contains(says), "{jwk}: {text}");
    }
}

#[test]
fn digests_and_comparisons() {
    let empty = digest(DigestAlgorithm::Sha256, "");
    assert_eq!(
        base64url(&empty),
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    );
    assert_eq!(digest(DigestAlgorithm::Sha512, "x").len(), 64);
    assert!(constant_time_equal("a", b"a") && !constant_time_equal("a", "ab"));
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
