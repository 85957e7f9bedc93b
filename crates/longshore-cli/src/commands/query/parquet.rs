//! Rows as a Parquet file, on stdout.

use super::out::Out;
use super::{names, plain, unprintable};
use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use longshore_core::error::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

pub(super) fn write(batches: &[RecordBatch], out: &mut Out<impl Write + Send>) -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(
            Error::config("a Parquet file is no text").hint("send it to a file: --format parquet > rows.parquet")
        );
    }
    let batches = writable(batches)?;
    let Some(first) = batches.first() else { return Err(Error::internal("an answer without columns")) };
    try_out(&first.schema())?;
    let mut writer = ArrowWriter::try_new(out, first.schema(), None).map_err(failed)?;
    batches.iter().try_for_each(|b| writer.write(b)).map_err(failed)?;
    writer.close().map(|_| ()).map_err(failed)
}

/// Finds a type that Parquet does not have before the first byte goes out.
fn try_out(schema: &SchemaRef) -> Result<()> {
    let nulls = schema.fields().iter().map(|f| new_null_array(f.data_type(), 1)).collect();
    let row = RecordBatch::try_new(Arc::clone(schema), nulls).map_err(unprintable)?;
    let mut nowhere = ArrowWriter::try_new(io::sink(), Arc::clone(schema), None).map_err(failed)?;
    nowhere.write(&row).map_err(failed)?;
    nowhere.close().map(|_| ()).map_err(failed)
}

fn failed(e: ParquetError) -> Error {
    Error::destination("the rows cannot be written as Parquet")
        .hint("cast what is unusual to text in the query, as in SELECT v::VARCHAR")
        .source(e)
}

/// The batches with texts for what Parquet has no type for.
fn writable(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let mut columns = Vec::new();
    for i in 0..first.num_columns() {
        let arrays: Vec<_> = batches.iter().map(|b| Arc::clone(b.column(i))).collect();
        columns.push(plain::for_parquet(&arrays).map_err(unprintable)?.into_iter());
    }
    let mut schema: Option<SchemaRef> = None;
    let mut changed = Vec::new();
    for batch in batches {
        let arrays: Vec<_> = columns.iter_mut().filter_map(Iterator::next).collect();
        let schema = schema.get_or_insert_with(|| {
            let names = names::distinct(&batch.schema());
            let fields = batch
                .schema()
                .fields()
                .iter()
                .zip(&arrays)
                .zip(names)
                .map(|((field, array), name)| {
                    field.as_ref().clone().with_name(name).with_data_type(array.data_type().clone()).with_nullable(true)
                })
                .collect::<Vec<_>>();
            Arc::new(Schema::new(fields))
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options);
        changed.push(batch.map_err(unprintable)?);
    }
    Ok(changed)
}
