//! `portcullis check`: all that a start does, up to the sockets, and what it
//! finds told for people.

use std::{fmt, path::Path, sync::Arc};

use crate::{
    config::{Capability, Config, Diagnostics, Step},
    plugin::{Compiler, Plugin},
};

use super::{
    StartError,
    reload::{Environment, builder, library, read, runtime},
};

/// What `check` found.
pub struct Checked {
    routes: usize,
    services: usize,
    plugins: usize,
    /// What each use of a plugin makes use of, in words.
    granted: Vec<String>,
    /// What works and still deserves a look.
    warnings: Diagnostics,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            routes,
            services,
            plugins,
            granted,
            warnings,
        } = self;
        write!(
            f,
            "good: {routes} routes, {services} services, {plugins} plugins"
        )?;
        granted
            .iter()
            .try_for_each(|line| write!(f, "\n  {line}"))?;
        match warnings.is_empty() {
            true => Ok(()),
            false => write!(f, "\nwarnings:\n{warnings}"),
        }
    }
}

/// What the uses of plugins are granted of what they want.
fn granted(config: &Config, plugins: &[Arc<Plugin>]) -> Vec<String> {
    let line = |(kind, name, step): (&str, &str, &Step)| {
        let plugin = plugins.iter().find(|plugin| plugin.name() == step.plugin)?;
        let mut wanted = plugin.capabilities();
        // What it is not granted, it does without, or it would not have loaded.
        wanted.retain(|wanted| step.allow.has(*wanted));
        let shown = wanted.iter().map(|wanted| {
            let (services, reach) = (step.allow.services(), step.allow.reach());
            match (wanted, services, reach) {
                (Capability::Discovery, Some(services), _) => {
                    let services: Vec<&str> = services.iter().map(String::as_str).collect();
                    format!("discovery of {}", services.join(" and "))
                }
                (Capability::Http, _, Some(reach)) => {
                    format!("http to {}", reach.shown().join(" and "))
                }
                (Capability::Http, _, None) => "http to every service and public host".to_owned(),
                _ => wanted.name().to_owned(),
            }
        });
        let shown: Vec<String> = shown.collect();
        (!shown.is_empty()).then(|| {
            format!(
                "{kind} {name}: {} may use {}",
                step.plugin,
                shown.join(", ")
            )
        })
    };
    config.steps().filter_map(line).collect()
}

/// Does all that a start does, up to the sockets.
///
/// # Errors
///
/// Every mistake in the configuration and in what plugins say of theirs.
pub fn check(
    file: &Path,
    environment: &Environment,
    compiler: Compiler,
) -> Result<Checked, StartError> {
    let (config, mistakes) = read(file, environment).map_err(StartError::Config)?;
    let runtime = runtime(&config, compiler).map_err(StartError::Runtime)?;
    let plugins = &config.plugins;
    let library = library(&runtime, &plugins.directory, plugins.file_size);
    let mut builder = builder(&config);
    // What a plugin does when it starts is done for real, and not to try.
    builder.errands = None;
    let draft = builder
        .draft(Arc::clone(&config), &library, mistakes)
        .map_err(StartError::Config)?;
    builder.apply(&draft).map_err(StartError::Config)?;
    Ok(Checked {
        routes: config.routes.len(),
        services: config.services.len(),
        plugins: draft.plugins().len(),
        granted: granted(&config, draft.plugins()),
        warnings: draft.warnings(),
    })
}
