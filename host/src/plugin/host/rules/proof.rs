//! What holds of whatever a plugin says of a message.

use http::{HeaderMap, HeaderName, Uri};

use super::{
    LONGEST_PATH, MOST_FIELDS, OF_THE_GATEWAY, append, check, remove, set, status, with_path,
};

/// Any words of a plugin: each is refused, and then nothing changes, or the message
/// has a valid head after it, as an HTTP library reads it.
///
/// `words` are fields to set, to append and to remove in turn, paths and a status.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(words: &[(String, Vec<u8>)], code: u16) {
    let mut headers = HeaderMap::new();
    let mut uri = Uri::from_static("/a?b");
    for (index, (name, value)) in words.iter().enumerate() {
        let before = headers.len();
        let field = check(name, value);
        let done = match index % 3 {
            0 => field.and_then(|field| append(&mut headers, field)),
            1 => field.and_then(|field| set(&mut headers, field)),
            _ => {
                remove(&mut headers, name);
                continue;
            }
        };
        assert!(
            done.is_ok() || headers.len() == before,
            "refused, and changed"
        );
        if let Ok(changed) = with_path(&uri, name) {
            uri = changed;
        }
    }
    assert!(headers.len() <= MOST_FIELDS);
    assert!(headers.keys().all(|name| !OF_THE_GATEWAY.contains(name)));
    assert!(uri.path().starts_with('/') && uri.to_string().len() <= LONGEST_PATH);
    reads_as(&request(&uri, &headers), &headers);
    match status(code) {
        Ok(status) => assert!((200..600).contains(&status.as_u16()) && status.as_u16() == code),
        Err(_) => assert!(!(200..600).contains(&code)),
    }
}

fn request(uri: &Uri, headers: &HeaderMap) -> Vec<u8> {
    let mut head = format!("GET {uri} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head has these fields, no more and no less, and its end is the end.
fn reads_as(head: &[u8], headers: &HeaderMap) {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(head).expect("a valid head");
    assert_eq!(parsed, httparse::Status::Complete(head.len()));
    assert_eq!(request.headers.len(), headers.len());
    for (field, (name, value)) in request.headers.iter().zip(headers) {
        let read = HeaderName::from_bytes(field.name.as_bytes()).expect("a name");
        assert_eq!((&read, field.value), (name, value.as_bytes().trim_ascii()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::holds;

    const NAMES: [&str; 20] = [
        "x-a",
        "X-B",
        "set-cookie",
        "connection",
        "Content-Length",
        "transfer-encoding",
        ":path",
        "",
        "a b",
        "a\r\nb",
        "host",
        "\u{e9}",
        "/x",
        "/x?y",
        "/x#y",
        "/../a",
        "/%2",
        "/%20",
        "/a b",
        "x\0",
    ];

    const VALUES: [&[u8]; 8] = [
        b"a",
        b"",
        b" a\t",
        b"\r\nb: c",
        b"a\0",
        b"\xff",
        b"a, b",
        b"\x7f",
    ];

    fn word() -> impl Strategy<Value = (String, Vec<u8>)> {
        let name = prop_oneof![
            select(&NAMES[..]).prop_map(str::to_owned),
            "[a-z]{1,3}",
            "\\PC{0,6}"
        ];
        let value = prop_oneof![
            select(&VALUES[..]).prop_map(<[u8]>::to_vec),
            vec(any::<u8>(), 0..20),
        ];
        (name, value)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_a_plugin_says_makes_a_valid_head_or_is_refused(
            words in vec(word(), 0..40),
            status: u16,
        ) {
            holds(&words, status);
        }

        #[test]
        fn a_head_stays_within_its_bounds(names in vec("[a-z]{2}", 380..420)) {
            let words: Vec<_> = names.into_iter().map(|name| (name, vec![b'v'])).collect();
            holds(&words, 200);
        }
    }
}
