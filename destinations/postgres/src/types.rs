//! Our types in PostgreSQL's words.

use longshore_core::schema::{ColumnType, DataType, SystemColumns};
use longshore_sql::Dialect;

/// What `varchar` can be told to hold at most.
const MOST_CHARACTERS: u32 = 10_485_760;

/// PostgreSQL's SQL.
#[derive(Debug)]
pub(crate) struct PostgresDialect;

/// Returns the type of a column as PostgreSQL names it (`format_type`); `None` for one that the loader does not make.
pub(crate) fn column_type(name: &str) -> Option<ColumnType> {
    let (plain, size) = match name.split_once('(') {
        Some((head, rest)) => {
            let (size, tail) = rest.split_once(')')?;
            (format!("{head}{tail}"), size)
        }
        None => (name.to_owned(), ""),
    };
    let mut numbers = size.split(',').map(|n| n.trim().parse::<u32>().ok());
    let (precision, scale) = (numbers.next().flatten(), numbers.next().flatten());
    let of = |data_type, precision| Some(ColumnType::sized(data_type, precision, scale, true));
    match plain.as_str() {
        "smallint" => of(DataType::Bigint, Some(16)),
        "integer" => of(DataType::Bigint, Some(32)),
        "character varying" => of(DataType::Text, precision),
        // Any size at all, and more than a package has.
        "numeric" if precision.is_none_or(|p| p > 38) => None,
        "numeric" => of(DataType::Decimal, precision),
        "timestamp without time zone" => Some(ColumnType::sized(DataType::Timestamp, precision, None, false)),
        "timestamp with time zone" => of(DataType::Timestamp, precision),
        "time without time zone" => of(DataType::Time, precision),
        other => DataType::ALL.into_iter().find(|t| PostgresDialect.type_name(*t) == other).map(ColumnType::from),
    }
}

impl Dialect for PostgresDialect {
    /// Where a staged row stands: several connections bring rows, each in its order.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        match system {
            SystemColumns::Native => row_id.to_owned(),
            SystemColumns::Dlt => "ctid".to_owned(),
        }
    }

    fn sized_type_name(&self, column_type: ColumnType) -> String {
        let zone = if column_type.is_zoned() { "with" } else { "without" };
        match (column_type.data_type, column_type.precision()) {
            (DataType::Decimal, _) => {
                let (precision, scale) = column_type.decimal_size();
                format!("numeric({precision},{scale})")
            }
            (DataType::Bigint, Some(..=16)) => "smallint".to_owned(),
            (DataType::Bigint, Some(_)) => "integer".to_owned(),
            (DataType::Text, Some(characters)) if characters <= MOST_CHARACTERS => {
                format!("character varying({characters})")
            }
            (DataType::Timestamp, Some(digits)) => format!("timestamp({digits}) {zone} time zone"),
            (DataType::Timestamp, None) => format!("timestamp {zone} time zone"),
            (DataType::Time, Some(digits)) => format!("time({digits}) without time zone"),
            (data_type, _) => self.type_name(data_type).to_owned(),
        }
    }

    fn makes_indexes(&self) -> bool {
        true
    }

    fn makes_comments(&self) -> bool {
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known_again() {
        for data_type in DataType::ALL {
            for precision in [None, Some(0), Some(3), Some(16), Some(32)] {
                for is_zoned in [true, false] {
                    let made = ColumnType::sized(data_type, precision, Some(2), is_zoned);
                    let name = PostgresDialect.sized_type_name(made);
                    let known = column_type(&name).unwrap();
                    assert_eq!(PostgresDialect.sized_type_name(known), name, "{made}");
                }
            }
        }
        assert_eq!(column_type("numeric(10,2)"), Some(ColumnType::sized(DataType::Decimal, Some(10), Some(2), true)));
        assert!(
            column_type("uuid").is_none()
                && column_type("numeric").is_none()
                && column_type("numeric(156,78)").is_none()
        );
    }
}
