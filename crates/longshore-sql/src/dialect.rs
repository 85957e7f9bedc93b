//! What one SQL database writes differently from another.

use longshore_core::schema::{ColumnType, DataType, SystemColumns};

/// The particulars of a database's SQL.
///
/// The defaults are standard SQL as PostgreSQL and DuckDB speak it.
pub trait Dialect {
    /// Returns the column type that holds every value of that data type.
    fn type_name(&self, data_type: DataType) -> &'static str;

    /// Returns the column type that holds that type with its size, as far as the database knows such sizes.
    fn sized_type_name(&self, column_type: ColumnType) -> String {
        self.type_name(column_type.data_type).to_owned()
    }

    /// Returns true when unique and plain indexes are made of the columns that ask for them.
    fn makes_indexes(&self) -> bool {
        false
    }

    /// Returns true when descriptions of columns are written to the database.
    fn makes_comments(&self) -> bool {
        false
    }

    /// Returns a name as the database quotes it: any character, any case, reserved words too.
    fn identifier(&self, name: &str) -> String {
        crate::quote::identifier(name)
    }

    /// Returns a dataset's name, quoted, so that it is no other thing's.
    fn schema(&self, dataset: &str) -> String {
        self.identifier(dataset)
    }

    /// Returns a table's name with its dataset's, quoted.
    fn qualified(&self, dataset: &str, table: &str) -> String {
        format!("{}.{}", self.schema(dataset), self.identifier(table))
    }

    /// Returns the expression by which a column of one type becomes one of a wider type, each value keeping its value.
    /// Texts are as the loader writes them.
    fn widened(&self, column: &str, from: ColumnType, to: ColumnType) -> String {
        let type_name = self.sized_type_name(to);
        let text = match from.data_type {
            DataType::Bool if to.data_type == DataType::Text => {
                format!("CASE WHEN {column} THEN 'True' WHEN NOT {column} THEN 'False' END")
            }
            DataType::Timestamp if from.is_zoned() => self.iso_text(&self.in_utc(column)),
            DataType::Timestamp => self.iso_text(column),
            _ => format!("CAST({column} AS {})", self.type_name(DataType::Text)),
        };
        let is_text = matches!(from.data_type, DataType::Timestamp | DataType::Date | DataType::Time);
        match to.data_type {
            _ if from.data_type == to.data_type => format!("CAST({column} AS {type_name})"),
            DataType::Text => text,
            DataType::Json if is_text => format!("CAST('\"' || {text} || '\"' AS {type_name})"),
            DataType::Json => format!("CAST({text} AS {type_name})"),
            _ => format!("CAST({column} AS {type_name})"),
        }
    }

    /// Returns a moment with a time zone as one without, in UTC.
    fn in_utc(&self, moment: &str) -> String {
        format!("{moment} AT TIME ZONE 'UTC'")
    }

    /// Returns a moment, given without a time zone and in UTC, as ISO text with its offset.
    fn iso_text(&self, moment: &str) -> String {
        format!("to_char({moment}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+00:00'")
    }

    /// Returns the column that orders staged rows as their records came. In native mode that is the row id, which
    /// rises; in dlt mode ids tell nothing, and the destination needs something of its own.
    fn staged_order(&self, system: SystemColumns, row_id: &str) -> String {
        let _ = system;
        row_id.to_owned()
    }

    /// Returns the name and the statement of a table that holds a query's rows until the transaction's end.
    fn scratch_table(&self, name: &str, query: &str) -> (String, String) {
        let name = self.identifier(name);
        let statement = format!("CREATE TEMPORARY TABLE {name} AS {query}");
        (name, statement)
    }

    /// Returns a condition that every row meets which may have the key of a staged row, `of` (`d.`, or nothing) before its
    /// columns: where tables are divided, rows are then looked for and deleted in some of the parts only.
    fn near(&self, of: &str) -> Option<String> {
        let _ = of;
        None
    }

    /// Returns a moment, in microseconds since 1970, as a literal.
    fn moment(&self, micros: i64) -> String {
        format!("TIMESTAMP WITH TIME ZONE '{}'", longshore_core::values::iso_timestamp::format_iso(micros))
    }
}
