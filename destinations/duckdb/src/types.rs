//! Our types in DuckDB's words.

use longshore_core::schema::DataType;
use longshore_sql::Dialect;

/// DuckDB's SQL.
#[derive(Debug)]
pub(crate) struct DuckDialect;

impl Dialect for DuckDialect {
    /// Rows of a staging table stand in the order they were appended.
    fn staged_order(&self, _row_id: &str) -> String {
        "rowid".to_owned()
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
