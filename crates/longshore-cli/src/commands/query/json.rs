//! Rows as JSON: one object a line.

use super::out::Out;
use super::{names, plain, unprintable};
use crate::say::unwritable;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_json::EncoderOptions;
use arrow_json::writer::{NullableEncoder, make_encoder};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use longshore_core::answer::is_json;
use longshore_core::error::Result;
use longshore_core::json::{Tape, write_compact};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;

pub(super) fn write(batches: &[RecordBatch], out: &mut Out<impl Write>) -> Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let keys: Vec<String> = names::distinct(&first.schema()).into_iter().map(|n| Value::from(n).to_string()).collect();
    let mut line = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(f, c)| Column::new(f, c));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unprintable)?;
        let mut cells = columns.iter().map(Column::cells).collect::<Result<Vec<_>, _>>().map_err(unprintable)?;
        for row in 0..batch.num_rows() {
            line.clear();
            for (i, (key, cell)) in keys.iter().zip(&mut cells).enumerate() {
                line.extend_from_slice(if i == 0 { b"{" } else { b"," });
                line.extend_from_slice(key.as_bytes());
                line.push(b':');
                cell.write(row, &mut line);
            }
            line.extend_from_slice(b"}\n");
            out.write_all(&line).map_err(unwritable)?;
        }
        if out.is_closed() {
            break;
        }
    }
    Ok(())
}

/// A column's values as JSON texts, for a format that knows nothing nested.
pub(super) fn texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let column = Column::new(&Arc::new(Field::new("", array.data_type().clone(), true)), array)?;
    let mut cells = column.cells()?;
    let mut text = |row: usize| {
        let mut text = Vec::new();
        cells.write(row, &mut text);
        String::from_utf8(text).map_err(|e| ArrowError::JsonError(e.to_string()))
    };
    (0..array.len()).map(|row| if array.is_null(row) { Ok(None) } else { text(row).map(Some) }).collect()
}

/// A column of a batch, as it can be written.
struct Column {
    field: FieldRef,
    array: ArrayRef,
    is_json: bool,
    options: EncoderOptions,
}

impl Column {
    fn new(field: &FieldRef, array: &ArrayRef) -> Result<Self, ArrowError> {
        let is_json = is_json(field);
        let array = if is_json { arrow_cast::cast(array, &DataType::Utf8)? } else { plain::for_text(array)? };
        let field = Arc::new(field.as_ref().clone().with_data_type(array.data_type().clone()));
        Ok(Column { field, array, is_json, options: EncoderOptions::default().with_explicit_nulls(true) })
    }

    fn cells(&self) -> Result<Cells<'_>, ArrowError> {
        Ok(match self.is_json {
            true => Cells::Documents(self.array.as_string()),
            false => Cells::Values(make_encoder(&self.field, &self.array, &self.options)?),
        })
    }
}

enum Cells<'a> {
    Values(NullableEncoder<'a>),
    /// Texts that are JSON already.
    Documents(&'a StringArray),
}

impl Cells<'_> {
    fn write(&mut self, row: usize, line: &mut Vec<u8>) {
        match self {
            Cells::Values(values) if values.is_null(row) => line.extend_from_slice(b"null"),
            Cells::Values(values) => values.encode(row, line),
            Cells::Documents(texts) if texts.is_null(row) => line.extend_from_slice(b"null"),
            Cells::Documents(texts) => document(texts.value(row), line),
        }
    }
}

/// Writes the document with every digit of its numbers, on one line; a text that is no JSON after all stays a text.
fn document(text: &str, line: &mut Vec<u8>) {
    let mut tape = Tape::default();
    match tape.parse(text.as_bytes(), 0) {
        Ok(end) if text[end..].trim().is_empty() => write_compact(&tape, text.as_bytes(), 0, line),
        _ => line.extend_from_slice(Value::from(text).to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_stays_on_its_line() {
        let of = |text: &str| {
            let mut line = Vec::new();
            document(text, &mut line);
            String::from_utf8(line).unwrap()
        };
        assert_eq!(of(" {\n \"a\": 1.50\r\n}\n"), "{\"a\":1.50}");
        assert_eq!((of("{broken"), of("1 2")), ("\"{broken\"".to_owned(), "\"1 2\"".to_owned()));
    }
}
