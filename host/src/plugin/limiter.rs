//! Bounds on what one instance may allocate.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::observe::Limit;

use super::allowance::Allowance;

/// Memories that one component may have, tables, and core instances. Enough
/// for what today's tools compose into one file.
const MEMORIES: usize = 8;
const TABLES: usize = 32;
const INSTANCES: usize = 64;

/// Bounds on what one instance may allocate. Growing beyond them fails inside
/// the plugin, which may cope or trap.
pub(super) struct Limiter {
    allowance: Arc<Allowance>,
    /// Bytes of all linear memories so far.
    used: usize,
    refused: bool,
}

impl Limiter {
    /// At most `memory` bytes of linear memory in all, and `table` elements
    /// in each table.
    pub(super) fn new(allowance: Arc<Allowance>) -> Self {
        Self {
            allowance,
            used: 0,
            refused: false,
        }
    }

    /// A call begins.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.refused = false;
    }

    /// True if the instance was refused memory in the call that runs.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// The bound on memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.allowance.limits.memory
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let granted = used <= self.memory();
        if granted {
            self.used = used;
        } else {
            self.refused = true;
            self.allowance.limited(Limit::Memory);
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.allowance.limits.table;
        if !granted {
            self.allowance.limited(Limit::Table);
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
