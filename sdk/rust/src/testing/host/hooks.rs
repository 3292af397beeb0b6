//! `hooks`: what the plugin configured last has no use for.

use super::with;
pub(crate) use crate::bindings::imports::portcullis::gateway::hooks::Hook;

pub(crate) fn skip(hook: Hook) {
    with(|state| state.skipped.push(hook));
}
