//! Columns of the dataset that hold less than a load's: PostgreSQL rounds values without a word, so such loads are refused;
//! of values that are too large or too long it says that there is one, and not in which column.

use crate::catalog::{TableColumn, Tables};
use crate::types::PostgresDialect;
use longshore_core::destination::Opening;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::{Column, DataType, Table};
use longshore_sql::Dialect;

/// Refuses the load's tables as far as they are known.
pub(crate) fn check_known(existing: &Tables, opening: &Opening) -> Result<()> {
    opening.tables.iter().try_for_each(|table| check(existing, table))
}

/// Refuses a table with a column that would round its values.
pub(crate) fn check(existing: &Tables, table: &Table) -> Result<()> {
    for (column, there) in both(existing, table) {
        if rounds(column, there) {
            let needed = PostgresDialect.sized_type_name(column.column_type());
            return Err(column.rounded(&there.type_name, there.column_type, &needed).with("table", &table.name));
        }
    }
    Ok(())
}

/// The table's columns that are there already, with what they are there.
fn both<'a>(existing: &'a Tables, table: &'a Table) -> impl Iterator<Item = (&'a Column, &'a TableColumn)> {
    let there = existing.get(&table.name).map_or(&[][..], Vec::as_slice);
    table.columns.iter().filter_map(|column| Some((column, there.iter().find(|k| k.name == column.name)?)))
}

fn rounds(column: &Column, there: &TableColumn) -> bool {
    use DataType::{Bigint, Decimal, Double, Text};
    match (there.type_name.as_str(), column.data_type) {
        ("real", own) => matches!(own, Bigint | Decimal | Double),
        ("\"char\"" | "name", own) => own == Text,
        ("money", own) => own == Decimal,
        // A double becomes a decimal of fifteen digits, whatever its size.
        (name, Double) if name.starts_with("numeric") => true,
        (name, Decimal) if there.column_type.is_none() => {
            scale_of(name).is_some_and(|scale| scale < i64::from(column.column_type().decimal_size().1))
        }
        _ => there.column_type.is_some_and(|there| column.is_rounded_by(there)),
    }
}

/// The digits behind the point of a `numeric(50,2)`, which the loader does not make.
fn scale_of(name: &str) -> Option<i64> {
    let size = name.strip_prefix("numeric(")?.strip_suffix(')')?;
    Some(size.split_once(',').map_or(0, |(_, scale)| scale.trim().parse().unwrap_or(0)))
}

/// Names the columns that may be the ones where a value has no room, if the server has not said which one it is.
pub(crate) fn name_suspects(error: Error, existing: &Tables, table: &Table) -> Error {
    if error.kind() != ErrorKind::Data || error.context().iter().any(|(key, _)| *key == "column") {
        return error;
    }
    let is_smaller =
        |own: &Column, there: &TableColumn| there.column_type.is_some_and(|t| t.widens_to(own.column_type()));
    let smaller = both(existing, table).filter(|(own, there)| is_smaller(own, there));
    let named: Vec<String> = smaller.map(|(own, there)| format!("{} ({})", own.name, there.type_name)).collect();
    match named.as_slice() {
        [] => error,
        [one] => error.with("column", one),
        several => error.with("one of the columns", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::column_type;
    use longshore_core::schema::ColumnType;

    fn there(name: &str, type_name: &str) -> Tables {
        let column =
            TableColumn { name: name.to_owned(), column_type: column_type(type_name), type_name: type_name.to_owned() };
        Tables::from([("t".to_owned(), vec![column])])
    }

    fn table(column_type: ColumnType) -> Table {
        Table { columns: vec![Column::of_type("n", column_type)], ..Table::new("t", None) }
    }

    #[test]
    fn columns_that_round_are_refused_whoever_made_them() {
        let decimal = |precision, scale| ColumnType::sized(DataType::Decimal, Some(precision), Some(scale), true);
        for (own, type_name, is_refused) in [
            (DataType::Double.into(), "numeric(6,2)", true),
            (DataType::Double.into(), "numeric", true),
            (DataType::Double.into(), "real", true),
            (DataType::Double.into(), "double precision", false),
            (DataType::Double.into(), "integer", false),
            (decimal(10, 4), "numeric", false),
            (decimal(10, 4), "numeric(50,3)", true),
            (decimal(10, 4), "numeric(50,4)", false),
            (decimal(10, 4), "money", true),
            (DataType::Timestamp.into(), "timestamp(0) with time zone", true),
            (DataType::Timestamp.into(), "date", true),
            (DataType::Text.into(), "character varying(4)", false),
            (DataType::Bigint.into(), "integer", false),
        ] {
            let checked = check(&there("n", type_name), &table(own));
            assert_eq!(checked.is_err(), is_refused, "{own} into {type_name}");
        }
        assert!(check(&there("other", "real"), &table(DataType::Double.into())).is_ok());
    }

    #[test]
    fn a_value_without_room_has_a_column() {
        let error = || Error::new(ErrorKind::Data, "PostgreSQL cannot store a value");
        let named = name_suspects(error(), &there("n", "character varying(4)"), &table(DataType::Text.into()));
        assert_eq!(named.context(), [("column", "n (character varying(4))".to_owned())]);
        let said = name_suspects(error().with("column", "x"), &there("n", "integer"), &table(DataType::Bigint.into()));
        assert_eq!(said.context().len(), 1);
    }
}
