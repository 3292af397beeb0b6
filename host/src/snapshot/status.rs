//! How the last reload ended, and what the plugin directory held then.

use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::Library;

/// How the last reload ended.
#[derive(Debug, Clone)]
pub struct LastReload {
    /// When it ended.
    pub at: SystemTime,
    /// Why nothing was changed; none if it succeeded.
    pub error: Option<String>,
}

/// Written by the reloader, read by the admin listener.
pub struct Status {
    /// How the last reload ended.
    pub last_reload: ArcSwap<LastReload>,
    /// What the plugin directory held then.
    pub library: ArcSwap<Library>,
}

impl Status {
    /// The state after a good start.
    pub fn new(library: Library) -> Self {
        Self {
            last_reload: ArcSwap::from_pointee(LastReload {
                at: SystemTime::now(),
                error: None,
            }),
            library: ArcSwap::from_pointee(library),
        }
    }

    /// Notes a reload.
    pub fn reloaded(&self, error: Option<String>) {
        self.last_reload.store(std::sync::Arc::new(LastReload {
            at: SystemTime::now(),
            error,
        }));
    }
}
