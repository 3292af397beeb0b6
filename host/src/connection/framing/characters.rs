//! What bytes a head's parts may have.

/// Whether all bytes are so. Does not leave at the first that is not, so that many can
/// be looked at together.
pub(super) fn all(bytes: &[u8], are: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & are(*byte))
}

/// Without spaces and tabs around it (RFC 9110 §5.6.3): other white space is no part of
/// a field, and nobody may find a number or a coding between form feeds.
pub(super) fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', inner @ ..] | [inner @ .., b' ' | b'\t'] = value {
        value = inner;
    }
    value
}

/// A character of a name (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    const TOKENS: [bool; 256] = {
        let mut tokens = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            let special = matches!(
                byte as u8,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
            tokens[byte] = (byte as u8).is_ascii_alphanumeric() || special;
            byte += 1;
        }
        tokens
    };
    TOKENS[usize::from(byte)]
}

/// A character of a value (RFC 9110 §5.5).
pub(super) fn is_content(byte: u8) -> bool {
    (byte >= b' ') & (byte != 0x7f) | (byte == b'\t')
}
