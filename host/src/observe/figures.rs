//! What a scrape finds at others, who keep it.

/// An instance's health, as a scrape finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceHealth {
    /// The service's name.
    pub service: String,
    /// The instance's id.
    pub instance: String,
    /// True if it may be picked.
    pub healthy: bool,
}

/// How long a certificate lasts, as a scrape finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateExpiry {
    /// Its file.
    pub file: String,
    /// Seconds until it expires; below 0 when it has.
    pub seconds: i64,
}

/// How many configurations of a plugin are treated otherwise than usual, as a
/// scrape finds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PluginUses {
    /// They are not called.
    pub quarantined: u64,
    /// They take long, and are called aside.
    pub slow: u64,
}

/// The size of the plugins' shared state, as a scrape finds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateFigures {
    /// Entries of the counters.
    pub counters: u64,
    /// Entries of the counters that had to go before their time.
    pub counter_evictions: u64,
    /// Values in the store.
    pub values: u64,
    /// What they take, in bytes.
    pub value_bytes: u64,
    /// Values that had to go before their time.
    pub value_evictions: u64,
}
