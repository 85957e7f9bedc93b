//! Columns whose type becomes a wider one: whole numbers become doubles or decimals.
//!
//! BigQuery can do no more in place, and that only by a statement, outside of transactions
//! (<https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#alter_column_set_data_type_statement>).
//! It comes before the commit, like new columns: all rows that are there keep their values.

use crate::api::Api;
use crate::names::{identifier, qualified};
use crate::options::TableOptions;
use crate::query::{Query, rows};
use crate::types::{modern, sized_type_name};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::{Column, DataType, Table};
use serde_json::Value;

/// A column and the type it is to get.
pub(crate) type Wider = (String, String);

/// Returns the columns of a table as it is that are to be wider in the load.
pub(crate) fn wider(fields: &[Value], table: &Table, options: &TableOptions) -> Result<Vec<Wider>> {
    let mut wider = Vec::new();
    for there in fields.iter().filter(|f| f["mode"].as_str() != Some("REPEATED")) {
        let name = there["name"].as_str().unwrap_or_default();
        let ours = table.columns.iter().find(|c| c.name.to_lowercase() == name.to_lowercase());
        if let Some(ours) = ours.filter(|c| outgrows(c, there)) {
            let set = options.kind(ours)?.map(str::to_owned);
            wider.push((name.to_owned(), set.unwrap_or_else(|| sized_type_name(ours))));
        }
    }
    Ok(wider)
}

/// True for a number that is more than whole in a column of whole numbers, and for a decimal that is larger than its column.
fn outgrows(column: &Column, there: &Value) -> bool {
    match (column.data_type, modern(there["type"].as_str().unwrap_or_default())) {
        (DataType::Double | DataType::Decimal, "INT64") => true,
        (DataType::Decimal, "NUMERIC" | "BIGNUMERIC") if there["precision"].is_string() => {
            let number = |key: &str| there[key].as_str().and_then(|n| n.parse::<i32>().ok()).unwrap_or_default();
            let (precision, scale) = column.column_type().decimal_size();
            let (precision, scale) = (i32::from(precision), i32::from(scale));
            scale > number("scale") || precision - scale > number("precision") - number("scale")
        }
        _ => false,
    }
}

/// Returns the statement that makes a column wider.
pub(crate) fn statement(dataset: &str, table: &str, column: &str, kind: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} SET DATA TYPE {kind}", qualified(dataset, table), identifier(column))
}

/// Makes columns wider. Numbers of others that a double does not hold are not touched: the load fails instead.
pub(crate) async fn widen(api: &Api, dataset: &str, table: &str, columns: &[Wider]) -> Result<()> {
    for (column, kind) in columns {
        let ask = |sql| Query { sql, ..Query::default() };
        if kind == "FLOAT64" {
            let name = identifier(column);
            let sql = format!(
                "SELECT COUNT(*) FROM {} WHERE {name} > 9007199254740992 OR {name} < -9007199254740992",
                qualified(dataset, table)
            );
            let count = rows(api, &ask(sql)).await?;
            if count.rows.first().is_none_or(|row| row.first().and_then(Value::as_str) != Some("0")) {
                return Err(Error::new(
                    ErrorKind::Data,
                    "a column of whole numbers cannot become double: it has some that a double does not hold",
                )
                .with("column", column)
                .hint("another pipeline wrote them: load with --on-type-conflict variant"));
            }
        }
        rows(api, &ask(statement(dataset, table, column, kind))).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_and_sized_decimals_become_wider() {
        let mut table = Table::new("t", None);
        let kinds =
            [("a", DataType::Double), ("b", DataType::Decimal), ("c", DataType::Double), ("d", DataType::Bigint)];
        table.columns = kinds.map(|(name, kind)| Column::data(name, kind)).into();
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind});
        let fields = [field("A", "INTEGER"), field("b", "INT64"), field("c", "FLOAT"), field("d", "INTEGER")];
        let found = wider(&fields, &table, &TableOptions::default()).unwrap();
        assert_eq!(found, [("A".into(), "FLOAT64".into()), ("b".into(), "BIGNUMERIC".into())]);
        let sized = |precision: &str| json!({"name": "b", "type": "BIGNUMERIC", "precision": precision, "scale": "2"});
        table.columns[1].properties.precision = Some(12);
        table.columns[1].properties.scale = Some(2);
        let found = wider(&[sized("10")], &table, &TableOptions::default()).unwrap();
        assert_eq!(found, [("b".into(), "BIGNUMERIC(12, 2)".into())]);
        assert!(wider(&[sized("12")], &table, &TableOptions::default()).unwrap().is_empty());
        assert_eq!(statement("d", "t", "A", "FLOAT64"), "ALTER TABLE `d`.`t` ALTER COLUMN `A` SET DATA TYPE FLOAT64");
    }
}
