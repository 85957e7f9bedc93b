//! Creating and growing tables.

use crate::dialect::Dialect;
use crate::merge::validity_table;
use crate::quote::{identifier, qualified};
use longshore_core::destination::Growth;
use longshore_core::schema::{Column, ColumnRole, DataType, SystemColumns, SystemTable, Table};

/// Returns the statement that makes the dataset where it is missing.
pub fn create_schema(dataset: &str) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(dataset))
}

/// Returns the statement that makes a table with all its columns.
///
/// That a field of the data must have a value is checked before anything is staged, not by the database: there, one row
/// would break a load that is under way.
pub fn create_table(dialect: &dyn Dialect, dataset: &str, table: &Table) -> String {
    let is_data = table.system(ColumnRole::RowId).is_some();
    let of = |c: &Column| match is_data && c.role.is_none() {
        true => definition(dialect, &Column { nullable: true, ..c.clone() }),
        false => definition(dialect, c),
    };
    let columns: Vec<String> = table.columns.iter().map(of).collect();
    format!("CREATE TABLE {} ({})", qualified(dataset, &table.name), columns.join(", "))
}

/// Returns the statement that adds a column to a table that may have rows: always nullable.
pub fn add_column(dialect: &dyn Dialect, dataset: &str, table: &str, column: &Column) -> String {
    let nullable = Column { nullable: true, ..column.clone() };
    format!("ALTER TABLE {} ADD COLUMN {}", qualified(dataset, table), definition(dialect, &nullable))
}

/// Returns the statement that takes a table away.
pub fn drop_table(dialect: &dyn Dialect, dataset: &str, table: &str) -> String {
    format!("DROP TABLE {}", dialect.qualified(dataset, table))
}

/// Returns the statements that make room for what a load would add: schema, tables, columns, in that order.
pub fn growth(dialect: &dyn Dialect, growth: &Growth<'_>) -> Vec<String> {
    let system = growth.schema.system_columns;
    let stood_there = |table: &str| growth.existing.iter().any(|t| t.table == table);
    let is_there = |table: &str| stood_there(table) && !growth.drops.iter().any(|t| t == table);
    let drops = growth.drops.iter().filter(|t| stood_there(t));
    let mut statements: Vec<String> = drops.map(|t| drop_table(dialect, growth.dataset, t)).collect();
    if growth.existing.is_empty() {
        statements.push(create_schema(growth.dataset));
    }
    for change in &growth.change.tables {
        let Some(table) = growth.schema.table(&change.table) else { continue };
        if !is_there(&change.table) {
            statements.push(create_table(dialect, growth.dataset, &validity_table(table, system)));
        } else if !change.is_new {
            for wider in &change.retyped {
                let column = table.column(&wider.column).filter(|_| wider.from.widens_to(wider.to));
                let widen = |c| widen_column(dialect, growth.dataset, &change.table, c, wider.from);
                statements.extend(column.map(widen));
            }
            statements.extend(change.columns.iter().map(|c| add_column(dialect, growth.dataset, &change.table, c)));
        }
    }
    let own = [SystemTable::Loads, SystemTable::Schemas, SystemTable::State].map(|t| system_table(system, t));
    let missing = own.iter().filter(|t| !is_there(&t.name));
    statements.extend(missing.map(|t| create_table(dialect, growth.dataset, t)));
    statements
}

/// Returns the statement that makes a column of a table that may have rows wider.
pub fn widen_column(dialect: &dyn Dialect, dataset: &str, table: &str, column: &Column, from: DataType) -> String {
    let (table, name) = (qualified(dataset, table), identifier(&column.name));
    let using = dialect.widened(&name, from, column.data_type);
    format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {} USING {using}", dialect.type_name(column.data_type))
}

/// Returns a query that counts the values which would not be the same in a column made wider; `None` when there are none.
pub fn inexact_values(dataset: &str, table: &str, column: &Column, from: DataType) -> Option<String> {
    let is_inexact = from == DataType::Bigint && column.data_type == DataType::Double;
    let (table, name) = (qualified(dataset, table), identifier(&column.name));
    is_inexact
        .then(|| format!("SELECT count(*) FROM {table} WHERE {name} > 9007199254740992 OR {name} < -9007199254740992"))
}

fn definition(dialect: &dyn Dialect, column: &Column) -> String {
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", identifier(&column.name), dialect.type_name(column.data_type))
}

/// Returns the loader's own table of that kind. In dlt mode these are dlt's tables, column by column
/// (`dlt/common/schema/utils.py`, `loads_table`, `version_table`; `dlt/pipeline/state_sync.py`).
pub fn system_table(system: SystemColumns, table: SystemTable) -> Table {
    use DataType::{Bigint, Text, Timestamp};
    let columns: &[(&str, DataType, bool)] = match (system, table) {
        (_, SystemTable::Rejects) => return longshore_core::destination::rejects_table(system),
        (SystemColumns::Native, SystemTable::Loads) => &[
            ("load_id", Bigint, false),
            ("pipeline", Text, false),
            ("schema_hash", Text, false),
            ("records", Bigint, false),
            ("rejected", Bigint, false),
            ("rows", Bigint, false),
            ("status", Bigint, false),
            ("inserted_at", Timestamp, false),
        ],
        (SystemColumns::Native, SystemTable::Schemas) => &[
            ("schema_hash", Text, false),
            ("pipeline", Text, false),
            ("load_id", Bigint, false),
            ("inserted_at", Timestamp, false),
            ("schema", Text, false),
        ],
        (SystemColumns::Native, SystemTable::State) => &[
            ("pipeline", Text, false),
            ("load_id", Bigint, false),
            ("inserted_at", Timestamp, false),
            ("state", Text, false),
        ],
        (SystemColumns::Dlt, SystemTable::Loads) => &[
            ("load_id", Text, false),
            ("schema_name", Text, true),
            ("status", Bigint, false),
            ("inserted_at", Timestamp, false),
            ("schema_version_hash", Text, true),
        ],
        (SystemColumns::Dlt, SystemTable::Schemas) => &[
            ("version", Bigint, false),
            ("engine_version", Bigint, false),
            ("inserted_at", Timestamp, false),
            ("schema_name", Text, false),
            ("version_hash", Text, false),
            ("schema", Text, false),
        ],
        (SystemColumns::Dlt, SystemTable::State) => &[
            ("version", Bigint, false),
            ("engine_version", Bigint, false),
            ("pipeline_name", Text, false),
            ("state", Text, false),
            ("created_at", Timestamp, false),
            ("version_hash", Text, true),
            ("_dlt_load_id", Text, false),
            ("_dlt_id", Text, false),
        ],
    };
    let mut made = Table::new(system.table_name(table), None);
    made.columns = columns
        .iter()
        .map(|&(name, data_type, nullable)| Column { nullable, ..Column::data(name, data_type) })
        .collect();
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;
    impl Dialect for Plain {
        fn type_name(&self, data_type: DataType) -> &'static str {
            data_type.as_str()
        }
    }

    #[test]
    fn statements_quote_every_name() {
        let mut table = Table::new("order", None);
        table.columns = vec![Column::data("group", DataType::Text), SystemColumns::Native.column(ColumnRole::RowId)];
        assert_eq!(
            create_table(&Plain, "raw", &table),
            r#"CREATE TABLE "raw"."order" ("group" text, "_row_id" bigint NOT NULL)"#
        );
        assert_eq!(
            add_column(&Plain, "raw", "order", &table.columns[1]),
            r#"ALTER TABLE "raw"."order" ADD COLUMN "_row_id" bigint"#
        );
    }
}
