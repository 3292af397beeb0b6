//! What a filter says at the end of a hook, and the answer it may give.

use std::borrow::Cow;

use serde::Serialize;

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
}

impl Answer {
    /// An answer with this status, no header fields and an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
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

    /// The body.
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn body_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
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
}
