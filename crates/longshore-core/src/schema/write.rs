//! What a load does with the rows its tables already have.

use serde::{Deserialize, Serialize};

/// Rules of writing one root table; its child tables follow it. dlt's words and defaults
/// (`dlt/common/schema/typing.py`, `TWriteDisposition` and `TLoaderMergeStrategy`).
///
/// Columns are named as they are in the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WriteRules {
    /// Add, replace or merge.
    pub disposition: Disposition,
    /// How to merge; means nothing for the others.
    pub strategy: MergeStrategy,
    /// Columns whose values together are a record's identity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Columns whose values name the group of records that a load replaces whole (a day, a customer).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merge_key: Vec<String>,
    /// A column that marks deleted records: true, or for other types any value at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_delete: Option<String>,
    /// Which of several records with one primary key in one load stays; without it the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_sort: Option<DedupSort>,
    /// Names of the validity columns of `scd2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scd2: Option<Scd2>,
}

/// What happens to the rows that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// They stay.
    #[default]
    Append,
    /// They go, all at once with the new ones' coming.
    Replace,
    /// Those with the identity of a new one go or change.
    Merge,
}

/// How records that are there meet new ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeStrategy {
    /// Delete by primary or merge key, then insert.
    #[default]
    DeleteInsert,
    /// Change rows whose primary key is there, insert the others.
    Upsert,
    /// Insert rows whose primary key is not there; leave the others.
    InsertOnly,
    /// Keep history: close a changed row's validity and insert the new one.
    Scd2,
    /// As upsert, and delete rows whose primary key is not among the new ones: in the groups of the merge key that
    /// the load has records of, or without one everywhere.
    Cdc,
}

impl std::fmt::Display for MergeStrategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            MergeStrategy::DeleteInsert => "delete-insert",
            MergeStrategy::Upsert => "upsert",
            MergeStrategy::InsertOnly => "insert-only",
            MergeStrategy::Scd2 => "scd2",
            MergeStrategy::Cdc => "cdc",
        })
    }
}

impl std::fmt::Display for WriteRules {
    /// `append`, `replace`, `merge by upsert on id`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.disposition {
            Disposition::Append => f.write_str("append"),
            Disposition::Replace => f.write_str("replace"),
            Disposition::Merge => {
                let keys = if self.primary_key.is_empty() { &self.merge_key } else { &self.primary_key };
                write!(f, "merge by {}", self.strategy)?;
                if keys.is_empty() { Ok(()) } else { write!(f, " on {}", keys.join(", ")) }
            }
        }
    }
}

/// Order of records with one primary key: the first stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupSort {
    /// The column to sort by.
    pub column: String,
    /// Largest first.
    pub descending: bool,
}

/// The validity columns of `scd2` and the moments written there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scd2 {
    /// Since when a version holds.
    pub valid_from: String,
    /// Until when; null, or `active` when it still holds.
    pub valid_to: String,
    /// Written instead of null in rows that hold, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<i64>,
    /// The moment of change, in microseconds since 1970; without it the load's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<i64>,
}

impl WriteRules {
    /// True for plain appending without keys: what a table has that nobody said anything about.
    pub fn is_default(&self) -> bool {
        *self == WriteRules::default()
    }

    /// True when rows are only added. That includes a merge by delete and insert without any key, as in dlt.
    pub fn appends(&self) -> bool {
        let no_key = self.primary_key.is_empty() && self.merge_key.is_empty();
        match self.disposition {
            Disposition::Append => true,
            Disposition::Replace => false,
            Disposition::Merge => self.strategy == MergeStrategy::DeleteInsert && no_key,
        }
    }

    /// True when rows that are there are compared with new ones.
    pub fn merges(&self) -> bool {
        self.disposition == Disposition::Merge && !self.appends()
    }

    /// True when the strategy looks at the merge key.
    pub fn has_groups(&self) -> bool {
        !matches!(self.strategy, MergeStrategy::Upsert | MergeStrategy::InsertOnly)
    }

    /// Returns the columns that a record needs a value of to be merged: its primary key, and a merge key by which alone
    /// it meets what is there.
    pub fn needed_keys(&self) -> impl Iterator<Item = &String> {
        let alone = match self.strategy {
            MergeStrategy::DeleteInsert => self.primary_key.is_empty(),
            MergeStrategy::Scd2 => true,
            MergeStrategy::Upsert | MergeStrategy::InsertOnly | MergeStrategy::Cdc => false,
        };
        self.primary_key.iter().chain(self.merge_key.iter().filter(move |_| alone))
    }

    /// True when the table is emptied first.
    pub fn replaces(&self) -> bool {
        self.disposition == Disposition::Replace
    }

    /// Checks that the strategy has the keys it needs.
    ///
    /// # Errors
    /// When it has not; the table is to be added by the caller.
    pub fn check(&self) -> crate::Result<()> {
        use MergeStrategy::{Cdc, InsertOnly, Upsert};
        let needs_key = matches!(self.strategy, Upsert | InsertOnly | Cdc);
        if self.disposition == Disposition::Merge && needs_key && self.primary_key.is_empty() {
            return Err(crate::Error::config(format!("the merge strategy {} needs a primary key", self.strategy))
                .hint("name the columns that identify a record, or merge by delete-insert with a merge key"));
        }
        Ok(())
    }

    /// Returns the validity columns of `scd2`, with their names of that mode where none are given.
    pub fn validity(&self, system: super::SystemColumns) -> Scd2 {
        let (from, to) = match system {
            super::SystemColumns::Native => ("_valid_from", "_valid_to"),
            super::SystemColumns::Dlt => ("_dlt_valid_from", "_dlt_valid_to"),
        };
        let plain = || Scd2 { valid_from: from.into(), valid_to: to.into(), active: None, boundary: None };
        self.scd2.clone().unwrap_or_else(plain)
    }
}
