//! What verified claims must say, and what is made of them.

use serde_json::{Map, Value};

use crate::problem::Invalid;

/// Attributes and headers made of one claim have at most this many bytes.
const LARGEST_VALUE: usize = 8_192;

/// What is asked of claims, and where they go.
#[derive(Debug, Default)]
pub struct Rules {
    /// Issuers that are accepted; none: any.
    pub issuers: Option<Vec<String>>,
    /// Audiences of which one must be named; none: not looked at.
    pub audiences: Option<Vec<String>>,
    /// How far clocks may be apart, in milliseconds.
    pub leeway_ms: u64,
    /// Whether `exp` must be there.
    pub require_expiry: bool,
    /// Scopes that must all be there.
    pub required_scopes: Vec<String>,
    /// Claims that go into headers, and the headers' names.
    pub headers: Vec<(String, String)>,
    /// Claims that go into attributes, and the attributes' names.
    pub attributes: Vec<(String, String)>,
}

/// Who sent a request: what is kept of a token once it is verified, ready to be
/// handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// When it holds.
    pub validity: Validity,
    /// `sub`, or nothing.
    pub subject: String,
    /// `iss`, or nothing.
    pub issuer: String,
    /// Its scopes, separated by spaces.
    pub scopes: String,
    /// Whether it has all required scopes.
    pub has_scopes: bool,
    /// The value of each of [`Rules::headers`], where there is one.
    pub headers: Vec<Option<String>>,
    /// The value of each of [`Rules::attributes`], where there is one.
    pub attributes: Vec<Option<String>>,
}

/// When a token holds, in milliseconds since the Unix epoch. The leeway is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From then on.
    not_before_ms: u64,
    /// And no longer then; none: for ever.
    expires_ms: Option<u64>,
}

impl Validity {
    /// Checks that a token holds now.
    ///
    /// # Errors
    /// If it does not yet or no longer.
    pub fn check(self, now_ms: u64) -> Result<(), Invalid> {
        if self.expires_ms.is_some_and(|expires| now_ms >= expires) {
            return Err(Invalid::Expired);
        }
        if now_ms < self.not_before_ms {
            return Err(Invalid::NotYetValid);
        }
        Ok(())
    }
}

impl Identity {
    /// Roughly what it takes in memory beside itself.
    pub fn bytes(&self) -> usize {
        let values = self.headers.iter().chain(&self.attributes).flatten();
        self.subject.len()
            + self.issuer.len()
            + self.scopes.len()
            + values.map(String::len).sum::<usize>()
    }
}

impl Rules {
    /// Judges verified claims. A missing scope is no error: the token is good,
    /// but not for this.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn judge(&self, claims: &Map<String, Value>, now_ms: u64) -> Result<Identity, Invalid> {
        let validity = self.validity(claims)?;
        validity.check(now_ms)?;
        let issuer = text(claims, "iss")?;
        if let Some(accepted) = &self.issuers
            && !accepted.iter().any(|one| one == issuer)
        {
            return Err(Invalid::Issuer);
        }
        if let Some(accepted) = &self.audiences {
            check_audience(claims.get("aud"), accepted)?;
        }
        let scopes = scopes(claims);
        Ok(Identity {
            validity,
            subject: text(claims, "sub")?.to_owned(),
            issuer: issuer.to_owned(),
            has_scopes: self
                .required_scopes
                .iter()
                .all(|required| scopes.contains(&required.as_str())),
            scopes: scopes.join(" "),
            headers: values(claims, &self.headers)?,
            attributes: values(claims, &self.attributes)?,
        })
    }

    fn validity(&self, claims: &Map<String, Value>) -> Result<Validity, Invalid> {
        let expires = match claims.get("exp") {
            Some(value) => Some(milliseconds(value).ok_or(Invalid::Expired)?),
            None if self.require_expiry => return Err(Invalid::Expired),
            None => None,
        };
        let not_before = match claims.get("nbf") {
            Some(value) => milliseconds(value).ok_or(Invalid::NotYetValid)?,
            None => 0,
        };
        Ok(Validity {
            not_before_ms: not_before.saturating_sub(self.leeway_ms),
            expires_ms: expires.map(|expires| expires.saturating_add(self.leeway_ms)),
        })
    }
}

/// A time in milliseconds: a JSON number of seconds since the Unix epoch, not
/// negative, whole or not. A text is none.
fn milliseconds(value: &Value) -> Option<u64> {
    if let Some(seconds) = value.as_u64() {
        return Some(seconds.saturating_mul(1_000));
    }
    let seconds = value.as_f64()?;
    // The conversion saturates: a time beyond all times is still one.
    (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1_000.0) as u64)
}

/// A claim that is a text, or nothing where it is missing.
fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<&'a str, Invalid> {
    match claims.get(name) {
        None => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Invalid::Claims),
    }
}

/// `aud` is a text or a list of texts (RFC 7519, 4.1.3).
fn check_audience(audience: Option<&Value>, accepted: &[String]) -> Result<(), Invalid> {
    let is_accepted = |value: &Value| accepted.iter().any(|one| value == one);
    let found = match audience {
        Some(Value::Array(list)) => {
            list.iter().all(Value::is_string) && list.iter().any(is_accepted)
        }
        Some(one) => is_accepted(one),
        None => false,
    };
    found.then_some(()).ok_or(Invalid::Audience)
}

/// The scopes of `scope`, `scp` and `scopes`, each a text with spaces or a list.
/// What is no scope (RFC 6749, 3.3) is none here either: an entry `a b` of a
/// list gives neither `a` nor `b`.
fn scopes(claims: &Map<String, Value>) -> Vec<&str> {
    let mut scopes = Vec::new();
    for name in ["scope", "scp", "scopes"] {
        match claims.get(name) {
            Some(Value::String(text)) => scopes.extend(text.split(' ')),
            Some(Value::Array(list)) => scopes.extend(list.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    scopes.retain(|scope| is_scope(scope));
    scopes
}

fn is_scope(text: &str) -> bool {
    let mark = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !text.is_empty() && text.bytes().all(mark)
}

/// The values of claims that are handed on, in the order of `names`.
fn values(
    claims: &Map<String, Value>,
    names: &[(String, String)],
) -> Result<Vec<Option<String>>, Invalid> {
    names
        .iter()
        .map(|(claim, _)| match find(claims, claim).and_then(written) {
            Some(value) if !is_usable(&value) => Err(Invalid::Unusable),
            value => Ok(value),
        })
        .collect()
}

/// A claim by its name, or where that begins with `/` by JSON pointer (RFC 6901).
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let unescape = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let (first, rest) = match pointer.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer, None),
    };
    let value = claims.get(&unescape(first))?;
    match rest {
        Some(rest) => value.pointer(&format!("/{rest}")),
        None => Some(value),
    }
}

/// A claim as one line; none where there is nothing. Lists of texts are joined
/// by commas, unless a text holds one: then, as for everything else that is no
/// simple value, it is JSON, so that one entry is never taken for two.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => Some(joined(list).unwrap_or_else(|| value.to_string())),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn joined(list: &[Value]) -> Option<String> {
    let simple = |text: &&str| !text.is_empty() && !text.contains(',');
    let texts: Option<Vec<_>> = list
        .iter()
        .map(|item| item.as_str().filter(simple))
        .collect();
    texts.map(|texts| texts.join(","))
}

/// True if a value reads the same wherever it is handed on to: no control
/// characters, and no spaces around it that a header would lose.
fn is_usable(value: &str) -> bool {
    value.len() <= LARGEST_VALUE && value.trim() == value && !value.chars().any(char::is_control)
}
