//! Our types in PostgreSQL's words.

use longshore_core::schema::DataType;
use longshore_sql::Dialect;

/// PostgreSQL's SQL.
#[derive(Debug)]
pub(crate) struct PostgresDialect;

impl Dialect for PostgresDialect {
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
