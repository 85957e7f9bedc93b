//! The tables of a dataset as they stand there, asked for with as few statements as there can be: each costs about as much
//! as loading a record.

use crate::ffi::Connection;
use crate::limits::Vectors;
use crate::rounding::Types;
use crate::types::{DuckDialect, column_type};
use longshore_core::destination::Opening;
use longshore_core::schema::{ColumnRole, ColumnType};
use longshore_sql::{Dialect, identifier, literal};
use std::collections::BTreeMap;

/// A table of the dataset as it is now.
#[derive(Debug)]
pub(crate) struct OpenTable {
    /// Column names in the table's order, with their types where they are the loader's.
    pub(crate) columns: Vec<(String, Option<ColumnType>)>,
    /// Rows it had before the load.
    pub(crate) before: u64,
    /// True once this load took out the rows it had before.
    pub(crate) emptied: bool,
    /// What this load put into it.
    pub(crate) vectors: Vectors,
}

impl OpenTable {
    pub(crate) fn new(columns: Vec<(String, Option<ColumnType>)>, before: u64) -> Self {
        OpenTable { columns, before, emptied: false, vectors: Vectors::default() }
    }

    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|(c, _)| c.eq_ignore_ascii_case(name))
    }
}

/// Names of the dataset's tables, in order.
pub(crate) fn table_names(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<Vec<String>> {
    let sql = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name";
    let mut statement = c.prepare(sql)?;
    statement.query_map([dataset], |r| r.get(0))?.collect()
}

/// One query for the rows of many tables, in their order; each is a quoted name and what may stand behind it.
pub(crate) fn count_query(tables: &[String]) -> String {
    let count = |(i, table): (usize, &String)| format!("SELECT count(*), {i} AS i FROM {table}");
    let counts: Vec<String> = tables.iter().enumerate().map(count).collect();
    format!("{} ORDER BY i", counts.join(" UNION ALL "))
}

/// Counts the rows of tables.
pub(crate) fn count(c: &duckdb::Connection, tables: &[String]) -> duckdb::Result<Vec<u64>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = c.prepare(&count_query(tables))?;
    statement.query_map([], |r| r.get::<_, i64>(0).map(i64::unsigned_abs))?.collect()
}

/// The dataset's tables; their columns go to `types` in DuckDB's words too.
pub(crate) fn existing_tables(
    c: &duckdb::Connection,
    dialect: &DuckDialect,
    dataset: &str,
    types: &mut Types,
) -> duckdb::Result<BTreeMap<String, OpenTable>> {
    let names = table_names(c, dataset)?;
    let qualified: Vec<String> = names.iter().map(|name| dialect.qualified(dataset, name)).collect();
    let counts = count(c, &qualified)?;
    let mut tables: Vec<OpenTable> = counts.into_iter().map(|rows| OpenTable::new(Vec::new(), rows)).collect();
    for (table, column, type_name) in columns(c, &qualified)? {
        tables[table].columns.push((column.clone(), column_type(&type_name)));
        types.entry(names[table].clone()).or_default().push((column, type_name));
    }
    Ok(names.into_iter().zip(tables).collect())
}

/// Columns of tables, each with its table's place and its type. `duckdb_columns()` would first make every view of the
/// catalogue, which takes longer than all the rest.
fn columns(c: &duckdb::Connection, tables: &[String]) -> duckdb::Result<Vec<(usize, String, String)>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let describe =
        |(i, table): (usize, &String)| format!("SELECT {i}, column_name, column_type FROM (DESCRIBE {table})");
    let all: Vec<String> = tables.iter().enumerate().map(describe).collect();
    let mut statement = c.prepare(&all.join(" UNION ALL "))?;
    // The places are our own.
    statement.query_map([], |r| Ok((r.get::<_, i32>(0)?.unsigned_abs() as usize, r.get(1)?, r.get(2)?)))?.collect()
}

/// Takes out rows of this very load that stand there although its record does not: of a process that was killed during
/// its commit, DuckDB has been seen to keep the rows of a table that was merged by whole row groups.
pub(crate) fn remove_remains(
    connection: &mut Connection,
    dialect: &DuckDialect,
    tables: &mut BTreeMap<String, OpenTable>,
    opening: &Opening,
) -> Result<(), String> {
    let column = opening.system_columns.column(ColumnRole::LoadId).name;
    let load_id = literal(opening.load_id.as_str());
    let may_have = |t: &OpenTable| t.before > 0 && t.columns.iter().any(|(c, _)| *c == column);
    let (names, of_load): (Vec<String>, Vec<String>) = tables
        .iter()
        .filter(|(_, table)| may_have(table))
        .map(|(name, _)| {
            let table = dialect.qualified(&opening.target.dataset, name);
            (name.clone(), format!("{table} WHERE {} = {load_id}", identifier(&column)))
        })
        .unzip();
    if names.is_empty() {
        return Ok(());
    }
    let remains = connection.numbers(&count_query(&of_load))?;
    for ((name, of_load), rows) in names.iter().zip(&of_load).zip(remains).filter(|(_, rows)| *rows > 0) {
        tracing::info!(table = name, rows, "rows of an interrupted commit are removed");
        connection.execute(&format!("DELETE FROM {of_load}"))?;
        if let Some(table) = tables.get_mut(name) {
            table.before = table.before.saturating_sub(rows.unsigned_abs());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_any_name_are_known_with_their_columns_types_and_rows() {
        let c = duckdb::Connection::open_in_memory().unwrap();
        c.execute_batch(
            r#"CREATE SCHEMA "a.b""c"; CREATE TABLE "a.b""c"."it's.one" (n TINYINT, "y z" DECIMAL(5,2), e ENUM('a', 'b'));
            INSERT INTO "a.b""c"."it's.one" VALUES (1, 2, 'a'), (2, 3, 'b');
            CREATE TABLE "a.b""c"."none" (s STRUCT(a INTEGER)); CREATE VIEW "a.b""c".v AS SELECT 1"#,
        )
        .unwrap();
        let mut types = Types::new();
        let tables = existing_tables(&c, &DuckDialect::default(), "a.b\"c", &mut types).unwrap();
        assert_eq!(tables.keys().collect::<Vec<_>>(), ["it's.one", "none"]);
        assert_eq!(tables["it's.one"].before, 2);
        assert_eq!(tables["none"].before, 0);
        let column = |name: &str, type_name: &str| (name.to_owned(), type_name.to_owned());
        let named = [column("n", "TINYINT"), column("y z", "DECIMAL(5,2)"), column("e", "ENUM('a', 'b')")];
        assert_eq!(types["it's.one"], named);
        assert_eq!(types["none"], [column("s", "STRUCT(a INTEGER)")]);
        assert!(existing_tables(&c, &DuckDialect::default(), "nothing", &mut types).unwrap().is_empty());
    }
}
