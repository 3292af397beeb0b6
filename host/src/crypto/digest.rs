//! Digests and comparison in constant time.

use ring::digest as implementation;
use subtle::ConstantTimeEq;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256: 32 bytes.
    Sha256,
    /// SHA-384: 48 bytes.
    Sha384,
    /// SHA-512: 64 bytes.
    Sha512,
}

/// The digest of some bytes.
pub fn digest(algorithm: DigestAlgorithm, data: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        DigestAlgorithm::Sha256 => &implementation::SHA256,
        DigestAlgorithm::Sha384 => &implementation::SHA384,
        DigestAlgorithm::Sha512 => &implementation::SHA512,
    };
    implementation::digest(algorithm, data).as_ref().to_vec()
}

/// True if both are equal, in time that depends on their lengths only.
pub fn constant_time_equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_abc_are_those_of_fips_180() {
        for (algorithm, length, first) in [
            (DigestAlgorithm::Sha256, 32, [0xba, 0x78, 0x16, 0xbf]),
            (DigestAlgorithm::Sha384, 48, [0xcb, 0x00, 0x75, 0x3f]),
            (DigestAlgorithm::Sha512, 64, [0xdd, 0xaf, 0x35, 0xa1]),
        ] {
            let digest = digest(algorithm, b"abc");
            assert_eq!((digest.len(), &digest[..4]), (length, &first[..]));
        }
    }

    #[test]
    fn compares_contents_and_lengths() {
        for (a, b, equal) in [
            ("", "", true),
            ("ab", "ab", true),
            ("ab", "ac", false),
            ("a", "ab", false),
        ] {
            assert_eq!(
                constant_time_equal(a.as_bytes(), b.as_bytes()),
                equal,
                "{a} {b}"
            );
        }
    }
}
