//! `longshore query`.

mod csv;
mod json;
mod missing;
mod moments;
mod names;
mod out;
mod parquet;
mod plain;
mod table;

use super::runtime;
use crate::args::{Cli, Format, QueryArgs};
use crate::place::{Addresses, Place, data_dir};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use out::Out;
use std::io;
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli, args: &QueryArgs) -> Result<ExitCode> {
    if !has_statement(&args.sql) {
        return Err(
            Error::config("there is no statement in the query").hint("such as: longshore query \"FROM orders\"")
        );
    }
    let addresses = Addresses::here(Limits::default())?;
    let place = Place::to_read(&addresses, &data_dir(cli.data_dir.as_ref())?, args.place.said())?;
    let asked = place.first();
    let batches = runtime()?.block_on(async {
        match asked.destination.query(&place.dataset, &args.sql).await {
            Ok(batches) => Ok(batches),
            Err(e) => Err(missing::explain(e, asked.destination.as_ref(), &place, &args.sql).await),
        }
    })?;
    print(&batches, args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// False for what is nothing but spaces, semicolons and comments.
fn has_statement(sql: &str) -> bool {
    let rest = sql.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    if let Some(comment) = rest.strip_prefix("--") {
        return comment.split_once('\n').is_some_and(|(_, rest)| has_statement(rest));
    }
    match rest.strip_prefix("/*") {
        Some(comment) => comment.split_once("*/").is_none_or(|(_, rest)| has_statement(rest)),
        None => !rest.is_empty(),
    }
}

fn print(batches: &[RecordBatch], format: Format) -> Result<()> {
    let mut out = Out::new(io::stdout());
    match format {
        Format::Table => table::write(batches, &mut out)?,
        Format::Csv => csv::write(batches, &mut out)?,
        Format::Json => json::write(batches, &mut out)?,
        Format::Parquet => parquet::write(batches, &mut out)?,
    }
    out.close()
}

fn unprintable(e: ArrowError) -> Error {
    Error::destination("the rows cannot be printed").source(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_statement() {
        for sql in ["", " ;\n; ", "-- SELECT 1", "--\n;", "/* SELECT 1 */ ;"] {
            assert!(!has_statement(sql), "{sql}");
        }
        for sql in ["SELECT 1", ";SELECT 1", "-- a\nSELECT 1", "/* a */ SELECT 1", "/* never closed"] {
            assert!(has_statement(sql), "{sql}");
        }
    }
}
