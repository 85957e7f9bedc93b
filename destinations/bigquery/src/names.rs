//! Names in BigQuery: quoting, and what is refused before anything is touched.

use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::Table;
use std::collections::BTreeSet;

/// Longest column name, in characters; tables may be longer, but one limit is for both.
pub(crate) const MAX_NAME: usize = 300;

/// Longest name of a table, in bytes (https://cloud.google.com/bigquery/docs/tables#table_naming).
const MAX_TABLE_BYTES: usize = 1024;

/// Columns may not begin so, in any case (https://cloud.google.com/bigquery/docs/schemas#column_names).
const RESERVED: [&str; 9] = [
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
    "_change_sequence_number",
    "_change_type",
    "_change_timestamp",
];

/// Characters that no column's name may have.
const FORBIDDEN: &str = "!\"$()*,./;?@[\\]^`{}~";

/// Returns a name in backticks.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// Returns `` `dataset`.`table` ``.
pub(crate) fn qualified(dataset: &str, table: &str) -> String {
    format!("{}.{}", identifier(dataset), identifier(table))
}

/// Refuses a table whose names BigQuery would refuse in the middle of a load.
pub(crate) fn check_names(table: &Table, longest: usize) -> Result<()> {
    check_table(&table.name, longest)?;
    let mut seen = BTreeSet::new();
    for column in &table.columns {
        check_column(&column.name, longest).map_err(|e| e.with("table", &table.name))?;
        if !seen.insert(column.name.to_lowercase()) {
            let why = "two columns differ only by capital letters, and BigQuery takes them for one";
            return Err(refused(why, "column", &column.name, &other_name(&column.name)).with("table", &table.name));
        }
    }
    Ok(())
}

fn check_table(name: &str, longest: usize) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ') || is_mark(c);
    check_length("table", name, longest)?;
    if name.len() > MAX_TABLE_BYTES {
        let why = format!("the name of a table is longer than {MAX_TABLE_BYTES} bytes");
        return Err(refused(&why, "table", name, "give it a shorter one"));
    }
    match name.chars().all(allowed) {
        true => Ok(()),
        false => {
            let why = "BigQuery does not allow a character of a table's name";
            Err(refused(why, "table", name, "letters, marks, digits, spaces, - and _ are allowed"))
        }
    }
}

fn check_column(name: &str, longest: usize) -> Result<()> {
    check_length("column", name, longest)?;
    let lower = name.to_lowercase();
    if let Some(prefix) = RESERVED.iter().find(|p| lower.starts_with(**p)) {
        let why = format!("BigQuery keeps names of columns that begin with {prefix} to itself");
        return Err(refused(&why, "column", name, &other_name(name)));
    }
    match name.chars().any(|c| FORBIDDEN.contains(c) || c.is_control()) {
        true => {
            let why = "BigQuery does not allow a character of a column's name";
            Err(refused(why, "column", name, "letters, digits and _ are always allowed"))
        }
        false => Ok(()),
    }
}

fn other_name(name: &str) -> String {
    format!("give the field another name: --hint '{name}=TYPE:name=OTHER'")
}

/// A dataset's name has ASCII letters, digits and `_` only.
pub(crate) fn check_dataset(name: &str) -> Result<()> {
    let is_good = !name.is_empty() && name.len() <= 1024;
    match is_good && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        true => Ok(()),
        false => {
            let why = "BigQuery allows no such name of a dataset";
            Err(refused(why, "dataset", name, "letters without accents, digits and _ are allowed"))
        }
    }
}

fn check_length(what: &'static str, name: &str, longest: usize) -> Result<()> {
    if name.is_empty() {
        return Err(refused(&format!("a {what} has no name"), what, name, "give it one"));
    }
    match name.chars().count() <= longest {
        true => Ok(()),
        false => Err(refused(
            &format!("the name of a {what} is longer than {longest} characters"),
            what,
            name,
            "names are made short enough by a pipeline that has this destination from its first load on",
        )),
    }
}

fn refused(why: &str, what: &'static str, name: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Data, why).with(what, name).hint(hint)
}

/// Combining marks and joiners, roughly: what is neither ASCII nor a control or a space.
fn is_mark(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::schema::{Column, DataType};

    #[test]
    fn reserved_and_hostile_names_are_refused() {
        for name in ["_PARTITIONTIME", "_table_suffix", "__root__", "a.b", "x`", "", &"n".repeat(301)] {
            assert!(check_column(name, MAX_NAME).is_err(), "{name}");
        }
        for name in ["_row_id", "_change_log", "select", "größe", "_٣", &"n".repeat(300), &"٣".repeat(300)] {
            assert!(check_column(name, MAX_NAME).is_ok() && check_table(name, MAX_NAME).is_ok(), "{name}");
        }
        assert!(check_column(&"٣".repeat(301), MAX_NAME).is_err() && check_table(&"𞥐".repeat(257), MAX_NAME).is_err());
        assert!(check_table("a/b", MAX_NAME).is_err() && check_dataset("a-b").is_err());
    }

    #[test]
    fn a_refusal_says_what_is_wrong_with_the_name() {
        let said = |name: &str| check_column(name, 10).unwrap_err().message().to_owned();
        assert_eq!(said("_FILE_NAME"), "BigQuery keeps names of columns that begin with _file_ to itself");
        assert_eq!(said("a_long_name"), "the name of a column is longer than 10 characters");
        let mut table = Table::new("t", None);
        table.columns = ["id", "ID"].map(|name| Column::data(name, DataType::Bigint)).into();
        assert!(check_names(&table, MAX_NAME).unwrap_err().message().contains("capital letters"));
    }

    #[test]
    fn quoting_escapes() {
        assert_eq!(identifier("a`b\\"), "`a\\`b\\\\`");
    }
}
