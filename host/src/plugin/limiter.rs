//! Bounds on what one instance may allocate.

use wasmtime::ResourceLimiter;

/// Memories that one component may have, tables, and core instances. Enough
/// for what today's tools compose into one file.
const MEMORIES: usize = 8;
const TABLES: usize = 32;
const INSTANCES: usize = 64;

/// Bounds on what one instance may allocate. Growing beyond them fails inside
/// the plugin, which may cope or trap.
pub(super) struct Limiter {
    memory: usize,
    /// Bytes of all linear memories so far.
    used: usize,
    table: usize,
    refused: bool,
}

impl Limiter {
    /// At most `memory` bytes of linear memory in all, and `table` elements
    /// in each table.
    pub(super) fn new(memory: usize, table: usize) -> Self {
        Self {
            memory,
            used: 0,
            table,
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
        self.memory
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
        let granted = used <= self.memory;
        if granted {
            self.used = used;
        } else {
            self.refused = true;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.table)
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
