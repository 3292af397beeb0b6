//! Keys and signatures of others: the appendices of RFC 7515 and RFC 8037, and
//! OpenSSL's (`tests/fixtures/keys`, made once; the private halves are gone).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Algorithm, VerificationKey};

const A1_KEY: &str = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
const A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const A2_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
const A2: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const A3_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const A3: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const A4_KEY: &str = r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
const RFC8037_KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const RFC8037: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/fixtures/keys/", $name)) as &[u8]
    };
}

const MESSAGE: &[u8] = fixture!("message.txt");

fn text(fixture: &[u8]) -> &str {
    std::str::from_utf8(fixture).unwrap()
}

fn pem(fixture: &[u8]) -> VerificationKey {
    VerificationKey::from_pem(text(fixture)).unwrap()
}

/// The signing input and the signature of a token.
fn split(token: &str) -> (&[u8], Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.as_bytes(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

/// The signature is good with this algorithm, with no other, and in no other
/// form.
fn verifies_alone(key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) {
    for other in Algorithm::ALL {
        let good = key.verify(other, message, signature);
        assert_eq!(good, other == algorithm, "{other:?} for {algorithm:?}");
    }
    let length = signature.len();
    let mut changed = signature.to_vec();
    changed[length / 2] ^= 1;
    let longer = [signature, &[0]].concat();
    let zeros = vec![0; length];
    for bad in [
        &[][..],
        &signature[..length - 1],
        &signature[1..],
        &changed,
        &longer,
        &zeros,
    ] {
        assert!(
            !key.verify(algorithm, message, bad),
            "{algorithm:?} {bad:?}"
        );
    }
    assert!(
        !key.verify(algorithm, &message[1..], signature),
        "{algorithm:?}"
    );
    assert!(!key.verify(algorithm, b"", signature), "{algorithm:?}");
}

#[test]
fn the_examples_of_rfc_7515_and_rfc_8037_verify() {
    for (key, token, algorithm) in [
        (A1_KEY, A1, Algorithm::Hs256),
        (A2_KEY, A2, Algorithm::Rs256),
        (A3_KEY, A3, Algorithm::Es256),
        (RFC8037_KEY, RFC8037, Algorithm::Eddsa),
    ] {
        let (input, signature) = split(token);
        let key = VerificationKey::from_jwk(key).unwrap();
        verifies_alone(&key, algorithm, input, &signature);
    }
}

#[test]
fn what_openssl_signed_verifies() {
    let rsa = fixture!("rsa-2048.pem");
    for (key, algorithm, signature) in [
        (rsa, Algorithm::Rs256, fixture!("rsa-2048.rs256.sig")),
        (rsa, Algorithm::Rs384, fixture!("rsa-2048.rs384.sig")),
        (rsa, Algorithm::Rs512, fixture!("rsa-2048.rs512.sig")),
        (rsa, Algorithm::Ps256, fixture!("rsa-2048.ps256.sig")),
        (rsa, Algorithm::Ps384, fixture!("rsa-2048.ps384.sig")),
        (rsa, Algorithm::Ps512, fixture!("rsa-2048.ps512.sig")),
        (
            fixture!("rsa-2048-pkcs1.pem"),
            Algorithm::Rs256,
            fixture!("rsa-2048.rs256.sig"),
        ),
        (
            fixture!("rsa-4096.pem"),
            Algorithm::Rs256,
            fixture!("rsa-4096.rs256.sig"),
        ),
        (
            fixture!("p-256.pem"),
            Algorithm::Es256,
            fixture!("p-256.es256.sig"),
        ),
        (
            fixture!("p-384.pem"),
            Algorithm::Es384,
            fixture!("p-384.es384.sig"),
        ),
        (
            fixture!("ed25519.pem"),
            Algorithm::Eddsa,
            fixture!("ed25519.eddsa.sig"),
        ),
    ] {
        verifies_alone(&pem(key), algorithm, MESSAGE, signature);
    }
}

#[test]
fn a_secret_signs_with_each_hash() {
    // RFC 4231, test case 2.
    let key = VerificationKey::from_secret(b"Jefe");
    let message = b"what do ya want for nothing?";
    for (algorithm, first, length) in [
        (Algorithm::Hs256, [0x5b, 0xdc, 0xc1, 0x46], 32),
        (Algorithm::Hs384, [0xaf, 0x45, 0xd2, 0xe3], 48),
        (Algorithm::Hs512, [0x16, 0x4b, 0x7a, 0x7b], 64),
    ] {
        let hash = match length {
            32 => ring::hmac::HMAC_SHA256,
            48 => ring::hmac::HMAC_SHA384,
            _ => ring::hmac::HMAC_SHA512,
        };
        let tag = ring::hmac::sign(&ring::hmac::Key::new(hash, b"Jefe"), message);
        assert_eq!(
            (&tag.as_ref()[..4], tag.as_ref().len()),
            (&first[..], length)
        );
        verifies_alone(&key, algorithm, message, tag.as_ref());
    }
    assert_eq!(VerificationKey::from_secret(b"").algorithms().len(), 3);
}

#[test]
fn a_public_key_is_no_secret() {
    // The classic confusion: the attacker signs with the public key's own text
    // as the HMAC secret, which everybody knows.
    let text = fixture!("rsa-2048.pem");
    let forged = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, text),
        MESSAGE,
    );
    for key in [
        fixture!("rsa-2048.pem"),
        fixture!("p-256.pem"),
        fixture!("ed25519.pem"),
    ] {
        assert!(!pem(key).verify(Algorithm::Hs256, MESSAGE, forged.as_ref()));
    }
}

