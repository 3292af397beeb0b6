//! Reader of what a route matches.

use http::{HeaderName, HeaderValue, Method};

use super::{
    Match, PathPattern, diagnostic::quoted, host::host, reader::Item, scalar, scalar::text,
};

/// `match: { host, path, methods, headers, query }`.
pub(super) fn matching(item: &Item<'_>) -> Option<Match> {
    let fields = item.fields(&["host", "path", "methods", "headers", "query"])?;
    let mut complete = true;
    let mut part = |present: bool| complete &= present;
    let host = fields.get("host").map(|item| host(&item));
    part(host != Some(None));
    let path = fields.get("path").map(|item| path(&item));
    part(path != Some(None));
    let methods = fields.get("methods").map(|item| methods(&item));
    part(methods != Some(None));
    let headers = fields.get("headers").map(|item| headers(&item));
    part(headers != Some(None));
    let query = fields.get("query").map(|item| query(&item));
    part(query != Some(None));
    // A match with a part missing would match more than was meant, and be
    // reported as being like another.
    complete.then(|| Match {
        host: host.flatten(),
        path: path.flatten(),
        methods: methods.flatten().unwrap_or_default(),
        headers: headers.flatten().unwrap_or_default(),
        query: query.flatten().unwrap_or_default(),
    })
}

fn path(item: &Item<'_>) -> Option<PathPattern> {
    let text = text(item)?;
    match text.parse::<PathPattern>() {
        Ok(pattern) => Some(pattern),
        Err(error) => item.mistake(
            format!("{} is not a path pattern: {error}", item.shown(text)),
            error.hint(),
        ),
    }
}

fn methods(item: &Item<'_>) -> Option<Vec<Method>> {
    let items = item.list("`[GET, POST]`")?;
    if items.is_empty() {
        return item.mistake(
            "an empty list matches nothing",
            "leave it out to match every method",
        );
    }
    let mut methods = Vec::with_capacity(items.len());
    for item in &items {
        let method = method(item)?;
        if methods.contains(&method) {
            return item.mistake(format!("`{method}` is there twice"), "keep one of them");
        }
        methods.push(method);
    }
    Some(methods)
}

fn method(item: &Item<'_>) -> Option<Method> {
    let text = text(item)?;
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if upper == text => Some(method),
        Ok(_) => item.mistake(
            format!("{} is not in capitals", item.shown(text)),
            format!("methods differ by case: write {}", quoted(&upper)),
        ),
        Err(_) => item.mistake(
            format!("{} is not a method", item.shown(text)),
            "such as `GET` or `POST`",
        ),
    }
}

fn headers(item: &Item<'_>) -> Option<Vec<(HeaderName, String)>> {
    let mut headers = Vec::new();
    for (entry, item) in item.entries("`{ x-version: \"2\" }`")? {
        let Ok(name) = HeaderName::from_bytes(entry.key.as_bytes()) else {
            let message = format!("{} is not the name of a header", quoted(&entry.key));
            return item.mistake_at(
                entry.at,
                message,
                "letters, digits and `-`, such as `x-version`",
            );
        };
        let value = text(&item)?;
        if HeaderValue::from_str(value).is_err() {
            let message = format!("{} is not the value of a header", item.shown(value));
            return item.mistake(message, "visible ASCII characters, or `*` for any value");
        }
        if headers.iter().any(|(other, _)| *other == name) {
            return item.mistake_at(
                entry.at,
                format!("`{name}` is there twice"),
                "case does not matter in names",
            );
        }
        headers.push((name, value.to_owned()));
    }
    Some(headers)
}

fn query(item: &Item<'_>) -> Option<Vec<(String, String)>> {
    let entries = item.entries("`{ version: \"2\" }`")?;
    let pairs = entries.into_iter().map(|(entry, item)| {
        let value = scalar::text(&item)?;
        Some((entry.key.clone(), value.to_owned()))
    });
    pairs.collect()
}
