//! Layouts: the names of data files, with dlt's placeholders (`dlt/destinations/path_utils.py`).

mod dates;
mod names;

pub(crate) use names::{MANIFESTS, PENDING, STAGING, hex_hash, path_safe};

use chrono::{DateTime, Utc};
use dates::{DATES, date_part};
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::nearest;
use names::{OWN_FOLDERS, RECORDS};
use std::collections::BTreeMap;

/// dlt's layout.
pub(crate) const DEFAULT: &str = "{table_name}/{load_id}.{file_id}.{ext}";

/// Placeholders that are not parts of a date.
const NAMES: [&str; 10] = [
    "schema_name",
    "table_name",
    "load_id",
    "file_id",
    "ext",
    "curr_date",
    "timestamp",
    "timestamp_ms",
    "load_package_timestamp",
    "load_package_timestamp_ms",
];

/// A checked layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder(String),
    /// An extra placeholder's constant.
    Constant(String),
}

/// What one file's name is made of.
#[derive(Debug)]
pub(crate) struct FileName<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) table: &'a str,
    pub(crate) load_id: &'a str,
    /// Moment of the load.
    pub(crate) loaded: DateTime<Utc>,
    /// Moment the date placeholders speak of.
    pub(crate) current: DateTime<Utc>,
    pub(crate) number: usize,
    pub(crate) extension: &'a str,
}

impl Layout {
    /// Checks a layout. `extra` are placeholders of the user's own, with their constants.
    ///
    /// # Errors
    /// When a placeholder is unknown or missing, or the names of two files could be the same.
    pub fn parse(text: &str, extra: &BTreeMap<String, String>) -> Result<Self> {
        let wrong = |why: String| Error::config(format!("the layout is wrong: {why}")).with("layout", text);
        let mut pieces = split(text).map_err(wrong)?;
        for piece in &mut pieces {
            let Piece::Placeholder(name) = piece else { continue };
            if let Some(value) = extra.get(name.as_str()) {
                *piece = Piece::Constant(value.clone());
            } else if !NAMES.contains(&name.as_str()) && !DATES.contains(&name.as_str()) {
                let known: Vec<&str> =
                    NAMES.iter().chain(&DATES).copied().chain(extra.keys().map(String::as_str)).collect();
                let hint = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {{{near}}}?"),
                    None => format!("placeholders are {}, and those of extra_placeholders", known.join(", ")),
                };
                return Err(wrong(format!("there is no placeholder {{{name}}}")).hint(hint));
            }
        }
        check_order(&pieces).map_err(wrong)?;
        let has = |name: &str| pieces.contains(&Piece::Placeholder(name.to_owned()));
        if !has("file_id") {
            return Err(wrong("{file_id} is missing, so the files of one load would overwrite each other".to_owned())
                .hint(format!("dlt's default is {DEFAULT}")));
        }
        if !has("ext") {
            pieces.push(Piece::Literal(".".to_owned()));
            pieces.push(Piece::Placeholder("ext".to_owned()));
        }
        check_literals(&pieces).map_err(wrong)?;
        Ok(Layout { text: text.to_owned(), pieces })
    }

    /// Returns the layout as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the path of a file below the dataset's folder.
    pub(crate) fn path(&self, file: &FileName<'_>) -> String {
        let mut path = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) | Piece::Constant(text) => path.push_str(text),
                Piece::Placeholder(name) => path.push_str(&self.value(name, file)),
            }
        }
        path
    }

    /// Returns what the paths of one table's files begin with, below the dataset, and those of no other table; `None` where
    /// the layout has nothing of the kind.
    pub(crate) fn table_prefix(&self, schema: &str, table: &str) -> Option<String> {
        let mut prefix = String::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(text) | Piece::Constant(text) => prefix.push_str(text),
                Piece::Placeholder(name) if name == "schema_name" => prefix.push_str(&path_safe(schema)),
                Piece::Placeholder(_) => {
                    // Only the table's name may come here.
                    let Some(Piece::Literal(next)) = self.pieces.get(i + 1) else { return None };
                    let rest = match next.find('/') {
                        Some(at) => &next[..=at],
                        // What may be a part of a longer name tells no table.
                        None if next.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-')) => {
                            return None;
                        }
                        None => next,
                    };
                    return Some(format!("{prefix}{}{rest}", path_safe(table)));
                }
            }
        }
        None
    }

    fn value(&self, name: &str, file: &FileName<'_>) -> String {
        match name {
            "schema_name" => path_safe(file.pipeline),
            "table_name" => path_safe(file.table),
            "load_id" => file.load_id.to_owned(),
            "file_id" => self.file_id(file),
            "ext" => file.extension.to_owned(),
            "curr_date" => file.current.format("%Y-%m-%d").to_string(),
            "timestamp" => file.current.timestamp().to_string(),
            "timestamp_ms" => file.current.timestamp_millis().to_string(),
            "load_package_timestamp" => file.loaded.timestamp().to_string(),
            "load_package_timestamp_ms" => file.loaded.timestamp_millis().to_string(),
            date => date_part(date, file.current),
        }
    }

    /// Ten characters as dlt's: the same for the same pipeline, load and number. Where the layout
    /// has no load id, the id alone keeps loads apart.
    fn file_id(&self, file: &FileName<'_>) -> String {
        let has_load_id = self.pieces.contains(&Piece::Placeholder("load_id".to_owned()));
        let load_id = if has_load_id { "" } else { file.load_id };
        let mut of = hex_hash(&format!("{}\n{load_id}", file.pipeline));
        of.truncate(if has_load_id { 6 } else { 16 });
        format!("{of}{:04}", file.number)
    }
}

