//! Rows as comma-separated values. Null is nothing at all, an empty text is `""`; what is nested is JSON.

use super::out::Out;
use super::{json, plain, unprintable};
use crate::say::unwritable;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use longshore_core::error::Result;
use std::io::Write;

pub(super) fn write(batches: &[RecordBatch], out: &mut Out<impl Write>) -> Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let schema = first.schema();
    line(out, schema.fields().iter().map(|f| Some(f.name().as_str())))?;
    for batch in batches {
        let columns = batch.columns().iter().map(texts).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            line(out, columns.iter().map(|c| (!arrow_array::Array::is_null(c, row)).then(|| c.value(row))))?;
        }
        if out.is_closed() {
            break;
        }
    }
    Ok(())
}

fn texts(array: &ArrayRef) -> Result<StringArray> {
    let array = plain::for_text(array).map_err(unprintable)?;
    match array.data_type().is_nested() {
        true => json::texts(&array),
        false => plain::texts(&array, |text| text),
    }
    .map_err(unprintable)
}

fn line<'a>(out: &mut impl Write, cells: impl ExactSizeIterator<Item = Option<&'a str>>) -> Result<()> {
    // A line with nothing on it is no row for most readers.
    let is_alone = cells.len() == 1;
    let mut text = String::new();
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            text.push(',');
        }
        let value = cell.unwrap_or_default();
        let is_quoted = value.is_empty() && (cell.is_some() || is_alone) || value.contains([',', '"', '\n', '\r']);
        match is_quoted {
            true => text.extend(["\"", &value.replace('"', "\"\""), "\""]),
            false => text.push_str(value),
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes()).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_the_empty_text_look_different() {
        let of = |cells: &[Option<&str>]| {
            let mut text = Vec::new();
            line(&mut text, cells.iter().copied()).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(of(&[Some(""), None, Some("a,b"), Some("\"\r"), Some(" x")]), "\"\",,\"a,b\",\"\"\"\r\", x\n");
        assert_eq!(of(&[None]), "\"\"\n");
    }
}
