//! `longshore query`.

use super::runtime;
use crate::args::{Format, QueryArgs};
use crate::place::Place;
use arrow_array::RecordBatch;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

pub(crate) fn run(args: &QueryArgs) -> Result<ExitCode> {
    let place = Place::of(&args.place, Limits::default())?;
    let batches = runtime()?.block_on(place.destinations[0].destination.query(&place.dataset, &args.sql))?;
    print(&batches, args.format)?;
    Ok(ExitCode::SUCCESS)
}

fn print(batches: &[RecordBatch], format: Format) -> Result<()> {
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| Error::destination("the rows cannot be printed").source(e);
    let mut out = io::BufWriter::new(io::stdout());
    match format {
        Format::Table => {
            let table = arrow_cast::pretty::pretty_format_batches(batches).map_err(|e| failed(e.into()))?;
            writeln!(out, "{table}").or_else(ignore_closed)?;
        }
        Format::Csv => {
            let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(&mut out);
            batches.iter().try_for_each(|b| writer.write(b)).map_err(|e| failed(e.into()))?;
        }
        Format::Json => {
            let options = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = options.build::<_, arrow_json::writer::LineDelimited>(&mut out);
            batches.iter().try_for_each(|b| writer.write(b)).map_err(|e| failed(e.into()))?;
            writer.finish().map_err(|e| failed(e.into()))?;
        }
        Format::Parquet => parquet(batches, &mut out)?,
    }
    out.flush().or_else(ignore_closed)
}

fn parquet(batches: &[RecordBatch], out: &mut (impl Write + Send)) -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(
            Error::config("a Parquet file is no text").hint("send it to a file: --format parquet > rows.parquet")
        );
    }
    let Some(first) = batches.first() else { return Err(Error::internal("an answer without columns")) };
    let failed =
        |e: parquet::errors::ParquetError| Error::destination("the rows cannot be written as Parquet").source(e);
    let mut writer = parquet::arrow::ArrowWriter::try_new(out, first.schema(), None).map_err(failed)?;
    batches.iter().try_for_each(|b| writer.write(b)).map_err(failed)?;
    writer.close().map(|_| ()).map_err(failed)
}

/// `longshore query … | head` is no error.
fn ignore_closed(e: io::Error) -> Result<()> {
    if e.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Error::destination("cannot write to stdout").source(e))
}
