//! What one SQL database writes differently from another.

use longshore_core::schema::{DataType, SystemColumns};

/// The particulars of a database's SQL.
///
/// The defaults are standard SQL as PostgreSQL and DuckDB speak it.
pub trait Dialect {
    /// Returns the column type that holds that data type.
    fn type_name(&self, data_type: DataType) -> &'static str;

    /// Returns a name as the database quotes it: any character, any case, reserved words too.
    fn identifier(&self, name: &str) -> String {
        crate::quote::identifier(name)
    }

    /// Returns a table's name with its dataset's, quoted.
    fn qualified(&self, dataset: &str, table: &str) -> String {
        format!("{}.{}", self.identifier(dataset), self.identifier(table))
    }

    /// Returns the column that orders staged rows as their records came. In native mode that is the row id, which
    /// rises; in dlt mode ids tell nothing, and the destination needs something of its own.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        let _ = system;
        row_id.to_owned()
    }

    /// Returns the name and the statement of a table that holds a query's rows until the transaction's end.
    fn scratch_table(&self, name: &str, query: &str) -> (String, String) {
        let name = self.identifier(name);
        let statement = format!("CREATE TEMPORARY TABLE {name} AS {query}");
        (name, statement)
    }

    /// Returns a moment, in microseconds since 1970, as a literal.
    fn moment(&self, micros: i64) -> String {
        format!("TIMESTAMP WITH TIME ZONE '{}'", longshore_core::values::iso_timestamp::format_iso(micros))
    }
}