fn split(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        if rest.as_bytes()[at] == b'}' {
            return Err("a '}' has no '{' before it".to_owned());
        }
        let Some(end) = rest[at..].find('}').map(|end| at + end) else {
            return Err("a '{' has no '}' after it".to_owned());
        };
        if at > 0 {
            pieces.push(Piece::Literal(rest[..at].to_owned()));
        }
        pieces.push(Piece::Placeholder(rest[at + 1..end].to_owned()));
        rest = &rest[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Ok(pieces)
}

/// dlt's rules: `{table_name}` is there, only `{schema_name}` stands before it, and a separator behind it,
/// so that the files of a table can be told by their prefix.
fn check_order(pieces: &[Piece]) -> Result<(), String> {
    let is = |name: &'static str| move |p: &Piece| *p == Piece::Placeholder(name.to_owned());
    let Some(at) = pieces.iter().position(is("table_name")) else {
        return Err("{table_name} is missing".to_owned());
    };
    let stranger = pieces[..at].iter().find_map(|p| match p {
        Piece::Placeholder(name) if name != "schema_name" => Some(format!("{{{name}}}")),
        Piece::Constant(value) => Some(format!("'{value}'")),
        _ => None,
    });
    if let Some(stranger) = stranger {
        return Err(format!("only {{schema_name}} may stand before {{table_name}}, not {stranger}"));
    }
    match pieces.get(at + 1) {
        Some(Piece::Literal(_)) | None => Ok(()),
        Some(_) => Err("a separator such as / is missing behind {table_name}".to_owned()),
    }
}

fn check_literals(pieces: &[Piece]) -> Result<(), String> {
    let mut path = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) | Piece::Constant(text) => path.push_str(text),
            Piece::Placeholder(_) => path.push('x'),
        }
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("a file's name cannot have control characters or backslashes".to_owned());
    }
    if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("it begins or ends with '/', or has an empty folder, '.' or '..' in it".to_owned());
    }
    let folder = path.split('/').next().unwrap_or_default();
    if OWN_FOLDERS.contains(&folder) || RECORDS.contains(&folder) {
        return Err(format!("the folder {folder} is the destination's own"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(layout: &str, extra: &[(&str, &str)]) -> String {
        let extra = extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let loaded = DateTime::parse_from_rfc3339("2024-03-07T05:06:09.012345Z").unwrap().to_utc();
        let file = FileName {
            pipeline: "shop",
            table: "orders",
            load_id: "1709787969012345",
            loaded,
            current: loaded,
            number: 3,
            extension: "parquet",
        };
        Layout::parse(layout, &extra).unwrap().path(&file)
    }

    fn refusal(layout: &str) -> String {
        let error = Layout::parse(layout, &BTreeMap::new()).unwrap_err();
        format!("{error}: {}", error.hint_text().unwrap_or_default())
    }

    #[test]
    fn placeholders_are_dlts() {
        let ours = path(DEFAULT, &[]);
        assert!(ours.starts_with("orders/1709787969012345.") && ours.ends_with("0003.parquet"), "{ours}");
        assert_eq!(ours.split('.').nth(1).unwrap().len(), 10);
        let dates = "{table_name}/{YYYY} {YY} {Y} {MMMM} {MMM} {MM} {M} {DD} {D} {HH} {H} {mm} {m} {ss} {s} {dddd} {ddd} {dd} {d} {SSSS} {SSS} {SS} {S} {Q} {curr_date} {timestamp} {timestamp_ms}/{file_id}";
        let whole = path(dates, &[]);
        let middle = whole.split('/').nth(1).unwrap();
        assert_eq!(
            middle,
            "2024 24 2024 march mar 03 3 07 7 05 5 06 6 09 9 thursday thu th 4 0123 012 01 0 1 2024-03-07 1709787969 1709787969012"
        );
        let hive =
            path("{schema_name}/{table_name}/year={YYYY}/{region}/{load_id}.{file_id}.{ext}", &[("region", "eu")]);
        assert!(hive.starts_with("shop/orders/year=2024/eu/1709787969012345."), "{hive}");
        assert!(path("{table_name}/{load_id}.{file_id}", &[]).ends_with(".parquet"));
    }

    #[test]
    fn a_table_is_told_by_what_its_files_begin_with() {
        let prefix = |layout| Layout::parse(layout, &BTreeMap::new()).unwrap().table_prefix("shop", "orders");
        assert_eq!(prefix(DEFAULT).as_deref(), Some("orders/"));
        assert_eq!(prefix("{schema_name}/t_{table_name}.d/{YYYY}/{file_id}").as_deref(), Some("shop/t_orders.d/"));
        assert_eq!(prefix("all/{table_name}.{file_id}.{ext}").as_deref(), Some("all/orders."));
        assert_eq!(prefix("{table_name}_{file_id}.{ext}"), None);
        assert_eq!(prefix("{table_name}_x/{file_id}.{ext}").as_deref(), Some("orders_x/"));
    }

    #[test]
    fn a_wrong_layout_is_refused_with_the_reason() {
        assert!(refusal("{tablename}/{file_id}.{ext}").contains("did you mean {table_name}?"));
        assert!(refusal("{table_name}/{yyyy}/{file_id}").contains("did you mean {YYYY}?"));
        assert!(refusal("{table_name}/{banana}/{file_id}").contains("placeholders are schema_name"));
        assert!(refusal("{load_id}.{file_id}").contains("{table_name} is missing"));
        assert!(refusal("{load_id}/{table_name}/{file_id}").contains("only {schema_name} may stand before"));
        assert!(refusal("{table_name}{file_id}.{ext}").contains("separator"));
        assert!(refusal("{table_name}/{load_id}.{ext}").contains("{file_id} is missing"));
        assert!(refusal("{table_name}/../{file_id}").contains(".."));
        assert!(refusal("/{table_name}/{file_id}").contains("begins"));
        assert!(refusal("{table_name/{file_id}").contains("no placeholder"));
        assert!(refusal("{table_name}/{file_id").contains("no '}'"));
        assert!(refusal("_manifests/{table_name}/{file_id}").contains("own"));
        assert!(refusal("_dlt_loads/{table_name}.{file_id}").contains("own"));
    }
}
