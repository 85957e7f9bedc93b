//! Our types in DuckDB's words.

use longshore_core::schema::{DataType, SystemColumns};
use longshore_sql::Dialect;

/// DuckDB's SQL.
#[derive(Debug)]
pub(crate) struct DuckDialect;

/// Returns the data type of a column as DuckDB names its type; `None` for one that the loader does not make.
pub(crate) fn data_type(name: &str) -> Option<DataType> {
    DataType::ALL.into_iter().find(|t| DuckDialect.type_name(*t) == name)
}

impl Dialect for DuckDialect {
    /// Rows of a staging table stand in the order they were inserted.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        match system {
            SystemColumns::Native => row_id.to_owned(),
            SystemColumns::Dlt => "rowid".to_owned(),
        }
    }

    fn iso_text(&self, column: &str) -> String {
        format!("strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f') || '+00:00'")
    }

    fn type_name(&self, data_type: DataType) -> &'static str {
        match data_type {
            DataType::Text => "VARCHAR",
            DataType::Bigint => "BIGINT",
            DataType::Double => "DOUBLE",
            DataType::Bool => "BOOLEAN",
            DataType::Timestamp => "TIMESTAMP WITH TIME ZONE",
            DataType::Json => "JSON",
            DataType::Decimal => "DECIMAL(38,0)",
            DataType::Binary => "BLOB",
            DataType::Date => "DATE",
            DataType::Time => "TIME",
        }
    }
}