#[test]
fn an_ec_signature_in_der_form_is_none() {
    let key = pem(fixture!("p-256.pem"));
    assert!(!key.verify(Algorithm::Es256, MESSAGE, fixture!("p-256.es256.der-sig")));
}

#[test]
fn a_key_is_for_its_family() {
    use Algorithm::*;
    for (key, algorithms) in [
        (
            VerificationKey::from_secret(b"x"),
            &[Hs256, Hs384, Hs512][..],
        ),
        (
            pem(fixture!("rsa-2048.pem")),
            &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
        ),
        (pem(fixture!("p-256.pem")), &[Es256]),
        (pem(fixture!("p-384.pem")), &[Es384]),
        (pem(fixture!("ed25519.pem")), &[Eddsa]),
    ] {
        assert_eq!(key.algorithms(), algorithms);
    }
}

#[test]
fn a_jwk_with_alg_is_for_that_algorithm_alone() {
    let with = |algorithm: &str| {
        A2_KEY.replace(
            '}',
            &format!(r#","alg":"{algorithm}","use":"sig","kid":"1"}}"#),
        )
    };
    let (input, signature) = split(A2);
    let key = VerificationKey::from_jwk(&with("RS256")).unwrap();
    assert_eq!(key.algorithms(), [Algorithm::Rs256]);
    verifies_alone(&key, Algorithm::Rs256, input, &signature);
    let key = VerificationKey::from_jwk(&with("PS256")).unwrap();
    assert!(!key.verify(Algorithm::Rs256, input, &signature));
}

/// The key is refused, and the message says why.
fn refuses(result: Result<VerificationKey, super::KeyError>, why: &str) {
    let message = result.expect_err(why).to_string();
    assert!(message.contains(why), "{message:?} does not say {why:?}");
    assert!(!message.ends_with('.'), "{message:?}");
}

#[test]
fn refuses_a_pem_that_is_no_public_key_and_says_what_to_do() {
    let rsa = text(fixture!("rsa-2048.pem"));
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let two = rsa.repeat(2);
    let cut = rsa.replacen("MIIB", "MIIC", 1);
    for (text, why) in [
        (text(fixture!("certificate.pem")), "openssl x509"),
        (private, "public half"),
        ("-----BEGIN EC PRIVATE KEY-----", "disclosed"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "openssl pkey"),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "`PUBLIC KEY`"),
        ("", "not PEM"),
        ("ssh-ed25519 AAAA", "not PEM"),
        (
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
            "malformed PEM",
        ),
        ("-----BEGIN PUBLIC KEY-----", "malformed PEM"),
        (&two, "several"),
        (&cut, "malformed PEM"),
        (text(fixture!("rsa-1024.pem")), "1024 bits"),
        (text(fixture!("p-521.pem")), "P-256 and P-384"),
        (text(fixture!("secp256k1.pem")), "P-256 and P-384"),
        (text(fixture!("p-256-compressed.pem")), "uncompressed"),
        (text(fixture!("rsa-pss.pem")), "PSS only"),
    ] {
        refuses(VerificationKey::from_pem(text), why);
    }
}

