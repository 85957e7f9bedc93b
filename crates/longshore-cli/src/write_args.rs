//! Flags that say what a load does with the rows that are there.

use clap::{Args, ValueEnum};
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use longshore_core::schema::{self, DedupSort, MergeStrategy, Scd2, SystemColumns, WriteRules};

/// How tables are written.
#[derive(Debug, Clone, Args)]
pub(crate) struct WriteArgs {
    /// What happens to the rows that are there
    #[arg(long, value_enum, default_value_t = Disposition::Append, help_heading = "Writing")]
    pub(crate) write_disposition: Disposition,

    /// How records are merged
    #[arg(long, value_enum, value_name = "STRATEGY", help_heading = "Writing")]
    pub(crate) merge_strategy: Option<Strategy>,

    /// Fields that identify a record
    #[arg(long, value_name = "FIELD,..", value_delimiter = ',', help_heading = "Writing")]
    pub(crate) primary_key: Vec<String>,

    /// Fields that name the group of records a load replaces whole
    #[arg(long, value_name = "FIELD,..", value_delimiter = ',', help_heading = "Writing")]
    pub(crate) merge_key: Vec<String>,

    /// Field that marks deleted records: true, or for other types any value
    #[arg(long, value_name = "FIELD", help_heading = "Writing")]
    pub(crate) hard_delete: Option<String>,

    /// Which of several records with one primary key in one load stays: the first by this order [default: the last one]
    #[arg(long, value_name = "FIELD:asc|desc", help_heading = "Writing")]
    pub(crate) dedup_sort: Option<String>,

    /// Names of the validity columns of scd2
    #[arg(long, value_name = "FROM,TO", help_heading = "Writing")]
    pub(crate) validity_columns: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Disposition {
    /// They stay
    Append,
    /// They go when the new ones come, in one step
    Replace,
    /// Those the new records stand for go or change
    Merge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// Delete by primary or merge key, then insert (the default)
    DeleteInsert,
    /// Change records whose primary key is there, insert the others
    Upsert,
    /// Insert records whose primary key is not there
    InsertOnly,
    /// Keep versions with the time each was valid
    Scd2,
    /// Upsert, and delete records whose primary key is absent
    Cdc,
}

impl WriteArgs {
    /// Returns the rules the flags say.
    pub(crate) fn rules(&self, system: SystemColumns) -> Result<WriteRules> {
        let disposition = match self.write_disposition {
            Disposition::Append => schema::Disposition::Append,
            Disposition::Replace => schema::Disposition::Replace,
            Disposition::Merge => schema::Disposition::Merge,
        };
        self.check_flags()?;
        let columns = |fields: &[String]| fields.iter().map(|f| column(f)).collect::<Result<Vec<_>>>();
        let mut rules = WriteRules {
            disposition,
            strategy: self.merge_strategy.map(strategy).unwrap_or_default(),
            primary_key: columns(&self.primary_key)?,
            merge_key: columns(&self.merge_key)?,
            hard_delete: self.hard_delete.as_deref().map(column).transpose()?,
            dedup_sort: self.dedup_sort.as_deref().map(dedup_sort).transpose()?,
            scd2: None,
        };
        if let Some(text) = &self.validity_columns {
            let wrong = || Error::config(format!("'{text}' is not two names")).hint("write FROM,TO");
            let (from, to) = text.split_once(',').filter(|(_, to)| !to.contains(',')).ok_or_else(wrong)?;
            let plain = rules.validity(system);
            rules.scd2 = Some(Scd2 { valid_from: column(from)?, valid_to: column(to)?, ..plain });
        }
        rules.check()?;
        Ok(rules)
    }

    /// A flag that would have no effect is a mistake.
    fn check_flags(&self) -> Result<()> {
        let only_merge = [
            ("--merge-strategy", self.merge_strategy.is_some()),
            ("--merge-key", !self.merge_key.is_empty()),
            ("--hard-delete", self.hard_delete.is_some()),
            ("--dedup-sort", self.dedup_sort.is_some()),
            ("--validity-columns", self.validity_columns.is_some()),
        ];
        let merges = self.write_disposition == Disposition::Merge;
        if let Some((flag, _)) = only_merge.iter().find(|(_, given)| *given && !merges) {
            return Err(
                Error::config(format!("{flag} means nothing without a merge")).hint("add --write-disposition merge")
            );
        }
        let no_key = self.primary_key.is_empty() && self.merge_key.is_empty();
        let by_key = self.merge_strategy.is_none_or(|s| s == Strategy::DeleteInsert);
        if merges && by_key && no_key {
            return Err(Error::config("a merge by delete-insert needs a key")
                .hint("add --primary-key or --merge-key, or choose another --merge-strategy"));
        }
        let by_primary_key = matches!(self.merge_strategy, Some(Strategy::Upsert | Strategy::InsertOnly));
        if by_primary_key && !self.merge_key.is_empty() {
            return Err(Error::config(
                "--merge-key means nothing with this --merge-strategy, which goes by the primary key",
            )
            .hint("leave it out, or choose delete-insert or cdc"));
        }
        let chooses = !self.primary_key.is_empty() && self.merge_strategy != Some(Strategy::Scd2);
        if self.dedup_sort.is_some() && !chooses {
            return Err(Error::config("--dedup-sort chooses among records with one primary key, and there is none")
                .hint("add --primary-key (scd2 has no use for it), or leave it out"));
        }
        if self.validity_columns.is_some() && self.merge_strategy != Some(Strategy::Scd2) {
            return Err(Error::config("--validity-columns means nothing without --merge-strategy scd2"));
        }
        Ok(())
    }
}

fn strategy(given: Strategy) -> MergeStrategy {
    match given {
        Strategy::DeleteInsert => MergeStrategy::DeleteInsert,
        Strategy::Upsert => MergeStrategy::Upsert,
        Strategy::InsertOnly => MergeStrategy::InsertOnly,
        Strategy::Scd2 => MergeStrategy::Scd2,
        Strategy::Cdc => MergeStrategy::Cdc,
    }
}

/// `userId` -> `user_id`, `user.id` -> `user__id`: as the field's column is named.
fn column(field: &str) -> Result<String> {
    naming::field_column(field).ok_or_else(|| Error::config(format!("'{field}' names no field")))
}

fn dedup_sort(text: &str) -> Result<DedupSort> {
    let (field, order) = text.rsplit_once(':').unwrap_or((text, "asc"));
    let descending = match order {
        "asc" => false,
        "desc" => true,
        _ => return Err(Error::config(format!("'{text}' is no order")).hint("write FIELD:asc or FIELD:desc")),
    };
    Ok(DedupSort { column: column(field)?, descending })
}
