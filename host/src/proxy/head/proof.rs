//! What holds of any head that the HTTP library hands on.

use http::{HeaderName, Method, Request, Version, header, request::Parts};

use super::check;

/// Any bytes as a head, over HTTP/1.1 or as from HTTP/2: it is refused, or has one
/// host, one framing and a path, and is accepted again just so.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(bytes: &[u8], version: Version) {
    let Some(parts) = parts(bytes, version) else {
        return;
    };
    let Ok(head) = check(parts) else {
        return;
    };
    assert!(head.method != Method::CONNECT && head.method != Method::TRACE);
    assert!(head.uri.authority().is_none() && head.uri.scheme().is_none());
    assert!(head.uri.path().starts_with('/') || head.uri.path() == "*");
    let foreign = |byte: u8| !byte.is_ascii_graphic() || byte == b'\\';
    // Over HTTP/1.1 the framing comes before.
    assert!(version != Version::HTTP_2 || !head.uri.to_string().bytes().any(foreign));
    assert_eq!(*head.host, *head.host.to_ascii_lowercase());
    assert!(!head.host.is_empty() && !head.host.contains(['@', '/', '"', '\\', ' ']));
    // Nobody stands before it.
    let field = head.host_field.as_bytes().to_ascii_lowercase();
    assert!(field.starts_with(head.host.as_bytes()));
    let count = |name: HeaderName| head.headers.get_all(name).iter().count();
    assert!(count(header::HOST) <= 1 && count(header::TRANSFER_ENCODING) <= 1);
    assert!(count(header::TRANSFER_ENCODING) == 0 || count(header::CONTENT_LENGTH) == 0);
    if let Some(host) = head.headers.get(header::HOST) {
        assert!(
            host.as_bytes()
                .eq_ignore_ascii_case(head.host_field.as_bytes())
        );
    }
    let names = head.headers.keys().map(HeaderName::as_str);
    assert!(!names.into_iter().any(|name| name.contains(['_', '.'])));
    // What goes on would be taken again, as it is.
    let mut again = Request::new(());
    *again.method_mut() = head.method;
    *again.uri_mut() = head.uri.clone();
    *again.headers_mut() = head.headers.clone();
    again.headers_mut().insert(header::HOST, head.host_field);
    let again = check(again.into_parts().0).expect("a good head is good again");
    assert_eq!(
        (again.uri, again.host, again.matched),
        (head.uri, head.host, head.matched)
    );
}

/// An input of the fuzz target, over both versions.
pub(crate) fn fuzzed(input: &[u8]) {
    holds(input, Version::HTTP_11);
    holds(input, Version::HTTP_2);
}

/// A head as the library makes it of bytes.
fn parts(bytes: &[u8], version: Version) -> Option<Parts> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut fields);
    if !parsed.parse(bytes).ok()?.is_complete() {
        return None;
    }
    let mut request = Request::builder()
        .method(parsed.method?)
        .uri(parsed.path?)
        .version(version);
    for field in parsed.headers.iter() {
        request = request.header(field.name, field.value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

#[cfg(test)]
mod tests {
    use http::uri::Authority;
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{
        super::{is_host, is_port, plain_name},
        *,
    };

    const TARGETS: [&str; 12] = [
        "/",
        "/a/../b?c",
        "/%61;x",
        "*",
        "http://a/b",
        "http://B:80",
        "http://u@a/",
        "a:80",
        "//a",
        "/..",
        "https://[::1]/x",
        "http://a?b",
    ];

    const FIELDS: [&str; 20] = [
        "host: a",
        "Host: A:80",
        "host: [::1]:80",
        "host: u@a",
        "host:",
        "host: a b",
        "host: \"a\"",
        "content-length: 3",
        "transfer-encoding: chunked",
        "Transfer-Encoding: CHUNKED",
        "transfer-encoding: gzip",
        "x_user: a",
        "x.user: b",
        "x-user: c",
        "cookie: a=b",
        "cookie: c=d",
        "connection: close",
        "host: a.",
        "host: a:",
        "host: \u{e9}",
    ];

    #[test]
    fn what_fuzzing_has_left_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/head");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            fuzzed(&std::fs::read(path).expect("a file"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn a_host_that_is_beyond_doubt_is_the_same_to_the_library(
            field in "[a-zA-Z0-9.:\\-_%@\\[\\]]{0,12}|[a-z.]{1,8}:?[0-9]{0,6}",
        ) {
            if let Some(name) = plain_name(field.as_bytes()) {
                let known = Authority::try_from(field.as_bytes()).expect("an authority");
                assert_eq!(known.host(), name);
                assert!(is_host(name) && is_port(&field[name.len()..]), "{field}");
            }
        }

        #[test]
        fn a_head_is_refused_or_has_one_meaning(
            method in select(&["GET", "OPTIONS", "CONNECT", "TRACE", "x"][..]),
            target in prop_oneof![select(&TARGETS[..]).prop_map(str::to_owned), "/\\PC*"],
            fields in vec(select(&FIELDS[..]), 0..6),
            version in select(&[Version::HTTP_11, Version::HTTP_2][..]),
        ) {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let head = format!("{method} {target} HTTP/1.1\r\n{fields}\r\n");
            holds(head.as_bytes(), version);
        }
    }
}
