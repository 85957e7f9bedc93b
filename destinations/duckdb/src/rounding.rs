//! Columns of the dataset that would round a load's values: DuckDB does so without a word, so the load is refused.

use crate::types::{DuckDialect, column_type};
use longshore_core::destination::Opening;
use longshore_core::error::Result;
use longshore_core::schema::{Column, ColumnType, DataType, Table};
use longshore_sql::Dialect;
use std::collections::BTreeMap;

/// The types of the dataset's columns when the load began, in DuckDB's words, by table.
pub(crate) type Types = BTreeMap<String, Vec<(String, String)>>;

/// Refuses the load's tables as far as they are known.
pub(crate) fn check_known(types: &Types, opening: &Opening) -> Result<()> {
    opening.tables.iter().filter(|t| !opening.drops.contains(&t.name)).try_for_each(|table| check(types, table))
}

/// Refuses a table with a column that is smaller there.
pub(crate) fn check(types: &Types, table: &Table) -> Result<()> {
    let Some(there) = types.get(&table.name) else { return Ok(()) };
    for column in &table.columns {
        let same = there.iter().find(|(name, _)| name.eq_ignore_ascii_case(&column.name));
        if let Some((_, there)) = same.filter(|(_, there)| rounds(column, there)) {
            let needed = DuckDialect::default().sized_type_name(column.column_type());
            return Err(column.rounded(there, column_type(there), &needed).with("table", &table.name));
        }
    }
    Ok(())
}

fn rounds(column: &Column, there: &str) -> bool {
    use DataType::{Bigint, Decimal, Double};
    match there {
        "FLOAT" => matches!(column.data_type, Bigint | Decimal | Double),
        // Whole numbers of sizes that the loader does not make.
        "UTINYINT" | "USMALLINT" | "UINTEGER" | "UBIGINT" | "HUGEINT" | "UHUGEINT" => {
            column.data_type == Double || column.column_type().decimal_size().1 > 0
        }
        _ => column_type(there).is_some_and(|there: ColumnType| column.is_rounded_by(there)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_columns_are_refused_with_their_types() {
        let types = Types::from([("t".to_owned(), vec![("N".to_owned(), "DECIMAL(6,2)".to_owned())])]);
        let mut table = Table::new("t", None);
        table.columns = vec![Column::data("n", DataType::Double)];
        let error = check(&types, &table).unwrap_err();
        let context: Vec<&str> = error.context().iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(context, ["n", "DECIMAL(6,2)", "double", "t"]);
        table.columns[0].name = "other".to_owned();
        assert!(check(&types, &table).is_ok());
        let double = Column::data("n", DataType::Double);
        assert!(rounds(&double, "FLOAT") && rounds(&double, "UBIGINT") && !rounds(&double, "DOUBLE"));
        assert!(!rounds(&double, "UUID"));
    }
}
