//! What one SQL database writes differently from another.

use longshore_core::schema::DataType;

/// The particulars of a database's SQL.
///
/// The defaults are standard SQL as PostgreSQL and DuckDB speak it.
pub trait Dialect {
    /// Returns the column type that holds that data type.
    fn type_name(&self, data_type: DataType) -> &'static str;

    /// Returns an expression that orders staged rows as their records came; by default the row id, which
    /// rises in native mode.
    fn staged_order(&self, row_id: &str) -> String {
        row_id.to_owned()
    }

    /// Returns the name and the statement of a table that holds a query's rows until the transaction's end.
    fn scratch_table(&self, name: &str, query: &str) -> (String, String) {
        let name = crate::quote::identifier(name);
        let statement = format!("CREATE TEMPORARY TABLE {name} AS {query}");
        (name, statement)
    }

    /// Returns a moment, in microseconds since 1970, as a literal.
    fn moment(&self, micros: i64) -> String {
        format!("TIMESTAMP WITH TIME ZONE '{}'", longshore_core::values::iso_timestamp::format_iso(micros))
    }
}
