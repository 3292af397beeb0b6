//! What a filter says at the end of a hook, and the answer it may give.

use std::{any::Any, borrow::Cow, fmt, rc::Rc};

use serde::Serialize;

use crate::{Refusal, host};

/// What a filter says at the end of its request or response hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on: to the next filter, or to the upstream, or to the client.
    Next,
    /// Stop here and send this answer. From the request hook it runs back
    /// through the filters before this one; from the response hook it replaces
    /// the response.
    Respond(Answer),
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        Self::Respond(answer)
    }
}

/// An answer of the filter's own: status, header fields, body.
///
/// The gateway checks it when the hook ends, as it checks a client's input: a
/// status outside of 200 to 599, an invalid header or a body above 1 MiB is
/// the filter's failure.
///
/// ```
/// use portcullis_sdk::Answer;
///
/// let answer = Answer::new(302).header("location", "/sign-in");
/// assert_eq!(answer.status(), 302);
/// assert_eq!(answer.header_text("location"), Some("/sign-in"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    body: Vec<u8>,
    /// What comes after `body` from elsewhere, each with the bytes after it.
    streams: Vec<(Rest, Vec<u8>)>,
}

impl Answer {
    /// An answer with this status, no header fields and an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            streams: Vec::new(),
        }
    }

    /// A problem in the words of RFC 9457: a JSON body with `type`
    /// (`about:blank`), `title`, `status` and `detail`, sent as
    /// `application/problem+json`. `detail` is for the client: name nothing in
    /// it that the client must not know.
    ///
    /// ```
    /// use portcullis_sdk::Answer;
    ///
    /// let answer = Answer::problem(429, "Too Many Requests", "try again in 3 s")
    ///     .header("retry-after", "3");
    /// assert_eq!(answer.header_text("content-type"), Some("application/problem+json"));
    /// ```
    pub fn problem(status: u16, title: impl AsRef<str>, detail: impl AsRef<str>) -> Self {
        let problem = Problem {
            kind: "about:blank",
            title: title.as_ref(),
            status,
            detail: detail.as_ref(),
        };
        let body = serde_json::to_vec(&problem).expect("invariant: strings and numbers are JSON");
        Self::new(status)
            .header("content-type", "application/problem+json")
            .body(body)
    }

    /// Adds a header field. A name may be added more than once.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body. Without a `content-type` it goes out without one.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.streams.clear();
        self
    }

    /// Adds to the body: bytes, text, or an [`http::Response`](crate::http::Response),
    /// of which what has not been read goes to the client as it comes, without
    /// passing through the plugin. An answer with such a part can be given once.
    #[must_use]
    pub fn part(mut self, part: impl Into<Part>) -> Self {
        let part = part.into();
        match self.streams.last_mut() {
            Some((_, after)) => after.extend(part.bytes),
            None => self.body.extend(part.bytes),
        }
        self.streams
            .extend(part.rest.map(|rest| (rest, Vec::new())));
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (&**name, value.as_slice()))
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The first value of a header as text; none if it is absent or not UTF-8.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header_value(name)?).ok()
    }

    /// The body, up to the first part that was not read.
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// [`body_bytes`](Self::body_bytes) as text; bytes that are not UTF-8 are replaced.
    pub fn body_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// What was not read, each with the bytes after it.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (&Rest, &[u8])> {
        let streams = self.streams.iter();
        streams.map(|(rest, after)| (rest, after.as_slice()))
    }

    /// Hands it over to the gateway.
    pub(crate) fn respond(&self) -> Result<(), Refusal> {
        if let Some((rest, _)) = self.streams.first() {
            return (rest.respond)(self);
        }
        let headers: Vec<(&str, &[u8])> = self.headers().collect();
        host::exchange::respond(self.status, &headers, &self.body)
    }
}

/// A part of an answer's body, for [`Answer::part`].
#[derive(Debug, Clone)]
pub struct Part {
    bytes: Vec<u8>,
    rest: Option<Rest>,
}

impl Part {
    /// Bytes that are there.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            rest: None,
        }
    }

    /// Bytes that are there, and then some that are not yet.
    pub(crate) fn rest(bytes: Vec<u8>, rest: Rest) -> Self {
        Self {
            bytes,
            rest: Some(rest),
        }
    }
}

macro_rules! from_bytes {
    ($($bytes:ty),*) => {$(
        impl From<$bytes> for Part {
            fn from(bytes: $bytes) -> Self {
                Self::bytes(bytes)
            }
        }
    )*};
}

from_bytes!(Vec<u8>, String, &str, &[u8]);

/// How an answer with parts that were not read is handed over.
type Respond = fn(&Answer) -> Result<(), Refusal>;

/// What has not been read yet of somebody else's answer. Its type, and what can
/// be done with it, are left to the module that makes it: an answer without
/// such parts must not import what they need.
#[derive(Clone)]
pub(crate) struct Rest {
    call: Rc<dyn Any>,
    respond: Respond,
}

impl Rest {
    pub(crate) fn new(call: Rc<dyn Any>, respond: Respond) -> Self {
        Self { call, respond }
    }

    pub(crate) fn call(&self) -> &dyn Any {
        &*self.call
    }
}

/// The same one.
impl PartialEq for Rest {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.call, &other.call)
    }
}

impl Eq for Rest {}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

/// The members of a problem, in the order in which people read them.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_json_with_its_own_type() {
        let answer = Answer::problem(503, "Service Unavailable", "say \"when\"");
        assert_eq!(answer.status(), 503);
        assert_eq!(
            answer.body_text(),
            r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"say \"when\""}"#
        );
    }

    #[test]
    fn names_are_found_in_any_case_and_the_first_value_wins() {
        let answer = Answer::new(200)
            .header("X-A", "1")
            .header("x-a", "2")
            .header("x-b", [0xff]);
        assert_eq!(answer.header_text("x-A"), Some("1"));
        assert_eq!(answer.header_text("x-b"), None);
        assert_eq!(answer.header_value("x-b"), Some(&[0xff][..]));
    }

    #[test]
    fn parts_of_bytes_add_up_and_a_body_replaces_them() {
        let answer = Answer::new(200)
            .part("a")
            .part(vec![b'b'])
            .part("c".to_owned());
        assert_eq!(answer, Answer::new(200).body("abc"));
        assert_eq!(answer.body("d").body_text(), "d");
    }
}
