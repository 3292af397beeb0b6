//! Lets plugins start: the hook that comes before the first request.

use std::{cell::OnceCell, sync::Arc};

use crate::{
    config::Config,
    discovery::Registry,
    outbound::{Errands, Neighbours},
    plugin::{Configured, Instance, PluginError},
    tls::Clients,
};

/// Lets the plugins of one configuration start, which may ask services of it that
/// are not applied yet.
pub(super) struct Starter<'a> {
    pub(super) errands: &'a Errands,
    pub(super) running: Arc<Registry>,
    pub(super) config: &'a Config,
    pub(super) clients: &'a Clients,
    /// The services of `config`, made when somebody starts.
    pub(super) coming: OnceCell<Arc<Registry>>,
}

impl Starter<'_> {
    /// Lets a plugin start, unless it has with this configuration. Blocks, for as
    /// long as the plugin's `start_timeout`.
    pub(super) fn start(
        &self,
        configured: &Configured,
        instance: &mut Instance,
    ) -> Result<(), PluginError> {
        if !configured.awaits_start() {
            return Ok(());
        }
        let neighbours = Neighbours {
            running: Arc::clone(&self.running),
            coming: Arc::clone(self.coming.get_or_init(|| self.apart())),
        };
        let started = self.errands.run(neighbours, || instance.on_start());
        started.unwrap_or_else(|| Err(configured.not_called("could not be called")))?;
        configured.started();
        Ok(())
    }

    /// The services as they will be. What is wrong with them is found, and said,
    /// when they are applied.
    fn apart(&self) -> Arc<Registry> {
        let registry = Registry::new();
        if let Err(errors) = registry.apply(&self.config.services, self.clients) {
            tracing::debug!(?errors, "plugins start without the services");
        }
        Arc::new(registry)
    }
}
