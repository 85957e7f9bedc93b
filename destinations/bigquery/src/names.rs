//! Names in BigQuery: quoting, and what is refused before anything is touched.

use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::Table;

/// Longest column name, in characters; tables may be longer, but one limit is for both.
pub(crate) const MAX_NAME: usize = 300;

/// Columns may not begin so, in any case (https://cloud.google.com/bigquery/docs/schemas#column_names).
const RESERVED: [&str; 7] =
    ["_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier", "_change_"];

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
    for column in &table.columns {
        check_column(&column.name, longest).map_err(|e| e.with("table", &table.name))?;
    }
    Ok(())
}

fn check_table(name: &str, longest: usize) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ') || is_mark(c);
    check_length("table", name, longest)?;
    match name.chars().all(allowed) {
        true => Ok(()),
        false => Err(refused("table", name, "letters, marks, digits, spaces, - and _ are allowed")),
    }
}

fn check_column(name: &str, longest: usize) -> Result<()> {
    check_length("column", name, longest)?;
    let lower = name.to_lowercase();
    if let Some(prefix) = RESERVED.iter().find(|p| lower.starts_with(**p)) {
        return Err(refused(
            "column",
            name,
            &format!(
                "names that begin with {prefix} are BigQuery's own: give the field another one (--hint '{name}=TYPE:name=OTHER')"
            ),
        ));
    }
    match name.chars().any(|c| FORBIDDEN.contains(c) || c.is_control()) {
        true => Err(refused("column", name, "letters, digits and _ are always allowed")),
        false => Ok(()),
    }
}

/// A dataset's name has ASCII letters, digits and `_` only.
pub(crate) fn check_dataset(name: &str) -> Result<()> {
    let is_good = !name.is_empty() && name.len() <= 1024;
    match is_good && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        true => Ok(()),
        false => {
            Err(refused("dataset", name, "letters without accents, digits and _ are allowed").with("dataset", name))
        }
    }
}

fn check_length(what: &'static str, name: &str, longest: usize) -> Result<()> {
    match !name.is_empty() && name.len() <= longest {
        true => Ok(()),
        false => Err(refused(
            what,
            name,
            "names are made short enough by a pipeline that has this destination from its first load on",
        )),
    }
}

fn refused(what: &'static str, name: &str, hint: &str) -> Error {
    let text = format!("BigQuery allows no such name, or it is longer than {MAX_NAME} bytes");
    Error::new(ErrorKind::Data, text).with(what, name).hint(hint)
}

/// Combining marks and joiners, roughly: what is neither ASCII nor a control or a space.
fn is_mark(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_hostile_names_are_refused() {
        for name in ["_PARTITIONTIME", "_table_suffix", "__root__", "a.b", "x`", "", &"n".repeat(301)] {
            assert!(check_column(name, MAX_NAME).is_err(), "{name}");
        }
        for name in ["_row_id", "select", "größe", "_٣", &"n".repeat(300)] {
            assert!(check_column(name, MAX_NAME).is_ok() && check_table(name, MAX_NAME).is_ok(), "{name}");
        }
        assert!(check_table("a/b", MAX_NAME).is_err() && check_dataset("a-b").is_err());
    }

    #[test]
    fn quoting_escapes() {
        assert_eq!(identifier("a`b\\"), "`a\\`b\\\\`");
    }
}
