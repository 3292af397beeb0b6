//! What can be wrong with a plugin: when it is loaded, when it is configured,
//! and when it is called.

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::config::Capability;

use super::CompileError;

/// Why the plugin runtime cannot work on this machine.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Wasmtime refuses the machine or the settings.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// The thread that keeps deadlines cannot be started.
    #[error("cannot start the thread that keeps plugins' deadlines: {0}")]
    Ticker(std::io::Error),
}

/// Why some bytes are no plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// More bytes than a plugin may have.
    #[error("has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What it has.
        size: u64,
        /// What it may have.
        limit: u64,
    },
    /// No bytes at all: often a copy that has just begun.
    #[error("is empty")]
    Empty,
    /// Not WebAssembly.
    #[error("is not WebAssembly")]
    NotWasm,
    /// A core module, not a component.
    #[error(
        "is a core module, not a component; build it with `--target wasm32-wasip2`, \
         or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Machine code from elsewhere, which cannot be trusted.
    #[error("is precompiled machine code, which is never accepted; use the .wasm file")]
    Precompiled,
    /// A component that does not validate or compile, or a truncated one.
    #[error("is malformed: {0}")]
    Malformed(String),
    /// It has none of the gateway's hooks.
    #[error("exports none of the hooks of portcullis:gateway ({})", .expected.join(", "))]
    NoHook {
        /// The interfaces of which at least one has to be there.
        expected: Vec<&'static str>,
    },
    /// It needs what no gateway has.
    #[error("imports what the gateway does not have: {}", .0.join(", "))]
    UnknownImports(Vec<String>),
    /// An export has another type than the interface says.
    #[error("exports `{export}` with a wrong signature: {reason}")]
    Signature {
        /// The function, with its interface.
        export: String,
        /// What is different.
        reason: String,
    },
    /// Compiling it takes too much, or failed for another reason than the file.
    #[error("cannot be compiled: {0}")]
    Compile(CompileError),
    /// The description in the file cannot be used.
    #[error("has a description that cannot be used: {0}")]
    Description(String),
    /// It cannot describe itself.
    #[error("cannot describe itself: {0}")]
    Describe(PluginError),
}

/// Why a plugin cannot be used with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// The step's `allow` lacks what the plugin imports.
    #[error("needs what is not granted: {}", .imports.join(", "))]
    Ungranted {
        /// The imports.
        imports: Vec<String>,
        /// What has to be granted for them, by their keys in `allow`.
        capabilities: Vec<&'static str>,
    },
    /// There is a configuration, and nobody to take it.
    #[error("takes no configuration")]
    TakesNone,
    /// Linking failed although the imports looked right.
    #[error("cannot be linked: {0}")]
    Link(String),
}

impl ConfigureError {
    /// Of imports, and what each of them needs.
    pub(super) fn ungranted(missing: Vec<(String, Capability)>) -> Self {
        let (imports, needed): (Vec<_>, BTreeSet<_>) = missing.into_iter().unzip();
        Self::Ungranted {
            imports,
            capabilities: needed.into_iter().map(Capability::name).collect(),
        }
    }
}

/// How a plugin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginErrorKind {
    /// It trapped: panicked, overflowed its stack, misused an interface.
    Trap,
    /// It ran longer than it may.
    Deadline,
    /// It trapped after it was refused more memory.
    Memory,
    /// It said so itself, with the verdict `fail` or an error of `configure`.
    Fail,
    /// It gave an answer that makes no sense.
    Nonsense,
    /// It waited longer for others than it may.
    Timeout,
    /// As much of it as may be is at work already.
    Busy,
    /// The instance that is the request's own has failed before.
    Unavailable,
}

impl PluginErrorKind {
    /// True if the plugin is at fault in a way that it does not know of itself:
    /// what quarantines it. A plugin that says that it failed works, one that waited
    /// in vain depends on others, and one that finds no place was not asked.
    pub fn is_fault(self) -> bool {
        match self {
            Self::Trap | Self::Deadline | Self::Memory | Self::Nonsense => true,
            Self::Fail | Self::Timeout | Self::Busy | Self::Unavailable => false,
        }
    }

    /// One word, for metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Fail => "fail",
            Self::Nonsense => "nonsense",
            Self::Timeout => "timeout",
            Self::Busy | Self::Unavailable => "unavailable",
        }
    }
}

/// One call of a plugin that failed. Whether its instance can still be called
/// is asked of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// How it failed.
    pub kind: PluginErrorKind,
    /// What happened, for people.
    pub message: String,
    /// Where it was, a line for each function, if it has not failed in this way
    /// before.
    pub backtrace: Option<Box<str>>,
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin {}: {}", self.plugin, self.message)
    }
}

impl std::error::Error for PluginError {}
