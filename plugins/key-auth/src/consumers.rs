//! Who holds which key.
//!
//! Keys are kept and compared as salted SHA-256 digests only: how long a look-up
//! takes depends on the digest of what was sent, from which nobody can work
//! back to a key, and never on how much of a key was guessed right.

use portcullis_sdk::crypto::{self, DigestAlgorithm};

use crate::config::ConsumerConfig;

/// A salted SHA-256 digest.
type Digest = [u8; 32];

/// A consumer, as it is shown upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Its groups, separated by commas.
    pub groups: String,
    /// Whether it is in a group that may pass.
    pub allowed: bool,
}

/// All consumers, by the digests of their keys.
pub struct Consumers {
    /// Of this instance alone, so that digests tell nothing to who knows the
    /// digests of common keys.
    salt: [u8; 16],
    /// Ordered by digest.
    keys: Vec<(Digest, usize)>,
    consumers: Vec<Consumer>,
}

impl Consumers {
    /// Takes the consumers of a configuration.
    ///
    /// # Errors
    /// Two consumers of one name, or a key that two consumers share: whose
    /// request it is could not be told.
    pub fn new(
        configs: &[ConsumerConfig],
        allowed_groups: Option<&[String]>,
        salt: [u8; 16],
    ) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            if configs[..index]
                .iter()
                .any(|other| other.name == config.name)
            {
                return Err(format!("two consumers are named `{}`", config.name));
            }
            keys.extend(
                config
                    .all_keys()
                    .map(|key| (digest(&salt, key.as_bytes()), index)),
            );
        }
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (one, other) = (&configs[pair[0].1].name, &configs[pair[1].1].name);
            return Err(format!(
                "consumers `{one}` and `{other}` have the same key, or one has it twice"
            ));
        }
        Ok(Self {
            salt,
            keys,
            consumers: configs
                .iter()
                .map(|config| Consumer::new(config, allowed_groups))
                .collect(),
        })
    }

    /// The consumer who holds this key.
    pub fn find(&self, key: &[u8]) -> Option<&Consumer> {
        let digest = digest(&self.salt, key);
        // Unknown keys are compared with somebody's all the same, so that both
        // ways take the same steps.
        let place = self.keys.partition_point(|(known, _)| *known < digest);
        let (known, index) = self.keys.get(place).or(self.keys.last())?;
        let equal = crypto::constant_time_equal(known, digest);
        equal.then(|| &self.consumers[*index])
    }
}

impl Consumer {
    fn new(config: &ConsumerConfig, allowed_groups: Option<&[String]>) -> Self {
        let groups: Vec<_> = config.groups.iter().map(|group| group.0.as_str()).collect();
        Self {
            name: config.name.clone(),
            allowed: allowed_groups
                .is_none_or(|allowed| allowed.iter().any(|group| groups.contains(&group.as_str()))),
            groups: groups.join(","),
        }
    }
}

fn digest(salt: &[u8; 16], key: &[u8]) -> Digest {
    let mut salted = Vec::with_capacity(salt.len() + key.len());
    salted.extend_from_slice(salt);
    salted.extend_from_slice(key);
    let digest = crypto::digest(DigestAlgorithm::Sha256, &salted);
    digest
        .try_into()
        .expect("invariant: SHA-256 digests have 32 bytes")
}
