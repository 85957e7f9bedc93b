//! Write rules as dlt's hints of tables and columns, and back.

use super::schema::OURS;
use crate::schema::{DedupSort, Disposition, MergeStrategy, Scd2, WriteRules};
use crate::values::iso_timestamp::{format_iso, parse_timestamp};
use serde_json::{Map, Value, json};

const STRATEGIES: [MergeStrategy; 5] = [
    MergeStrategy::DeleteInsert,
    MergeStrategy::Upsert,
    MergeStrategy::InsertOnly,
    MergeStrategy::Scd2,
    MergeStrategy::Cdc,
];

/// Hints of columns that follow from write rules.
const COLUMN_HINTS: [&str; 8] = [
    "primary_key",
    "merge_key",
    "hard_delete",
    "dedup_sort",
    "x-row-version",
    "x-valid-from",
    "x-valid-to",
    "x-active-record-timestamp",
];

/// What we say of a validity column when a table is written in another way than `scd2`, or with other names.
const WAS_VALIDITY: &str = "validity";

/// Writes a root table's rules into its entry. Columns that no row had yet get an entry without a type.
pub(super) fn write(rules: &WriteRules, row_id: &str, validity: &Scd2, entry: &mut Map<String, Value>) {
    let disposition = match rules.disposition {
        Disposition::Append => "append",
        Disposition::Replace => "replace",
        Disposition::Merge => "merge",
    };
    entry.insert("write_disposition".into(), disposition.into());
    entry.remove("x-merge-strategy");
    if rules.disposition == Disposition::Merge && rules.strategy != MergeStrategy::DeleteInsert {
        entry.insert("x-merge-strategy".into(), rules.strategy.to_string().into());
    }
    entry.remove("x-boundary-timestamp");
    let Some(columns) = entry.get_mut("columns").and_then(Value::as_object_mut) else { return };
    let of_versions: Vec<String> =
        columns.iter().filter(|(_, c)| is_validity(c)).map(|(name, _)| name.clone()).collect();
    for (name, column) in columns.iter_mut() {
        let Some(column) = column.as_object_mut() else { continue };
        if of_versions.contains(name) {
            column.shift_remove(OURS);
        }
        // A key that is none any more may be null again.
        if ["primary_key", "merge_key"].iter().any(|key| column.get(*key).is_some_and(|is_key| is_key == true)) {
            column.insert("nullable".into(), true.into());
        }
        COLUMN_HINTS.iter().for_each(|hint| _ = column.shift_remove(*hint));
    }
    let mut hint = |name: &str, hint: &str, value: Value| {
        let column = columns.entry(name).or_insert_with(|| json!({ "name": name }));
        column[hint] = value;
        if matches!(hint, "primary_key" | "merge_key") {
            column["nullable"] = false.into();
        } else if column.get("nullable").is_none() {
            column["nullable"] = true.into();
        }
    };
    rules.primary_key.iter().for_each(|name| hint(name, "primary_key", true.into()));
    rules.merge_key.iter().for_each(|name| hint(name, "merge_key", true.into()));
    rules.hard_delete.iter().for_each(|name| hint(name, "hard_delete", true.into()));
    if let Some(sort) = &rules.dedup_sort {
        hint(&sort.column, "dedup_sort", if sort.descending { "desc" } else { "asc" }.into());
    }
    if rules.merges() && rules.strategy == MergeStrategy::Scd2 {
        hint(&validity.valid_from, "x-valid-from", true.into());
        hint(&validity.valid_to, "x-valid-to", true.into());
        hint(
            &validity.valid_to,
            "x-active-record-timestamp",
            validity.active.map_or(Value::Null, |m| format_iso(m).into()),
        );
        hint(row_id, "x-row-version", true.into());
        for name in [&validity.valid_from, &validity.valid_to] {
            hint(name, "data_type", "timestamp".into());
        }
        if let Some(boundary) = validity.boundary {
            entry.insert("x-boundary-timestamp".into(), format_iso(boundary).into());
        }
    }
    let Some(columns) = entry.get_mut("columns") else { return };
    for name in of_versions {
        if !is_validity(&columns[&name]) {
            columns[&name][OURS] = json!({ WAS_VALIDITY: true });
        }
    }
}

/// Reads a root table's rules.
pub(super) fn read(entry: &Value) -> WriteRules {
    let disposition = match entry["write_disposition"].as_str() {
        Some("replace") => Disposition::Replace,
        Some("merge") => Disposition::Merge,
        _ => Disposition::Append,
    };
    let strategy = entry["x-merge-strategy"].as_str();
    let strategy = STRATEGIES.into_iter().find(|s| Some(s.to_string().as_str()) == strategy).unwrap_or_default();
    let columns: Vec<(&String, &Value)> = entry["columns"].as_object().into_iter().flatten().collect();
    let with = |hint: &str| columns.iter().filter(|(_, c)| c[hint] == true).map(|(name, _)| (*name).clone()).collect();
    let first = |hint: &str| Vec::into_iter(with(hint)).next();
    let sort = columns.iter().find_map(|(name, c)| {
        Some(DedupSort { column: (*name).clone(), descending: c["dedup_sort"].as_str()? == "desc" })
    });
    let moment = |value: &Value| value.as_str().and_then(parse_timestamp);
    let scd2 = first("x-valid-from").zip(first("x-valid-to")).map(|(valid_from, valid_to)| {
        let active = moment(&entry["columns"][&valid_to]["x-active-record-timestamp"]);
        Scd2 { valid_from, valid_to, active, boundary: moment(&entry["x-boundary-timestamp"]) }
    });
    let hard_delete = first("hard_delete");
    let (primary_key, merge_key) = (with("primary_key"), with("merge_key"));
    let plain = WriteRules { disposition, strategy, primary_key, merge_key, hard_delete, dedup_sort: sort, scd2: None };
    let scd2 = scd2.filter(|told| *told != plain.validity(crate::schema::SystemColumns::Dlt));
    WriteRules { scd2, ..plain }
}

/// True for a column that is there only because of `scd2`, now or earlier: we keep those out of the schema.
pub(super) fn is_validity(column: &Value) -> bool {
    column["x-valid-from"] == true || column["x-valid-to"] == true || column[OURS][WAS_VALIDITY] == true
}
