//! Rows for reading, in a frame.

use super::out::Out;
use super::{plain, unprintable};
use crate::say::unwritable;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use longshore_core::error::Result;
use std::io::Write;
use std::sync::Arc;

pub(super) fn write(batches: &[RecordBatch], out: &mut Out<impl Write>) -> Result<()> {
    let texts = batches.iter().map(texts).collect::<Result<Vec<_>>>()?;
    let table = arrow_cast::pretty::pretty_format_batches(&texts).map_err(unprintable)?;
    writeln!(out, "{table}").map_err(unwritable)
}

/// The batch with every value as the text that is shown.
fn texts(batch: &RecordBatch) -> Result<RecordBatch> {
    let column = |array: &ArrayRef| -> Result<ArrayRef> {
        let array = plain::for_text(array).map_err(unprintable)?;
        Ok(Arc::new(plain::texts(&array, |text| visible(&text)).map_err(unprintable)?))
    };
    let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>>>()?;
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|f| Field::new(visible(f.name()), DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(unprintable)
}

/// What would steer a terminal is shown instead of sent: a value must not clear the screen. A line's end stays one.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && c != '\n' {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\u{1b}[2J\r\t\u{9b}\nnaïve"), "a\\u{1b}[2J\\r\\t\\u{9b}\nnaïve");
    }
}
