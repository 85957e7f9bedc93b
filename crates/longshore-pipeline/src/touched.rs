//! What a merge would do to the rows that are there: in words, and in numbers where the destination can be asked.

use crate::keys::{At, Keys, quoted};
use crate::table_plan::{TablePlan, root_of};
use longshore_core::schema::{MergeStrategy, Schema, Table};

/// The rows of one load that is to be merged, and where.
pub(crate) struct Touched<'a> {
    pub(crate) at: At<'a>,
    pub(crate) schema: &'a Schema,
    pub(crate) keys: &'a Keys,
    /// False for a sample: what it lacks the load may have.
    pub(crate) is_whole: bool,
    /// False where questions are billed: then none is asked that costs as much as the load.
    pub(crate) may_ask: bool,
}

impl Touched<'_> {
    /// Says of all tables that rows are merged into what becomes of their rows.
    pub(crate) async fn describe(&self, plans: &mut [TablePlan]) {
        let merged: Vec<&Table> = self.schema.tables.iter().filter(|t| self.is_merged(t, plans)).collect();
        for root in merged {
            let versions_begin = plans.iter().any(|p| p.table == root.name && p.begins_versions);
            for plan in plans.iter_mut().filter(|p| p.existing_rows > Some(0)) {
                if plan.table == root.name {
                    self.root(root, versions_begin, plan).await;
                } else if let Some(child) = self.schema.table(&plan.table)
                    && root_of(self.schema, child).name == root.name
                {
                    self.child(root, child, plan).await;
                }
            }
        }
    }

    /// A root table that gets rows to be merged.
    fn is_merged(&self, table: &Table, plans: &[TablePlan]) -> bool {
        table.is_root() && table.write.merges() && plans.iter().any(|p| p.table == table.name && p.rows > 0)
    }

    async fn root(&self, root: &Table, versions_begin: bool, plan: &mut TablePlan) {
        let there = plan.existing_rows.unwrap_or_default();
        if root.write.strategy == MergeStrategy::Scd2 {
            plan.ended_rows = if versions_begin { Some(there) } else { self.ended(root).await };
            plan.changes_rows = plan.ended_rows != Some(0);
            plan.effect = Some(versions(root, plan.ended_rows));
            return;
        }
        if self.may_ask {
            plan.matched_rows = self.keys.count(&self.at, root, "").await;
        }
        let is_cdc = root.write.strategy == MergeStrategy::Cdc;
        let is_all = is_cdc && root.write.merge_key.is_empty() && self.is_whole;
        plan.deleted_rows = plan.matched_rows.filter(|_| is_all).map(|matched| there.saturating_sub(matched));
        let goes_beside = is_cdc || has_two_keys(root);
        plan.changes_rows =
            root.write.strategy != MergeStrategy::InsertOnly && (goes_beside || plan.matched_rows != Some(0));
        plan.effect = Some(by_key(root, plan));
    }

    /// Counts the versions that hold and are not among the load's.
    async fn ended(&self, root: &Table) -> Option<u64> {
        let validity = root.write.validity(self.schema.system_columns);
        if !self.may_ask || !self.is_whole || !root.write.merge_key.is_empty() || validity.active.is_some() {
            return None;
        }
        let (until, table) = (quoted(&validity.valid_to), quoted(&root.name));
        let hold = self.at.number(&format!("SELECT count(*) FROM {table} WHERE {until} IS NULL")).await?;
        let stay = self.keys.count(&self.at, root, &format!(" AND {until} IS NULL")).await?;
        Some(hold.saturating_sub(stay))
    }

    async fn child(&self, root: &Table, child: &Table, plan: &mut TablePlan) {
        if matches!(root.write.strategy, MergeStrategy::Scd2 | MergeStrategy::InsertOnly) {
            return;
        }
        let goes_by_key_alone = root.write.strategy != MergeStrategy::Cdc && !has_two_keys(root);
        if self.may_ask && goes_by_key_alone {
            plan.matched_rows = self.keys.count_below(&self.at, root, child).await;
        }
        let of = &root.name;
        plan.effect = Some(match plan.matched_rows {
            Some(matched) => format!("{matched} of them would go with their rows of {of}"),
            None => format!("those of rows of {of} that go would go with them"),
        });
    }
}

fn has_two_keys(root: &Table) -> bool {
    !root.write.primary_key.is_empty() && !root.write.merge_key.is_empty()
}

/// What becomes of versions that are there.
fn versions(root: &Table, ended: Option<u64>) -> String {
    let groups = match root.write.merge_key.as_slice() {
        [] => String::new(),
        key => format!(", in the load's groups ({}) only", key.join(", ")),
    };
    match ended {
        Some(ended) => format!("{ended} of them hold and are not in the load: these versions would end"),
        None => format!("versions that hold and are not in the load would end{groups}"),
    }
}

/// What becomes of rows that are found by their key.
fn by_key(root: &Table, plan: &TablePlan) -> String {
    let write = &root.write;
    let matched = match plan.matched_rows {
        Some(matched) => format!("{matched} of them with a key of the load, which would"),
        None => "those with a key of the load would".to_owned(),
    };
    let marked = match &write.hard_delete {
        Some(field) => format!(" (or deleted, where '{field}' says so)"),
        None => String::new(),
    };
    let groups = write.merge_key.join(", ");
    match (write.strategy, plan.deleted_rows) {
        (MergeStrategy::InsertOnly, _) => format!("{matched} stay as they are"),
        (MergeStrategy::Cdc, Some(deleted)) => {
            format!("{matched} be replaced{marked}, and {deleted} without, which would be deleted")
        }
        (MergeStrategy::Cdc, None) if groups.is_empty() => {
            format!("{matched} be replaced{marked}, and all others deleted")
        }
        (MergeStrategy::Cdc, None) => {
            format!("{matched} be replaced{marked}, and others of the load's groups ({groups}) deleted")
        }
        (MergeStrategy::DeleteInsert, _) if has_two_keys(root) => {
            format!("{matched} be replaced{marked}, and others of the load's groups ({groups}) too")
        }
        _ => format!("{matched} be replaced{marked}"),
    }
}
