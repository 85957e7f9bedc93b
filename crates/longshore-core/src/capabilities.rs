//! What a destination can do, as data: the pipeline asks this, never the destination's name.

use crate::lease::Leases;
use crate::schema::{Disposition, MergeStrategy, WriteRules};
use std::num::NonZeroUsize;

/// Facts about one configured destination; constant for its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// What readers see appear at once.
    pub atomicity: Atomicity,
    /// Longest table or column name, in characters, as names are shortened (`naming`); who counts bytes refuses the rest.
    pub max_identifier_length: usize,
    /// Parts it likes to stage at once.
    pub concurrency: NonZeroUsize,
    /// What it can do to rows that are there already.
    pub dispositions: Dispositions,
    /// Which columns it can make wider in place, rows that are there included.
    pub widens: Widening,
    /// True when a table can go and come again with other columns in one step; otherwise it is emptied, and keeps those
    /// it had.
    pub remakes: bool,
    /// True when staging may begin while the package is still being written: what is staged is
    /// invisible, cheap to throw away, and holds no lock that others wait for longer than a load takes.
    pub stages_early: bool,
    /// How it keeps the runs of one pipeline apart.
    pub leases: Leases,
    /// True when it refuses a load after which a column that must be unique would have a value twice.
    pub checks_unique: bool,
}

/// Ways of writing beside appending, which all can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispositions {
    /// Replaces a table and its children in the step that brings the new rows.
    pub replace: bool,
    /// Strategies it can merge by.
    pub merge: &'static [MergeStrategy],
}

impl Dispositions {
    /// Appends only.
    pub const APPEND: Self = Dispositions { replace: false, merge: &[] };
    /// Replaces, and merges by every strategy.
    pub const ALL: Self = Dispositions {
        replace: true,
        merge: &[
            MergeStrategy::DeleteInsert,
            MergeStrategy::Upsert,
            MergeStrategy::InsertOnly,
            MergeStrategy::Scd2,
            MergeStrategy::Cdc,
        ],
    };

    /// Returns true when tables can be written by these rules.
    pub fn can(&self, rules: &WriteRules) -> bool {
        match rules.disposition {
            Disposition::Append => true,
            Disposition::Replace => self.replace,
            Disposition::Merge => rules.appends() || self.merge.contains(&rules.strategy),
        }
    }
}

/// Types that a column can get in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Widening {
    /// A column keeps its type.
    Never,
    /// Whole numbers become decimals or doubles.
    Numbers,
    /// Numbers, and everything becomes text or JSON.
    All,
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