#[test]
fn reads_a_pem_however_its_lines_end() {
    let text = text(fixture!("ed25519.pem"));
    for text in [
        text.replace('\n', "\r\n"),
        format!("\n  {}  ", text.trim_end()),
    ] {
        assert!(VerificationKey::from_pem(&text).is_ok(), "{text:?}");
    }
}

#[test]
fn refuses_a_jwk_that_is_none_and_says_why() {
    let with = |key: &str, member: &str| format!("{},{member}}}", key.trim_end_matches('}'));
    let set = format!(r#"{{"keys":[{A3_KEY}]}}"#);
    let short = A3_KEY.replace(r#""x":"f83O"#, r#""x":""#);
    let even = A2_KEY.replace("AQAB", "AQAA");
    for (jwk, why) in [
        (with(A3_KEY, r#""d":"AAAA""#), "private key (it has `d`)"),
        (with(A2_KEY, r#""qi":"AAAA""#), "disclosed"),
        (with(A2_KEY, r#""use":"enc""#), "for signatures"),
        (with(A2_KEY, r#""key_ops":["encrypt"]"#), "`verify`"),
        (with(A2_KEY, r#""key_ops":"verify""#), "`verify`"),
        (with(A2_KEY, r#""alg":"none""#), "no signature algorithm"),
        (
            with(A2_KEY, r#""alg":"RSA-OAEP""#),
            "no signature algorithm",
        ),
        (with(A2_KEY, r#""alg":"rs256""#), "no signature algorithm"),
        (with(A2_KEY, r#""alg":"HS256""#), "RS256, RS384"),
        (with(A1_KEY, r#""alg":"RS256""#), "HS256, HS384"),
        (with(A3_KEY, r#""alg":"ES384""#), "ES256"),
        (with(A2_KEY, r#""alg":1"#), "not a string"),
        (A4_KEY.to_owned(), "P-521"),
        (short, "`x` has 29 bytes"),
        (even, "not an RSA public key"),
        (set, "one by one"),
        (r#"{"kty":"oct","k":""}"#.to_owned(), "empty"),
        (r#"{"kty":"oct","k":"a+b="}"#.to_owned(), "base64url"),
        (r#"{"kty":"oct"}"#.to_owned(), "`k` is missing"),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            "17 bits",
        ),
        (
            r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#.to_owned(),
            "X25519",
        ),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.to_owned(),
            "32 bytes",
        ),
        (r#"{"kty":"PQC"}"#.to_owned(), "PQC"),
        ("{}".to_owned(), "`kty` is missing"),
        ("[]".to_owned(), "an object"),
        ("{".to_owned(), "malformed JSON"),
    ] {
        refuses(VerificationKey::from_jwk(&jwk), why);
    }
}

#[test]
fn an_ec_point_off_its_curve_verifies_nothing() {
    let (input, signature) = split(A3);
    let off = A3_KEY.replace("x_FEzRu9", "x_FEzRu8");
    let key = VerificationKey::from_jwk(&off).unwrap();
    assert!(!key.verify(Algorithm::Es256, input, &signature));
}
