//! The gateway's log. Lines carry the plugin's name, and the route and request
//! id while an exchange is in flight.
//!
//! Lines above 4 KiB are cut; a plugin that writes more than a thousand lines
//! a second loses some, and the log says so.

use crate::host::log as host;

pub use crate::bindings::imports::portcullis::gateway::log::Level;

/// Writes a line of this level.
pub fn write(level: Level, message: impl AsRef<str>) {
    host::write(level, message.as_ref());
}

/// True if lines of this level go anywhere: ask before building a dear one.
pub fn enabled(level: Level) -> bool {
    host::enabled(level)
}

/// Writes a line about a failure that somebody should look at.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message);
}

/// Writes a line about something odd that was coped with.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message);
}

/// Writes a line about something that happens rarely and is worth knowing.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message);
}

/// Writes a line for somebody who looks for a mistake.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message);
}

/// Writes a line for somebody who follows every step.
pub fn trace(message: impl AsRef<str>) {
    write(Level::Trace, message);
}
