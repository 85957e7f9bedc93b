//! SQL that reads data files: a table's files with the columns the table has now, whatever columns and types each
//! of them has.

use crate::config::{Compression, FileFormat};
use crate::manifest::{DataFile, FileColumn};
use longshore_core::schema::{ColumnType, DataType};
use longshore_sql::{identifier, literal};
use std::path::{Path, PathBuf};

/// The column that says which file a row is in; no column of a table is named so.
pub(crate) const FILE: &str = "_longshore file";

/// Returns a query of these columns over files, each with the columns it has; those with the same form and columns
/// are read together. `with_file` adds the column [`FILE`].
pub(crate) fn select<'a>(
    columns: &[FileColumn],
    files: impl Iterator<Item = &'a (DataFile, Vec<FileColumn>)>,
    path: impl Fn(&DataFile) -> PathBuf,
    with_file: bool,
) -> String {
    let mut groups: Vec<(Form, &[FileColumn], Vec<&DataFile>)> = Vec::new();
    for (file, columns) in files {
        let form = Form { format: file.format, of_dlt: file.of_dlt };
        match groups.iter_mut().find(|(known, of, _)| *known == form && *of == columns.as_slice()) {
            Some((.., files)) => files.push(file),
            None => groups.push((form, columns, vec![file])),
        }
    }
    if groups.is_empty() {
        return nothing(columns, with_file);
    }
    let select = |(form, in_files, files): (Form, &[FileColumn], Vec<&DataFile>)| {
        let mut values: Vec<String> = columns.iter().map(|c| value(c, in_files, form)).collect();
        values.extend(with_file.then(|| identifier(FILE)));
        let paths: Vec<PathBuf> = files.iter().map(|f| path(f)).collect();
        let longest = files.iter().map(|f| f.longest_line).max().unwrap_or_default();
        format!("SELECT {} FROM {}", values.join(", "), scan(form, in_files, &paths, longest, with_file))
    };
    groups.into_iter().map(select).collect::<Vec<_>>().join(" UNION ALL ")
}

/// What files are read as.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    format: FileFormat,
    of_dlt: bool,
}

/// The query of a table without rows.
pub(crate) fn nothing(columns: &[FileColumn], with_file: bool) -> String {
    let null = |c: &FileColumn| format!("NULL::{} AS {}", type_name(c.column_type), identifier(&c.name));
    let mut values: Vec<String> = columns.iter().map(null).collect();
    values.extend(with_file.then(|| format!("NULL::VARCHAR AS {}", identifier(FILE))));
    if values.is_empty() {
        return "SELECT 1 AS nothing WHERE false".to_owned();
    }
    format!("SELECT {} WHERE false", values.join(", "))
}

/// A column's value as the table has it, out of files that have it, maybe with another type, or have it not.
fn value(column: &FileColumn, in_file: &[FileColumn], form: Form) -> String {
    let name = identifier(&column.name);
    let wanted = type_name(column.column_type);
    let Some(found) = in_file.iter().find(|c| c.name == column.name) else {
        return format!("NULL::{wanted} AS {name}");
    };
    let read = match (form.format, found.column_type.data_type) {
        (FileFormat::Parquet(_), _) => name.clone(),
        (FileFormat::Csv(_), DataType::Binary) if form.of_dlt => format!("encode({name})"),
        (_, DataType::Binary) => format!("from_base64({name})"),
        _ => format!("CAST({name} AS {})", type_name(found.column_type)),
    };
    format!("CAST({read} AS {wanted}) AS {name}")
}

fn scan(form: Form, columns: &[FileColumn], paths: &[PathBuf], longest: u64, with_file: bool) -> String {
    let file = if with_file { format!(", filename = {}", literal(FILE)) } else { String::new() };
    let list = paths.iter().map(|p| literal(&escape_glob(p))).collect::<Vec<_>>().join(", ");
    // Not 'none': DuckDB cannot copy a plan that has it. By the files' names it finds that out by itself.
    let compression = match form.format.compression() {
        Compression::Gzip => "compression = 'gzip', ",
        Compression::Zstd => "compression = 'zstd', ",
        Compression::None | Compression::Snappy => "",
    };
    let typed = |type_of: fn(DataType) -> &'static str| {
        let pairs: Vec<String> = columns
            .iter()
            .map(|c| format!("{}: {}", literal(&c.name), literal(type_of(c.column_type.data_type))))
            .collect();
        pairs.join(", ")
    };
    match form.format {
        FileFormat::Parquet(_) => {
            format!("read_parquet([{list}], union_by_name = true, hive_partitioning = false{file})")
        }
        FileFormat::Jsonl(_) => format!(
            "read_json([{list}], format = 'newline_delimited', auto_detect = false, columns = {{{}}}, {compression}maximum_object_size = {}, hive_partitioning = false{file})",
            typed(json_type),
            longest.max(LEAST_JSON_LINE)
        ),
        FileFormat::Csv(_) => {
            // The header is a line too.
            let header: usize = columns.iter().map(|c| 2 * c.name.len() + 3).sum();
            let line = line_size(longest).max(line_size(header as u64));
            format!(
                "read_csv([{list}], auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = {}, columns = {{{}}}, {compression}max_line_size = {line}, buffer_size = {}, hive_partitioning = false{file})",
                form.of_dlt,
                typed(|_| "VARCHAR"),
                2 * line
            )
        }
    }
}

