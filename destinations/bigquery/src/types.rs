//! Our types in BigQuery's words, and which of them a column that is there already can take.

use crate::names::identifier;
use crate::near::Near;
use longshore_core::schema::{Column, DataType, SystemColumns};
use longshore_core::values::iso_timestamp::format_iso;
use longshore_sql::Dialect;
use serde_json::{Value, json};

/// A column of staging tables where the order of rows matters and no other column has it: dlt's ids tell nothing.
pub(crate) const STAGED_ROW: &str = "_longshore_row";

/// Digits behind the point of BigQuery's NUMERIC.
pub(crate) const NUMERIC_SCALE: u8 = 9;

/// BigQuery's SQL.
#[derive(Debug, Default)]
pub(crate) struct BigQueryDialect {
    /// What narrows a merge down.
    pub(crate) near: Option<Near>,
    /// The type of row ids, where statements are not run but looked at one by one: none can name what one before it
    /// would have made.
    pub(crate) dry: Option<&'static str>,
}

impl Dialect for BigQueryDialect {
    fn type_name(&self, data_type: DataType) -> &'static str {
        type_name(data_type)
    }

    fn identifier(&self, name: &str) -> String {
        identifier(name)
    }

    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        match system {
            SystemColumns::Native => row_id.to_owned(),
            SystemColumns::Dlt => identifier(STAGED_ROW),
        }
    }

    /// Temporary tables are the only ones that a transaction may make.
    fn scratch_table(&self, name: &str, query: &str) -> (String, String) {
        if let Some(kind) = self.dry {
            return (format!("(SELECT CAST(NULL AS {kind}) AS row_id)"), query.to_owned());
        }
        let name = identifier(name);
        let statement = format!("CREATE TEMP TABLE {name} AS {query}");
        (name, statement)
    }

    fn near(&self, of: &str) -> Option<String> {
        self.near.as_ref().map(|near| near.condition(of))
    }

    fn moment(&self, micros: i64) -> String {
        format!("TIMESTAMP '{}'", format_iso(micros))
    }
}

/// Returns the type as the API and SQL both spell it.
pub(crate) fn type_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Text => "STRING",
        DataType::Bigint => "INT64",
        DataType::Double => "FLOAT64",
        DataType::Bool => "BOOL",
        DataType::Timestamp => "TIMESTAMP",
        DataType::Json => "JSON",
        // NUMERIC has 29 digits before the point, ours have up to 38.
        DataType::Decimal => "BIGNUMERIC",
        DataType::Binary => "BYTES",
        DataType::Date => "DATE",
        DataType::Time => "TIME",
    }
}

/// Returns the type in a staging table. Load jobs take no JSON from Parquet, so it is text until the commit.
pub(crate) fn staged_type(data_type: DataType) -> DataType {
    if data_type == DataType::Json { DataType::Text } else { data_type }
}

/// Returns a column as the API describes it.
pub(crate) fn field(column: &Column, data_type: DataType, nullable: bool) -> Value {
    let mode = if nullable { "NULLABLE" } else { "REQUIRED" };
    let mut field = json!({"name": column.name, "type": type_name(data_type), "mode": mode});
    if let Some((precision, scale)) = decimal_size(column).filter(|_| data_type == DataType::Decimal) {
        field["precision"] = precision.to_string().into();
        field["scale"] = scale.to_string().into();
    }
    field
}

/// Returns digits, and those behind the point, of a decimal that does not hold all there can be.
pub(crate) fn decimal_size(column: &Column) -> Option<(u8, u8)> {
    let is_sized = column.data_type == DataType::Decimal && !column.column_type().is_plain();
    is_sized.then(|| column.column_type().decimal_size())
}

/// Returns the type of a column as SQL spells it.
pub(crate) fn sized_type_name(column: &Column) -> String {
    match decimal_size(column) {
        Some((precision, scale)) => format!("{}({precision}, {scale})", type_name(column.data_type)),
        None => type_name(column.data_type).to_owned(),
    }
}

/// The API answers with the old names of some types.
pub(crate) fn modern(name: &str) -> &str {
    match name {
        "INTEGER" => "INT64",
        "FLOAT" => "FLOAT64",
        "BOOLEAN" => "BOOL",
        "BIGDECIMAL" => "BIGNUMERIC",
        "DECIMAL" => "NUMERIC",
        "RECORD" => "STRUCT",
        other => other,
    }
}

/// Returns the SQL that brings a staged column into a column of type `there`; `None` when that one cannot hold it.
pub(crate) fn conversion(quoted: &str, data_type: DataType, there: &str) -> Option<String> {
    match (data_type, there) {
        (DataType::Json, "JSON") => Some(format!("PARSE_JSON({quoted})")),
        // Fails, and with it the load, where a number has more digits than NUMERIC.
        (DataType::Decimal, "NUMERIC") => Some(format!("CAST({quoted} AS NUMERIC)")),
        (DataType::Json, "STRING") | (DataType::Bigint, "NUMERIC" | "BIGNUMERIC") => Some(quoted.to_owned()),
        (data_type, there) if type_name(data_type) == there => Some(quoted.to_owned()),
        _ => None,
    }
}

/// True where a column of that type has fewer digits behind the point than ours: BigQuery rounds the others away and says
/// nothing.
pub(crate) fn rounds(kind: &str, ours: &Column) -> bool {
    kind == "NUMERIC" && ours.column_type().decimal_size().1 > NUMERIC_SCALE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_takes_its_own_type_and_what_loses_nothing() {
        for data_type in DataType::ALL {
            assert!(conversion("`c`", data_type, type_name(data_type)).is_some());
        }
        assert_eq!(conversion("`c`", DataType::Json, "JSON").as_deref(), Some("PARSE_JSON(`c`)"));
        assert_eq!(conversion("`c`", DataType::Bigint, "NUMERIC").as_deref(), Some("`c`"));
        assert_eq!(conversion("`c`", DataType::Text, "INT64"), None);
        assert_eq!(conversion("`c`", DataType::Bigint, "FLOAT64"), None);
    }
}
