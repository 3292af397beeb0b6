//! What is wrong with a request, and the answers for it (RFC 6750).

use portcullis_sdk::prelude::Answer;

/// Why a token is not accepted. What is told of it to the client is the same
/// for whoever asks, and never what would have been accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// No token in the compact form, or more than one.
    Malformed,
    /// More than one place or header carries one.
    Ambiguous,
    /// Longer than is read.
    TooLong,
    /// `alg` is none that is accepted.
    Algorithm,
    /// `crit` asks for something that is not understood.
    Extension,
    /// It names a key that is not known.
    Key,
    /// The signature is not that of a key.
    Signature,
    /// The claims are no JSON object, or one that is ambiguous.
    Claims,
    /// `exp` is missing, no time, or over.
    Expired,
    /// `nbf` is no time, or yet to come.
    NotYetValid,
    /// `iss` is not one that is accepted.
    Issuer,
    /// `aud` names nobody here.
    Audience,
    /// A claim that is to be passed on cannot be a header or an attribute.
    Unusable,
}

impl Invalid {
    /// In words for the client; without quotes and backslashes (RFC 6750, 3).
    pub fn description(self) -> &'static str {
        match self {
            Self::Malformed => "the token is malformed",
            Self::Ambiguous => "the request carries more than one token",
            Self::TooLong => "the token is too long",
            Self::Algorithm => "the algorithm of the token is not accepted",
            Self::Extension => "the token asks for an extension that is not supported",
            Self::Key => "the token names a key that is not known",
            Self::Signature => "the signature of the token is not valid",
            Self::Claims => "the claims of the token are malformed",
            Self::Expired => "the token is expired or does not say when it expires",
            Self::NotYetValid => "the token is not valid yet",
            Self::Issuer => "the issuer of the token is not accepted",
            Self::Audience => "the token is for another audience",
            Self::Unusable => "a claim of the token cannot be passed on",
        }
    }
}

/// The answers of one step.
#[derive(Debug)]
pub struct Answers {
    realm: String,
    scopes: String,
}

impl Answers {
    /// For this realm and these required scopes, which hold neither quotes nor
    /// backslashes.
    pub fn new(realm: String, scopes: &[String]) -> Self {
        Self {
            realm,
            scopes: scopes.join(" "),
        }
    }

    /// 401 without an error: the client sent no token, and learns that it needs
    /// one (RFC 6750, 3.1).
    pub fn missing(&self) -> Answer {
        let challenge = format!("Bearer realm=\"{}\"", self.realm);
        Answer::problem(401, "Unauthorized", "the request carries no token")
            .header("www-authenticate", challenge)
    }

    /// 401 `invalid_token`.
    pub fn invalid(&self, why: Invalid) -> Answer {
        let description = why.description();
        let challenge = format!(
            "Bearer realm=\"{}\", error=\"invalid_token\", error_description=\"{description}\"",
            self.realm
        );
        Answer::problem(401, "Unauthorized", description).header("www-authenticate", challenge)
    }

    /// 503: whether the token is good cannot be said before the issuer's keys are
    /// there.
    pub fn no_keys(&self, retry_after_s: u64) -> Answer {
        let detail = "the keys of the issuer of the token are not known right now";
        Answer::problem(503, "Service Unavailable", detail)
            .header("retry-after", retry_after_s.to_string())
    }

    /// 403 `insufficient_scope`, with the scopes that are needed.
    pub fn insufficient_scope(&self) -> Answer {
        let description = "the token lacks a scope that is needed here";
        let challenge = format!(
            "Bearer realm=\"{}\", error=\"insufficient_scope\", error_description=\"{description}\", scope=\"{}\"",
            self.realm, self.scopes
        );
        Answer::problem(403, "Forbidden", description).header("www-authenticate", challenge)
    }
}
