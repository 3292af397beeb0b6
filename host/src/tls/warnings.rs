//! What works and still deserves a look.

use crate::config::{Config, Diagnostic, Diagnostics};

/// What `check` warns of, and the log at a start and a reload.
pub fn warnings(config: &Config) -> Diagnostics {
    let mut warnings = Diagnostics::new(&config.file);
    for service in &config.services {
        let Some(tls) = service.tls.as_ref().filter(|tls| tls.insecure_skip_verify) else {
            continue;
        };
        let key = format!("{}.insecure_skip_verify", tls.key);
        let message = "whoever is between the gateway and the service can read and change all";
        let warning = Diagnostic::new(tls.at, key, message);
        warnings.push(warning.hint("name the authority's certificate with `ca` instead"));
    }
    warnings
}
