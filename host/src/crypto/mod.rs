//! Signatures and digests for plugins, since a public-key operation in a
//! sandbox costs forty times as much.
//!
//! Owns [`VerificationKey`]: parsed once, at configuration, from a secret, a
//! PEM text or a JSON Web Key, and from then on usable with the algorithms of
//! its own family only. A public key can thus never serve as an HMAC secret,
//! whatever a token's header says. All cryptography is `ring`'s.
//!
//! Refuses private keys, keys for encryption, and RSA keys below 2,048 bits.
//! Knows nothing of tokens: claims and headers are the plugin's business.
//! Called by `plugin` on behalf of guests; nothing here blocks or waits.

mod algorithm;
mod digest;
mod jwk;
mod key;
mod pem;
#[cfg(test)]
mod vectors;

pub use algorithm::Algorithm;
pub use digest::{DigestAlgorithm, constant_time_equal, digest};
pub use key::{KeyError, VerificationKey};
