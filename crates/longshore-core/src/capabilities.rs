//! What a destination can do, as data: the pipeline asks this, never the destination's name.

use std::num::NonZeroUsize;

/// Facts about one configured destination; constant for its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// What readers see appear at once.
    pub atomicity: Atomicity,
    /// Longest table or column name, in bytes.
    pub max_identifier_length: usize,
    /// Parts it likes to stage at once.
    pub concurrency: NonZeroUsize,
    /// True when staging may begin while the package is still being written: what is staged is
    /// invisible, cheap to throw away, and holds no lock that others wait for longer than a load takes.
    pub stages_early: bool,
}

/// The unit that becomes visible in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atomicity {
    /// Single files.
    File,
    /// All rows of one table.
    Table,
    /// All tables of a package, with the load's record and state.
    Package,
}
