//! Where a request carries its token: a header, a cookie, a query parameter.

use portcullis_sdk::{cookie, prelude::*, query};

use crate::problem::Invalid;

/// The places that are looked at, in this order; the first that has a token
/// counts.
#[derive(Debug)]
pub struct Source {
    /// Lower-case.
    pub header: String,
    /// The word before the token in the header; empty: none.
    pub scheme: String,
    /// A cookie's name.
    pub cookie: Option<String>,
    /// A query parameter's name.
    pub query: Option<String>,
}

impl Source {
    /// The token of a request, if it carries one.
    ///
    /// # Errors
    /// If one place has more than one: two readers might each take another.
    pub fn find(&self, exchange: &Exchange) -> Result<Option<Vec<u8>>, Invalid> {
        let mut values = exchange.request_header_values(&self.header);
        if values.len() > 1 {
            return Err(Invalid::Ambiguous);
        }
        if let Some(mut value) = values.pop()
            && let Some(start) = after_scheme(&value, &self.scheme)
        {
            value.drain(..start);
            return Ok(Some(value));
        }
        match self.cookie(exchange)? {
            None => self.query(exchange),
            token => Ok(token),
        }
    }

    /// Removes the token from what goes upstream, wherever it is.
    ///
    /// # Errors
    /// If the gateway refuses to.
    pub fn remove(&self, exchange: &mut Exchange) -> Result<()> {
        let values = exchange.request_header_values(&self.header);
        if values
            .iter()
            .any(|value| after_scheme(value, &self.scheme).is_some())
        {
            exchange.remove_request_header(&self.header);
        }
        if let Some(name) = &self.cookie {
            remove_cookie(exchange, name)?;
        }
        if let Some(name) = &self.query
            && let Some(query) = exchange.query()
        {
            let found = query::find(&query, name);
            if !found.values.is_empty() {
                let path = exchange.path();
                exchange.set_path(&format!("{path}?{}", found.rest))?;
            }
        }
        Ok(())
    }

    fn cookie(&self, exchange: &Exchange) -> Result<Option<Vec<u8>>, Invalid> {
        let Some(name) = &self.cookie else {
            return Ok(None);
        };
        let headers = exchange.request_header_values("cookie");
        let found = headers
            .iter()
            .flat_map(|header| cookie::values(header, name));
        only(found.map(<[u8]>::to_vec))
    }

    fn query(&self, exchange: &Exchange) -> Result<Option<Vec<u8>>, Invalid> {
        let Some(name) = &self.query else {
            return Ok(None);
        };
        let Some(query) = exchange.query() else {
            return Ok(None);
        };
        let found = query::find(&query, name);
        only(found.values.into_iter().map(|value| value.into_owned()))
    }
}

/// Where the token begins in a header's value; none if the value is of another
/// scheme. The scheme's case does not matter (RFC 9110, 11.1).
fn after_scheme(value: &[u8], scheme: &str) -> Option<usize> {
    if scheme.is_empty() {
        return (!value.is_empty()).then_some(0);
    }
    let (word, rest) = value.split_at_checked(scheme.len())?;
    if !word.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    (spaces > 0 || rest.is_empty()).then_some(scheme.len() + spaces)
}

/// The only one, or none.
fn only<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Invalid> {
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Invalid::Ambiguous),
    }
}

fn remove_cookie(exchange: &mut Exchange, name: &str) -> Result<()> {
    let fields = exchange.request_header_values("cookie");
    if !fields
        .iter()
        .any(|field| cookie::without(field, name).is_some())
    {
        return Ok(());
    }
    exchange.remove_request_header("cookie");
    for field in fields {
        let rest = cookie::without(&field, name).unwrap_or(field);
        if !rest.is_empty() {
            exchange.append_request_header("cookie", rest)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_a_word_of_its_own_in_any_case() {
        for (value, scheme, expected) in [
            ("Bearer abc", "Bearer", Some("abc")),
            ("bearer abc", "Bearer", Some("abc")),
            ("BEARER   abc", "Bearer", Some("abc")),
            ("Bearer", "Bearer", Some("")),
            ("Bearer ", "Bearer", Some("")),
            ("Bearerabc", "Bearer", None),
            ("Basic abc", "Bearer", None),
            ("Bear", "Bearer", None),
            ("", "Bearer", None),
            ("Bearer a b", "Bearer", Some("a b")),
            ("abc", "", Some("abc")),
            ("", "", None),
        ] {
            let start = after_scheme(value.as_bytes(), scheme);
            assert_eq!(start.map(|start| &value[start..]), expected, "{value}");
        }
    }
}
