//! Whether tables have what the rules of writing name: asked of a load before its package is sealed. One that no
//! destination can take would stand in the way of the corrected command.

use longshore_core::error::{Error, Result};
use longshore_core::package::{Counts, TableCount};
use longshore_core::schema::{Disposition, MergeStrategy, Schema, Table};

/// Checks keys and validity columns of the resources' tables that got rows, or would have. Returns what the user should
/// know.
///
/// # Errors
/// When a key is not a column of its table, or a validity column is one.
pub(crate) fn check(
    schema: &Schema,
    resources: &[String],
    tables: &[TableCount],
    counts: &Counts,
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for table in
        schema.tables.iter().filter(|t| t.write.disposition == Disposition::Merge && resources.contains(&t.name))
    {
        let has_rows = tables.iter().any(|t| t.table == table.name && t.rows > 0);
        if table.write.appends() {
            let note = || {
                format!(
                    "'{}' is to be merged, but has neither a primary nor a merge key: rows are only added",
                    table.name
                )
            };
            notes.extend(has_rows.then(note));
            continue;
        }
        // Records that were left out for want of a key leave none.
        let had_records = counts.rejected + counts.discarded > 0 && table.columns.iter().any(|c| c.role.is_none());
        if has_rows || had_records {
            keys(table)?;
            validity(schema, table)?;
            notes.extend(unmet(table));
        }
    }
    Ok(notes)
}

fn keys(table: &Table) -> Result<()> {
    let mut keys = table.write.primary_key.iter().chain(&table.write.merge_key);
    let Some(name) = keys.find(|name| table.column(name).is_none()) else { return Ok(()) };
    let known: Vec<&str> = table.columns.iter().filter(|c| c.role.is_none()).map(|c| c.name.as_str()).collect();
    Err(Error::config(format!("the key '{name}' is not a column of the table")).with("table", &table.name).hint(
        format!(
            "nothing was loaded; no record of this load or an earlier one has it; its columns are {}",
            known.join(", ")
        ),
    ))
}

fn validity(schema: &Schema, table: &Table) -> Result<()> {
    if table.write.strategy != MergeStrategy::Scd2 {
        return Ok(());
    }
    let validity = table.write.validity(schema.system_columns);
    let names = [&validity.valid_from, &validity.valid_to];
    let hint = "nothing was loaded; give the validity columns two names of their own (--validity-columns FROM,TO)";
    let error = match names.iter().find(|name| table.column(name).is_some()) {
        Some(name) => Error::config(format!("the validity column '{name}' is a column of the records too")),
        None if names[0] == names[1] => Error::config(format!("both validity columns are named '{}'", names[0])),
        None => return Ok(()),
    };
    Err(error.with("table", &table.name).hint(hint))
}

/// Fields that may be missing, but are perhaps a slip of the pen.
fn unmet(table: &Table) -> Vec<String> {
    let (write, name) = (&table.write, &table.name);
    let mut notes = Vec::new();
    if let Some(field) = write.hard_delete.as_deref().filter(|f| table.column(f).is_none()) {
        notes.push(format!(
            "no record of '{name}' has '{field}' so far, which is to mark deleted records: none was deleted by it"
        ));
    }
    if !write.merge_key.is_empty() && !write.has_groups() {
        notes.push(format!("the merge key of '{name}' does nothing: {} goes by the primary key alone", write.strategy));
    }
    if write.dedup_sort.is_some() && (write.primary_key.is_empty() || write.strategy == MergeStrategy::Scd2) {
        notes.push(format!(
            "dedup_sort of '{name}' does nothing: it chooses among records with one primary key, by which it is not merged"
        ));
    } else if let Some(sort) = write.dedup_sort.as_ref().filter(|s| table.column(&s.column).is_none()) {
        let field = &sort.column;
        notes.push(format!("no record of '{name}' has '{field}' so far, by which one record a key is to be chosen: the last of the input was"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::schema::{Column, DataType, DedupSort, Scd2, SystemColumns, WriteRules};

    fn checked(write: WriteRules, rows: u64, rejected: u64) -> Result<Vec<String>> {
        let mut schema = Schema::new("p", SystemColumns::Native);
        let mut table = Table::new("t", None);
        table.columns = ["id", "day"].map(|name| Column::data(name, DataType::Bigint)).to_vec();
        table.write = WriteRules { disposition: Disposition::Merge, ..write };
        schema.tables.push(table);
        let tables = [TableCount { table: "t".to_owned(), rows }];
        check(&schema, &["t".to_owned()], &tables, &Counts { rejected, ..Counts::default() })
    }

    fn by(primary: &str, merge: &[&str]) -> WriteRules {
        let merge_key = merge.iter().map(|k| (*k).to_owned()).collect();
        WriteRules { primary_key: vec![primary.to_owned()], merge_key, ..WriteRules::default() }
    }

    fn versions(from: &str, to: &str) -> WriteRules {
        let scd2 = Scd2 { valid_from: from.into(), valid_to: to.into(), active: None, boundary: None };
        WriteRules { strategy: MergeStrategy::Scd2, scd2: Some(scd2), ..WriteRules::default() }
    }

    #[test]
    fn what_the_rules_name_has_to_be_there() {
        assert_eq!(checked(by("id", &["day"]), 1, 0).unwrap(), Vec::<String>::new());
        for (write, says) in [
            (by("idd", &[]), "'idd'"),
            (by("id", &["month"]), "'month'"),
            (versions("id", "until"), "'id'"),
            (versions("since", "day"), "'day'"),
            (versions("at", "at"), "'at'"),
        ] {
            let error = checked(write.clone(), 1, 0).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(checked(write.clone(), 0, 1).is_err(), "all records were left out");
            assert!(checked(write, 0, 0).is_ok(), "there were no records");
        }
        assert!(checked(versions("since", "until"), 1, 0).is_ok());
    }

    #[test]
    fn what_does_nothing_is_said() {
        let dedup_sort = Some(DedupSort { column: "day".to_owned(), descending: true });
        let upsert = WriteRules { strategy: MergeStrategy::Upsert, ..by("id", &["day"]) };
        let notes = checked(upsert, 1, 0).unwrap();
        assert!(notes.len() == 1 && notes[0].contains("merge key"), "{notes:?}");
        let grouped = WriteRules { primary_key: Vec::new(), dedup_sort, ..by("id", &["day"]) };
        let notes = checked(grouped, 1, 0).unwrap();
        assert!(notes.len() == 1 && notes[0].contains("dedup_sort"), "{notes:?}");
        let notes = checked(WriteRules::default(), 1, 0).unwrap();
        assert!(notes.len() == 1 && notes[0].contains("neither a primary nor a merge key"), "{notes:?}");
    }

    #[test]
    fn what_may_be_missing_is_said() {
        let dedup_sort = Some(DedupSort { column: "at".to_owned(), descending: true });
        let write = WriteRules { hard_delete: Some("gone".to_owned()), dedup_sort, ..by("id", &[]) };
        let notes = checked(write, 1, 0).unwrap();
        assert!(notes.len() == 2 && notes[0].contains("'gone'") && notes[1].contains("'at'"), "{notes:?}");
    }
}
