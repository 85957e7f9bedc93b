//! Creating and growing tables.

use crate::dialect::Dialect;
use crate::merge::validity_table;
use crate::quote::{identifier, literal};
use longshore_core::destination::Growth;
use longshore_core::naming;
use longshore_core::schema::{Column, ColumnRole, ColumnType, DataType, SystemColumns, SystemTable, Table};

/// Returns the statement that makes the dataset where it is missing.
pub fn create_schema(dialect: &dyn Dialect, dataset: &str) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {}", dialect.schema(dataset))
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
    format!("CREATE TABLE {} ({})", dialect.qualified(dataset, &table.name), columns.join(", "))
}

/// Returns the statement that adds a column to a table that may have rows: always nullable.
pub fn add_column(dialect: &dyn Dialect, dataset: &str, table: &str, column: &Column) -> String {
    let nullable = Column { nullable: true, ..column.clone() };
    format!("ALTER TABLE {} ADD COLUMN {}", dialect.qualified(dataset, table), definition(dialect, &nullable))
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
        statements.push(create_schema(dialect, growth.dataset));
    }
    for change in &growth.change.tables {
        let Some(table) = growth.schema.table(&change.table) else { continue };
        if !is_there(&change.table) {
            statements.push(create_table(dialect, growth.dataset, &validity_table(table, system)));
            statements.extend(table.columns.iter().flat_map(|c| hinted(dialect, growth.dataset, &table.name, c)));
        } else if !change.is_new {
            for wider in &change.retyped {
                let column = table.column(&wider.column).filter(|_| wider.from.widens_to(wider.to));
                let widen = |c| widen_column(dialect, growth.dataset, &change.table, c, wider.from);
                statements.extend(column.map(widen));
            }
            statements.extend(change.columns.iter().map(|c| add_column(dialect, growth.dataset, &change.table, c)));
            let also = change.hinted.iter().filter_map(|h| table.column(&h.column));
            let of = change.columns.iter().chain(also);
            statements.extend(of.flat_map(|c| hinted(dialect, growth.dataset, &change.table, c)));
        }
    }
    let missing = own_tables(growth).filter(|t| !is_there(&t.name));
    statements.extend(missing.map(|t| create_table(dialect, growth.dataset, &t)));
    statements
}

/// Returns the statement that makes a column of a table that may have rows wider.
pub fn widen_column(dialect: &dyn Dialect, dataset: &str, table: &str, column: &Column, from: ColumnType) -> String {
    let (table, name) = (dialect.qualified(dataset, table), identifier(&column.name));
    let to = column.column_type();
    let using = dialect.widened(&name, from, to);
    format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {} USING {using}", dialect.sized_type_name(to))
}

/// Returns a query that counts the values which would not be the same in a column made wider; `None` when there are none.
pub fn inexact_values(
    dialect: &dyn Dialect,
    dataset: &str,
    table: &str,
    column: &Column,
    from: ColumnType,
) -> Option<String> {
    let is_inexact = from.data_type == DataType::Bigint && column.data_type == DataType::Double;
    let (table, name) = (dialect.qualified(dataset, table), identifier(&column.name));
    is_inexact
        .then(|| format!("SELECT count(*) FROM {table} WHERE {name} > 9007199254740992 OR {name} < -9007199254740992"))
}

/// Returns the statements that make what hints ask for of a column, beside its type: indexes and a description. They may
/// be run again.
pub fn hinted(dialect: &dyn Dialect, dataset: &str, table: &str, column: &Column) -> Vec<String> {
    let mut statements = Vec::new();
    let (of, name) = (dialect.qualified(dataset, table), identifier(&column.name));
    if dialect.makes_indexes() && (column.properties.unique || column.properties.index) {
        let unique = if column.properties.unique { "UNIQUE " } else { "" };
        let index = identifier(&index_name(table, column));
        statements.push(format!("CREATE {unique}INDEX IF NOT EXISTS {index} ON {of} ({name})"));
    }
    if let Some(text) = column.properties.description.as_deref().filter(|_| dialect.makes_comments()) {
        statements.push(format!("COMMENT ON COLUMN {of}.{name} IS {}", literal(text)));
    }
    statements
}

/// Returns a query that counts the values which a column has more than once, up to one of them.
pub fn repeated_values(dialect: &dyn Dialect, dataset: &str, table: &str, column: &str) -> String {
    let (table, name) = (dialect.qualified(dataset, table), identifier(column));
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {name} IS NOT NULL GROUP BY {name} HAVING count(*) > 1 LIMIT 1) AS r"
    )
}

/// Longest name of an index that every database here keeps.
const INDEX_NAME: usize = 63;

fn index_name(table: &str, column: &Column) -> String {
    let kind = if column.properties.unique { "unique" } else { "index" };
    let name = format!("{table}__{}__{kind}", column.name);
    if name.is_ascii() && name.len() <= INDEX_NAME {
        return name;
    }
    // Characters may take up to four bytes each.
    naming::shorten(&name, &name, if name.is_ascii() { INDEX_NAME } else { INDEX_NAME / 4 })
}

fn definition(dialect: &dyn Dialect, column: &Column) -> String {
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", identifier(&column.name), dialect.sized_type_name(column.column_type()))
}

/// Returns the loader's own tables that a load writes to.
pub fn own_tables(growth: &Growth<'_>) -> impl Iterator<Item = Table> {
    let system = growth.schema.system_columns;
    let rejects = growth.rejects.then_some(SystemTable::Rejects);
    let own = [SystemTable::Loads, SystemTable::Schemas, SystemTable::State].into_iter().chain(rejects);
    own.map(move |table| system_table(system, table))
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

    #[test]
    fn what_hints_ask_for_is_made_where_it_can_be() {
        struct All;
        impl Dialect for All {
            fn type_name(&self, data_type: DataType) -> &'static str {
                data_type.as_str()
            }
            fn makes_indexes(&self) -> bool {
                true
            }
            fn makes_comments(&self) -> bool {
                true
            }
        }
        let mut column = Column::data("sku", DataType::Text);
        column.properties.unique = true;
        column.properties.description = Some("the maker's".to_owned());
        let expect = [
            r#"CREATE UNIQUE INDEX IF NOT EXISTS "t__sku__unique" ON "raw"."t" ("sku")"#,
            r#"COMMENT ON COLUMN "raw"."t"."sku" IS 'the maker''s'"#,
        ];
        assert_eq!(hinted(&All, "raw", "t", &column), expect);
        assert!(hinted(&Plain, "raw", "t", &column).is_empty());
        let of = |table: &str| index_name(table, &column);
        let (a, b) = (of(&"ä".repeat(40)), of(&format!("{}b", "ä".repeat(39))));
        assert!(a != b && a.len() <= INDEX_NAME && of(&"x".repeat(80)).len() <= INDEX_NAME, "{a} {b}");
    }

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