/// DuckDB expects lines of JSON of this size at least, whatever it is told (`maximum_object_size` in `json_scan.cpp`).
const LEAST_JSON_LINE: u64 = 16 << 20;
/// What it is told of CSV: with its own 2 MiB, buffers are 32 MiB.
const LEAST_CSV_LINE: u64 = 1 << 20;
/// What a thread needs for a Parquet file of large row groups, at most: in the least memory there is one thread.
const LARGE_ROW_GROUP: u64 = 32 << 20;
/// What is expected of CSV files whose longest line nobody wrote down.
const UNKNOWN_CSV_LINE: u64 = 16 << 20;

/// The longest line of CSV that DuckDB is told to expect: buffers are twice that, so it is no more than what files have.
fn line_size(longest: u64) -> u64 {
    match longest {
        0 => UNKNOWN_CSV_LINE,
        longest => (longest + 1024).max(LEAST_CSV_LINE),
    }
}

/// Returns the bytes that each thread needs which reads these files; measured. Of JSON a buffer for two lines, and the
/// values; of CSV such a buffer, the one before, and one for the line that stands in both.
pub(crate) fn thread_memory<'a>(files: impl Iterator<Item = &'a DataFile>) -> u64 {
    let needed = |file: &DataFile| match file.format {
        // Row groups of ours are small where there is little memory. Of a large one DuckDB reads pieces.
        FileFormat::Parquet(_) => (2 * file.longest_line).min(LARGE_ROW_GROUP),
        FileFormat::Jsonl(_) => 2 * file.longest_line.max(LEAST_JSON_LINE) + 2 * file.longest_line,
        FileFormat::Csv(_) => 6 * line_size(file.longest_line),
    };
    files.map(needed).max().unwrap_or_default()
}

/// In DuckDB's lists of files, too, `*`, `?` and `[` are patterns; a class of one character is itself.
pub(crate) fn escape_glob(path: &Path) -> String {
    let text = path.display().to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => out.extend(['[', c, ']']),
            c => out.push(c),
        }
    }
    out
}

/// What a JSON value is read as before it is cast: numbers and truth as such, the rest as text.
fn json_type(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Bigint => "BIGINT",
        DataType::Double => "DOUBLE",
        DataType::Bool => "BOOLEAN",
        DataType::Json => "JSON",
        _ => "VARCHAR",
    }
}

/// Returns DuckDB's type. Files keep whole numbers and texts in one size.
pub(crate) fn type_name(column_type: ColumnType) -> String {
    match column_type.data_type {
        DataType::Decimal => {
            let (precision, scale) = column_type.decimal_size();
            format!("DECIMAL({precision},{scale})")
        }
        DataType::Timestamp if !column_type.is_zoned() => "TIMESTAMP".to_owned(),
        data_type => plain_name(data_type).to_owned(),
    }
}

/// Returns DuckDB's type that holds every value.
pub(crate) fn plain_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Text => "VARCHAR",
        DataType::Bigint => "BIGINT",
        DataType::Double => "DOUBLE",
        DataType::Bool => "BOOLEAN",
        DataType::Timestamp => "TIMESTAMPTZ",
        DataType::Json => "JSON",
        DataType::Decimal => "DECIMAL(38,0)",
        DataType::Binary => "BLOB",
        DataType::Date => "DATE",
        DataType::Time => "TIME",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn needed(format: FileFormat, longest_line: u64) -> u64 {
        let path = String::new();
        let (of_dlt, bounds) = (false, BTreeMap::new());
        let file = DataFile { path, format, rows: 1, bytes: 1, columns: 1, longest_line, of_dlt, bounds };
        thread_memory([file].iter())
    }

    #[test]
    fn threads_need_as_much_as_lines_are_long() {
        let (jsonl, csv) = (FileFormat::Jsonl(Compression::None), FileFormat::Csv(Compression::None));
        let parquet = FileFormat::Parquet(Compression::None);
        assert_eq!((needed(parquet, 0), needed(parquet, 4 << 20), needed(parquet, 1 << 30)), (0, 8 << 20, 32 << 20));
        assert_eq!((needed(jsonl, 0), needed(jsonl, 24 << 20)), (32 << 20, 96 << 20));
        assert_eq!(needed(csv, 40), 6 << 20);
        assert!(needed(csv, 0) > needed(csv, 8 << 20) && needed(csv, 8 << 20) > 48 << 20);
    }
}
