//! A query's rows, with nothing lost between DuckDB's types and Arrow's.

use arrow_array::RecordBatch;
use duckdb::core::LogicalTypeId;
use longshore_core::answer::mark_json;
use longshore_sql::{AnswerColumn, describe, faithful, is_json};

/// Runs a query of the user's.
///
/// # Errors
/// When DuckDB refuses it, or its last statement of several has a type that Arrow has no form for.
pub fn rows(c: &duckdb::Connection, sql: &str) -> duckdb::Result<Vec<RecordBatch>> {
    let columns = columns(c, sql);
    let batches = run(c, faithful(sql, &columns).as_deref().unwrap_or(sql))?;
    Ok(mark_json(batches, |i| columns.get(i).is_some_and(is_json)))
}

/// The columns of a query; none of what DuckDB does not describe, or refuses.
fn columns(c: &duckdb::Connection, sql: &str) -> Vec<AnswerColumn> {
    let read = || {
        let mut statement = c.prepare(&describe(sql))?;
        let columns = statement.query_map([], |row| Ok(AnswerColumn { name: row.get(0)?, data_type: row.get(1)? }))?;
        columns.collect()
    };
    duckdb::Result::<Vec<AnswerColumn>>::unwrap_or_default(read())
}

fn run(c: &duckdb::Connection, sql: &str) -> duckdb::Result<Vec<RecordBatch>> {
    let mut statement = c.prepare(sql)?;
    let rows = statement.query_arrow([])?;
    let empty = RecordBatch::new_empty(rows.get_schema());
    let mut batches: Vec<RecordBatch> = rows.collect();
    let columns = empty.num_columns();
    if batches.is_empty() {
        batches.push(empty);
    }
    // Only what was not described still has such a type: the last of several statements.
    match (0..columns).find(|i| has_no_form(&statement.column_logical_type(*i).id())) {
        Some(_) => Err(no_form()),
        None => Ok(batches),
    }
}

/// As in `longshore_sql::faithful`.
fn has_no_form(id: &LogicalTypeId) -> bool {
    use LogicalTypeId::{Bignum, Bit, TimeTZ, UHugeint, Union};
    matches!(id, UHugeint | Bignum | Bit | Union | TimeTZ)
}

fn no_form() -> duckdb::Error {
    let text =
        "the rows have a type that is only printed for a single statement: cast it to VARCHAR, or ask by one SELECT";
    duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(duckdb::ffi::DuckDBError), Some(text.to_owned()))
}
