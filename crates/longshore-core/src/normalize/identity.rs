//! Ids of root rows that follow from the record itself: of its key where a merge finds it again by that, of all
//! of it where versions are kept.
//!
//! dlt gives root rows such ids for the same strategies (`dlt/common/normalizers/json/relational.py`,
//! `_get_row_hash_or_id`), so that a dataset can be continued by either. In native mode ids are numbers; the
//! hash of a version stands in a column of its own, and once a table has it, every load fills it, however it writes:
//! so a version that an append brought is known again by the next `scd2`.

use super::row_id::text_id;
use super::shape::Shape;
use crate::json::{Kind, Tape, unescape, write_as_dlt, write_sorted_as_dlt};
use crate::naming;
use crate::schema::{ColumnRole, Disposition, MergeStrategy, SystemColumns};

/// What a root row's id or hash is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing in the record.
    None,
    /// The primary key.
    Key,
    /// The whole record.
    Record,
}

impl Identity {
    pub(super) fn of(shape: &Shape) -> Self {
        if shape.root_has(ColumnRole::RowHash) {
            return Identity::Record;
        }
        let write = &shape.settings.write;
        match (write.disposition, write.strategy, shape.settings.system) {
            (Disposition::Append | Disposition::Replace, ..) => Identity::None,
            (_, MergeStrategy::Scd2, _) => Identity::Record,
            (_, MergeStrategy::DeleteInsert, _) | (.., SystemColumns::Native) => Identity::None,
            (_, MergeStrategy::Upsert | MergeStrategy::InsertOnly | MergeStrategy::Cdc, SystemColumns::Dlt) => {
                Identity::Key
            }
        }
    }

    /// Returns the id; `None` when nothing is to be made of, as for a record without its key.
    pub(super) fn id(self, shape: &Shape, tape: &Tape, bytes: &[u8], index: usize) -> Option<String> {
        let mut text = Vec::new();
        match self {
            Identity::None => return None,
            Identity::Record if tape.nodes()[index].kind == Kind::Object => {
                write_sorted_as_dlt(tape, bytes, index, "_dlt", &mut text);
            }
            Identity::Record => {
                text.extend_from_slice(b"{\"value\":");
                write_sorted_as_dlt(tape, bytes, index, "", &mut text);
                text.push(b'}');
            }
            Identity::Key => key_text(shape, tape, bytes, index, &mut text)?,
        }
        Some(text_id(&text))
    }
}

/// `{"a":1,"b__c":"x"}`, columns sorted.
fn key_text(shape: &Shape, tape: &Tape, bytes: &[u8], index: usize, text: &mut Vec<u8>) -> Option<()> {
    let mut key: Vec<&str> = shape.settings.write.primary_key.iter().map(String::as_str).collect();
    key.sort_unstable();
    for (i, column) in key.into_iter().enumerate() {
        text.push(if i == 0 { b'{' } else { b',' });
        text.push(b'"');
        text.extend_from_slice(column.as_bytes());
        text.extend_from_slice(b"\":");
        let value = find(tape, bytes, index, "", column)?;
        write_as_dlt(tape, bytes, value, text);
    }
    (!text.is_empty()).then(|| text.push(b'}'))
}

/// Finds the value whose flattened name is `column`.
fn find(tape: &Tape, bytes: &[u8], index: usize, prefix: &str, column: &str) -> Option<usize> {
    if tape.nodes()[index].kind != Kind::Object {
        return None;
    }
    let (mut next, end) = (index + 1, tape.after(index));
    let mut found = None;
    while next < end {
        let node = tape.nodes()[next];
        let mut key = Vec::new();
        match node.kind {
            Kind::EscapedText => unescape(&bytes[node.range()], &mut key),
            _ => key.extend_from_slice(&bytes[node.range()]),
        }
        let name = format!("{prefix}{}", naming::normalize_key(&String::from_utf8_lossy(&key)));
        let value = next + 1;
        if name == column {
            found = Some(value);
        } else if column.len() > name.len() && column.starts_with(&name) {
            found = find(tape, bytes, value, &format!("{name}__"), column).or(found);
        }
        next = tape.after(value);
    }
    found
}
