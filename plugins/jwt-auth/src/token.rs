//! The outer form of a token: three parts of strict base64url (RFC 7515,
//! compact serialization) and a header of which three members are looked at.
//!
//! Whatever a header says of where keys are to be had (`jku`, `x5u`, `jwk`,
//! `x5c`) is never read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_sdk::crypto::Algorithm;
use serde::Deserialize as _;
use serde::de::value::{Error, StrDeserializer};
use serde_json::{Map, Value};

use crate::config::AlgorithmName;
use crate::json;
use crate::problem::Invalid;

/// A token, taken apart and not yet verified.
#[derive(Debug)]
pub struct Token<'a> {
    /// The algorithm that it says it is signed with.
    pub algorithm: Algorithm,
    /// The name of the key that it says it is signed with.
    pub kid: Option<String>,
    /// What is signed.
    pub message: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    /// The claims, still encoded: not to be read before they are verified.
    claims: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// If it is no token in the compact form, if its algorithm is none that is
    /// known (`none` in any case is not), or if it asks for an extension.
    pub fn parse(text: &'a str) -> Result<Self, Invalid> {
        let (message, signature) = text.rsplit_once('.').ok_or(Invalid::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Invalid::Malformed)?;
        if claims.contains('.') || signature.is_empty() {
            return Err(Invalid::Malformed);
        }
        let header = decode(header).and_then(|bytes| json::object(&bytes));
        let header = header.ok_or(Invalid::Malformed)?;
        // An extension that must be understood, and none is (RFC 7515, 4.1.11).
        if header.contains_key("crit") {
            return Err(Invalid::Extension);
        }
        Ok(Self {
            algorithm: algorithm(header.get("alg")).ok_or(Invalid::Algorithm)?,
            kid: kid(&header)?,
            message,
            signature: decode(signature).ok_or(Invalid::Malformed)?,
            claims,
        })
    }

    /// The claims. To be called once the signature was found good.
    ///
    /// # Errors
    /// If they are no JSON object, or one in which a name stands twice.
    pub fn claims(&self) -> Result<Map<String, Value>, Invalid> {
        decode(self.claims)
            .and_then(|bytes| json::object(&bytes))
            .ok_or(Invalid::Claims)
    }
}

/// Strict base64url: no padding, no other alphabet, no stray bits at the end,
/// so that a token has one form only.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn algorithm(value: Option<&Value>) -> Option<Algorithm> {
    by_name(value?.as_str()?)
}

fn kid(header: &Map<String, Value>) -> Result<Option<String>, Invalid> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(Invalid::Malformed),
    }
}

/// An algorithm by its exact name.
pub fn by_name(name: &str) -> Option<Algorithm> {
    let name = AlgorithmName::deserialize(StrDeserializer::<Error>::new(name));
    name.ok().map(AlgorithmName::algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn a_token_is_taken_apart() {
        let header = encode(r#"{"typ":"JWT","alg":"HS256","kid":"a","jku":"http://x"}"#);
        let text = format!("{header}.{}.AAAA", encode(r#"{"sub":"ann"}"#));
        let token = Token::parse(&text).unwrap();
        assert_eq!(
            (token.algorithm, token.kid.as_deref()),
            (Algorithm::Hs256, Some("a"))
        );
        assert_eq!(token.signature, [0, 0, 0]);
        assert_eq!(token.claims().unwrap()["sub"], "ann");
        assert_eq!(token.message, text.strip_suffix(".AAAA").unwrap());
    }

    #[test]
    fn other_headers_are_refused() {
        for (header, expected) in [
            (r#"{"alg":"none"}"#, Invalid::Algorithm),
            (r#"{"alg":"None"}"#, Invalid::Algorithm),
            (r#"{"alg":"NONE"}"#, Invalid::Algorithm),
            (r#"{"alg":"nOnE"}"#, Invalid::Algorithm),
            (r#"{"alg":""}"#, Invalid::Algorithm),
            (r#"{"alg":"hs256"}"#, Invalid::Algorithm),
            (r#"{"alg":"HS256 "}"#, Invalid::Algorithm),
            (r#"{"alg":"ES512"}"#, Invalid::Algorithm),
            (r#"{"alg":["HS256"]}"#, Invalid::Algorithm),
            (r#"{"alg":null}"#, Invalid::Algorithm),
            ("{}", Invalid::Algorithm),
            (
                r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
                Invalid::Extension,
            ),
            (r#"{"alg":"HS256","crit":[]}"#, Invalid::Extension),
            (r#"{"alg":"HS256","crit":null}"#, Invalid::Extension),
            (r#"{"alg":"HS256","kid":7}"#, Invalid::Malformed),
            (r#"{"alg":"HS256","kid":["a"]}"#, Invalid::Malformed),
            (r#"{"alg":"HS256","alg":"none"}"#, Invalid::Malformed),
            ("[]", Invalid::Malformed),
            ("", Invalid::Malformed),
        ] {
            let text = format!("{}.e30.AAAA", encode(header));
            assert_eq!(Token::parse(&text).unwrap_err(), expected, "{header}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let header = encode(r#"{"alg":"HS256"}"#);
        for text in [
            String::new(),
            ".".into(),
            "..".into(),
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30."),
            ".e30.AAAA".into(),
            format!("{header}.e30.AAAA."),
            format!("{header}.e30.AAAA.AAAA"),
            format!("{header}.e30.AAAA.AAAA.AAAA"),
            // Padding, stray bits, another alphabet, white space.
            format!("{header}.e30.AA=="),
            format!("{header}.e30.AB"),
            format!("{header}.e30.A+/A"),
            format!("{header}.e30.A"),
            format!("{header}.e30.AA AA"),
            format!("{header}.e30.AAAA\n"),
            format!("{header}=.e30.AAAA"),
        ] {
            assert!(Token::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn claims_are_one_object_in_which_no_name_stands_twice() {
        let header = encode(r#"{"alg":"HS256"}"#);
        for claims in [
            "",
            "e30=",
            "e31",
            &encode("[]"),
            &encode("null"),
            &encode(r#"{"a":1,"a":2}"#),
        ] {
            let text = format!("{header}.{claims}.AAAA");
            assert_eq!(
                Token::parse(&text).unwrap().claims(),
                Err(Invalid::Claims),
                "{claims}"
            );
        }
    }
}
