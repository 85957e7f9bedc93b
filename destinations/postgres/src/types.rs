//! Our types in PostgreSQL's words.

use longshore_core::schema::{DataType, SystemColumns};
use longshore_sql::Dialect;

/// PostgreSQL's SQL.
#[derive(Debug)]
pub(crate) struct PostgresDialect;

/// Returns the data type of a column as PostgreSQL names its type; `None` for one that the loader does not make.
pub(crate) fn data_type(name: &str) -> Option<DataType> {
    DataType::ALL.into_iter().find(|t| PostgresDialect.type_name(*t) == name)
}

impl Dialect for PostgresDialect {
    /// Where a staged row stands: several connections bring rows, each in its order.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        match system {
            SystemColumns::Native => row_id.to_owned(),
            SystemColumns::Dlt => "ctid".to_owned(),
        }
    }

    fn type_name(&self, data_type: DataType) -> &'static str {
        match data_type {
            DataType::Text => "text",
            DataType::Bigint => "bigint",
            DataType::Double => "double precision",
            DataType::Bool => "boolean",
            DataType::Timestamp => "timestamp with time zone",
            DataType::Json => "jsonb",
            DataType::Decimal => "numeric(38,0)",
            DataType::Binary => "bytea",
            DataType::Date => "date",
            DataType::Time => "time without time zone",
        }
    }
}
