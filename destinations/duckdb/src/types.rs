//! Our types in DuckDB's words.

use longshore_core::schema::{ColumnType, DataType, SystemColumns};
use longshore_sql::{Dialect, identifier, qualified};

/// DuckDB's SQL.
#[derive(Debug, Clone, Default)]
pub(crate) struct DuckDialect {
    /// The database's name, where the dataset has the same: DuckDB cannot tell `shop.orders` of the database from that
    /// of the schema.
    catalog: Option<String>,
}

impl DuckDialect {
    /// Returns the SQL for a dataset of a database.
    pub(crate) fn of(catalog: &str, dataset: &str) -> Self {
        DuckDialect { catalog: catalog.eq_ignore_ascii_case(dataset).then(|| catalog.to_owned()) }
    }

    /// Returns the SQL for a dataset of the database that a connection is to.
    pub(crate) fn ask(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<Self> {
        let catalog: String = c.query_row("SELECT current_database()", [], |r| r.get(0))?;
        Ok(DuckDialect::of(&catalog, dataset))
    }
}

/// Returns the type of a column as DuckDB names it; `None` for one that the loader does not make.
pub(crate) fn column_type(name: &str) -> Option<ColumnType> {
    let sized = |t, precision| Some(ColumnType::sized(t, Some(precision), None, false));
    match name {
        "TINYINT" => return sized(DataType::Bigint, 8),
        "SMALLINT" => return sized(DataType::Bigint, 16),
        "INTEGER" => return sized(DataType::Bigint, 32),
        "TIMESTAMP_S" => return sized(DataType::Timestamp, 0),
        "TIMESTAMP_MS" => return sized(DataType::Timestamp, 3),
        "TIMESTAMP" => return Some(ColumnType::sized(DataType::Timestamp, None, None, false)),
        _ => {}
    }
    if let Some((precision, scale)) = name.strip_prefix("DECIMAL(").and_then(|n| n.strip_suffix(')')?.split_once(',')) {
        let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
        return Some(ColumnType::sized(DataType::Decimal, Some(precision), Some(scale), true));
    }
    DataType::ALL.into_iter().find(|t| DuckDialect::default().type_name(*t) == name).map(ColumnType::from)
}

impl Dialect for DuckDialect {
    fn schema(&self, dataset: &str) -> String {
        match &self.catalog {
            Some(catalog) => qualified(catalog, dataset),
            None => identifier(dataset),
        }
    }

    /// Rows of a staging table stand in the order they were inserted.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        match system {
            SystemColumns::Native => row_id.to_owned(),
            SystemColumns::Dlt => "rowid".to_owned(),
        }
    }

    /// Without time zones' names, which a DuckDB built from source does not know. Infinite moments have no microseconds.
    fn in_utc(&self, moment: &str) -> String {
        format!("COALESCE(make_timestamp(epoch_us({moment})), CAST(CAST({moment} AS VARCHAR) AS TIMESTAMP))")
    }

    fn iso_text(&self, moment: &str) -> String {
        format!("strftime({moment}, '%Y-%m-%dT%H:%M:%S.%f') || '+00:00'")
    }

    /// A text of any length is one type, and moments with a time zone have one precision.
    fn sized_type_name(&self, column_type: ColumnType) -> String {
        let name = match (column_type.data_type, column_type.precision()) {
            (DataType::Decimal, _) => {
                let (precision, scale) = column_type.decimal_size();
                return format!("DECIMAL({precision},{scale})");
            }
            (DataType::Bigint, Some(8)) => "TINYINT",
            (DataType::Bigint, Some(16)) => "SMALLINT",
            (DataType::Bigint, Some(_)) => "INTEGER",
            (DataType::Timestamp, precision) if !column_type.is_zoned() => match precision {
                Some(0) => "TIMESTAMP_S",
                Some(1..=3) => "TIMESTAMP_MS",
                _ => "TIMESTAMP",
            },
            (data_type, _) => self.type_name(data_type),
        };
        name.to_owned()
    }

    fn makes_comments(&self) -> bool {
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known_again() {
        for data_type in DataType::ALL {
            for precision in [None, Some(0), Some(3), Some(16), Some(32)] {
                for is_zoned in [true, false] {
                    let made = ColumnType::sized(data_type, precision, None, is_zoned);
                    let name = DuckDialect::default().sized_type_name(made);
                    let known = column_type(&name).unwrap();
                    assert_eq!(DuckDialect::default().sized_type_name(known), name, "{made}");
                }
            }
        }
        assert!(column_type("UUID").is_none());
    }

    #[test]
    fn moments_become_texts_in_utc_whatever_the_time_zone() {
        let c = duckdb::Connection::open_in_memory().unwrap();
        let text = DuckDialect::default().widened("m", DataType::Timestamp.into(), DataType::Text.into());
        let said = |moment: &str| -> String {
            c.query_row(&format!("SELECT {text} FROM (SELECT CAST('{moment}' AS TIMESTAMPTZ) AS m)"), [], |r| r.get(0))
                .unwrap()
        };
        let _ = c.execute_batch("SET TimeZone = 'America/New_York'"); // not every build has time zones
        assert_eq!(said("2024-01-01 10:00:00.000001+02:00"), "2024-01-01T08:00:00.000001+00:00");
        assert_eq!(said("0001-01-01 00:00:00Z"), "0001-01-01T00:00:00.000000+00:00");
        assert!(said("-infinity").starts_with("-infinity"));
    }

    #[test]
    fn a_dataset_named_as_its_file_is_told_from_it() {
        assert_eq!(DuckDialect::of("Shop", "shop").qualified("shop", "t"), "\"Shop\".\"shop\".\"t\"");
        assert_eq!(DuckDialect::of("shop", "raw").qualified("raw", "t"), "\"raw\".\"t\"");
    }
}
