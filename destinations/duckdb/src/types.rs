//! Our types in DuckDB's words.

use longshore_core::schema::{DataType, SystemColumns};
use longshore_sql::Dialect;

/// DuckDB's SQL.
#[derive(Debug)]
pub(crate) struct DuckDialect;

impl Dialect for DuckDialect {
    /// Rows of a staging table stand in the order they were inserted.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        match system {
            SystemColumns::Native => row_id.to_owned(),
            SystemColumns::Dlt => "rowid".to_owned(),
        }
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
