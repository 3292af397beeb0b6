//! Writes into a plugin's file what the plugin says of itself.

use super::{LoadError, Runtime, description};

/// The bytes of a plugin with its description inside: the plugin is run once to
/// describe itself. What an earlier run has written is replaced; equal plugins
/// give equal bytes. None if the plugin says nothing of itself.
///
/// # Errors
///
/// The bytes are no plugin, or what it says cannot be used.
pub fn describe(runtime: &Runtime, name: &str, bytes: &[u8]) -> Result<Option<Vec<u8>>, LoadError> {
    let mut plain = description::strip(bytes)?;
    let plugin = runtime.load(name, &plain)?;
    if !plugin.hooks().metadata {
        return Ok(None);
    }
    description::append(&mut plain, plugin.description())?;
    Ok(Some(plain))
}
