//! Rows for reading, in a frame.

use super::out::Out;
use super::{plain, unprintable};
use crate::say::unwritable;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use longshore_core::error::Result;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

pub(super) fn write(batches: &[RecordBatch], out: &mut Out<impl Write>) -> Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let names: Vec<String> = first.schema().fields().iter().map(|f| visible(f.name())).collect();
    let mut frame = Frame { widths: names.iter().map(|name| width(name)).collect() };
    for batch in batches {
        for (widest, column) in frame.widths.iter_mut().zip(batch.columns()) {
            *widest = texts(column)?.iter().flatten().map(width).fold(*widest, usize::max);
        }
    }
    frame.rule(out).map_err(unwritable)?;
    frame.row(&names.iter().map(String::as_str).collect::<Vec<_>>(), out).map_err(unwritable)?;
    frame.rule(out).map_err(unwritable)?;
    for batch in batches {
        // The texts are made a second time: all of them at once would be many times the values.
        let columns = batch.columns().iter().map(texts).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if out.is_closed() {
                return Ok(());
            }
            frame.row(&cells(&columns, row), out).map_err(unwritable)?;
        }
    }
    frame.rule(out).map_err(unwritable)
}

/// How wide the columns are.
struct Frame {
    widths: Vec<usize>,
}

impl Frame {
    fn rule(&self, out: &mut impl Write) -> io::Result<()> {
        self.widths.iter().try_for_each(|width| write!(out, "+{:-<1$}", "", width + 2))?;
        writeln!(out, "+")
    }

    /// A row is as high as its highest cell.
    fn row(&self, cells: &[&str], out: &mut impl Write) -> io::Result<()> {
        let height = cells.iter().map(|cell| cell.split('\n').count()).max().unwrap_or(1);
        let mut lines: Vec<_> = cells.iter().map(|cell| cell.split('\n')).collect();
        for _ in 0..height {
            for (lines, width) in lines.iter_mut().zip(&self.widths) {
                let text = lines.next().unwrap_or_default();
                write!(out, "| {text}{:1$} ", "", width.saturating_sub(text.width()))?;
            }
            writeln!(out, "|")?;
        }
        Ok(())
    }
}

/// Columns a text takes on a terminal.
fn width(text: &str) -> usize {
    text.split('\n').map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// The texts of a row; null is nothing.
fn cells(columns: &[StringArray], row: usize) -> Vec<&str> {
    columns.iter().map(|c| if c.is_null(row) { "" } else { c.value(row) }).collect()
}

/// Every value as the text that is shown.
fn texts(array: &ArrayRef) -> Result<StringArray> {
    let array = plain::for_text(array).map_err(unprintable)?;
    plain::texts(&array, |text| visible(&text)).map_err(unprintable)
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
    fn a_cell_may_be_wide_high_and_empty() {
        let frame = Frame { widths: vec![4, 1] };
        let mut said = Vec::new();
        frame.rule(&mut said).unwrap();
        frame.row(&["日本", ""], &mut said).unwrap();
        frame.row(&["x\ny\n", "1"], &mut said).unwrap();
        let expected = "+------+---+\n| 日本 |   |\n| x    | 1 |\n| y    |   |\n|      |   |\n";
        assert_eq!(String::from_utf8(said).unwrap(), expected);
        assert_eq!((width("日本\nabc"), width("")), (4, 0));
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\u{1b}[2J\r\t\u{9b}\nnaïve"), "a\\u{1b}[2J\\r\\t\\u{9b}\nnaïve");
    }
}
