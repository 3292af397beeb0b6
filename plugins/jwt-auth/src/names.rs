//! Names of headers and attributes in the configuration.

/// Fields that the gateway owns: setting them would fail with every request.
const OWNED: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// A header's name in lower case.
///
/// # Errors
/// If it is no header's name (RFC 9110, 5.1), or one that the gateway owns.
pub fn header(key: &str, name: &str) -> Result<String, String> {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || mark(byte));
    if !is_token {
        return Err(format!(
            "`{key}`: `{}` is not a header's name",
            name.escape_debug()
        ));
    }
    let name = name.to_ascii_lowercase();
    if OWNED.contains(&name.as_str()) {
        return Err(format!("`{key}`: the gateway itself owns `{name}`"));
    }
    Ok(name)
}

/// Checks an attribute's name: dotted lower-case words, at most 128 bytes.
///
/// # Errors
/// If it is none.
pub fn attribute(key: &str, name: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
            })
    };
    if name.len() <= 128 && name.split('.').all(is_word) {
        return Ok(());
    }
    Err(format!(
        "`{key}`: `{}` is not an attribute's name: write dotted lower-case words, such as `user.email`",
        name.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(header("k", "X-User").as_deref(), Ok("x-user"));
        for name in [
            "",
            "x user",
            "x:y",
            ":path",
            "x\n",
            "Host",
            "Transfer-Encoding",
            "ä",
        ] {
            assert!(header("k", name).is_err(), "{name}");
        }
        for (name, good) in [
            ("user", true),
            ("user.email", true),
            ("auth.tenant-id_2", true),
            ("", false),
            ("User", false),
            ("user.", false),
            (".user", false),
            ("user email", false),
            ("1user", false),
        ] {
            assert_eq!(attribute("k", name).is_ok(), good, "{name}");
        }
    }
}
