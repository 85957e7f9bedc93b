//! From one value to its column: at once where it has just the column's type, else coerced, widened or as a variant.

use super::Walker;
use crate::json::{Kind, Node, Tape, unescape, write_as_dlt, write_compact};
use crate::naming;
use crate::normalize::builder::Values;
use crate::normalize::coerce::{Typed, Value, coerce, held_by_double};
use crate::normalize::rows::RowRef;
use crate::normalize::shape::{ColumnId, NodeId};
use crate::normalize::violation::Bar;
use crate::schema::{Conflict, DataType, SystemColumns};
use crate::values::iso_timestamp;

/// Why a value has no place, and the column it does not fit.
type Barred = (Bar, Option<ColumnId>);

impl<'a> Walker<'a> {
    /// Writes a value that has exactly its column's type. Returns false when it needs a second look.
    #[inline]
    pub(super) fn fast_value(&mut self, node: Node, column: ColumnId, at: RowRef) -> bool {
        let rows = self.rows.table(at.table);
        let Some(Some(builder)) = rows.columns.get_mut(column as usize) else { return false };
        if !builder.is_plain {
            return false;
        }
        let raw = &self.bytes[node.start as usize..(node.start + node.len) as usize];
        let row = at.row as usize;
        let ready = match (builder.data_type, node.kind) {
            (DataType::Text, Kind::Text) => Ready::Bytes,
            (DataType::Text, Kind::EscapedText) => Ready::Escaped,
            (DataType::Bigint, Kind::Integer) => match parse_i64(raw) {
                Some(v) => Ready::Int(v),
                None => return false,
            },
            (DataType::Double, Kind::Float) => match fast_double(raw) {
                Some(v) => Ready::Double(v),
                None => return false,
            },
            (DataType::Double, Kind::Integer) => match parse_i64(raw) {
                // Whole numbers up to 2^53 are doubles.
                Some(v) if v.unsigned_abs() <= 1 << 53 => Ready::Double(v as f64),
                _ => return false,
            },
            (DataType::Bool, Kind::True) => Ready::Bool(true),
            (DataType::Bool, Kind::False) => Ready::Bool(false),
            (DataType::Timestamp, Kind::Text) => {
                match std::str::from_utf8(raw).ok().and_then(iso_timestamp::detect_iso_timestamp) {
                    Some(v) => Ready::Int(v),
                    None => return false,
                }
            }
            _ => return false,
        };
        if !rows.stamp(column, at.row) {
            return false;
        }
        let Some(Some(builder)) = rows.columns.get_mut(column as usize) else { return false };
        match (builder.open(row), ready) {
            (Values::Int(values), Ready::Int(v)) => values.push(v),
            (Values::Double(values), Ready::Double(v)) => values.push(v),
            (Values::Bool(values), Ready::Bool(v)) => values.append(v),
            (Values::Bytes { bytes, ends }, Ready::Escaped) => {
                unescape(raw, bytes);
                ends.push(bytes.len() as i32);
            }
            (values, _) => values.push_bytes(raw),
        }
        true
    }

    /// Writes any value: finds or makes its column, coerces it, or finds it another place.
    pub(super) fn value(&mut self, tape: &Tape, index: usize, node: NodeId, edge: u32, at: RowRef) {
        if self.halt.is_some() || self.shape.nodes[node as usize].edges[edge as usize].ignored {
            return;
        }
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let value = self.read(tape, index, &mut text);
        if let Err((bar, column)) = self.place(value, node, edge, at) {
            self.bar(bar, (node, edge), column, value.own_type(), at);
        }
        self.scratch = text;
    }

    fn place(&mut self, value: Value<'_>, node: NodeId, edge: u32, at: RowRef) -> Result<(), Barred> {
        let mode = self.shape.settings.system;
        let mut column = self.shape.column(node, edge, || value.column_type(true)).map_err(|bar| (bar, None))?;
        let mut ordinal = 0;
        while !self.rows.table(at.table).stamp(column, at.row) {
            let alias = self.shape.alias_column(node, edge, value.column_type(true), ordinal);
            column = alias.map_err(|bar| (bar, None))?;
            ordinal += 1;
        }
        match coerce(self.shape.column_type(at.table, column), value, mode) {
            Some(typed) => self.push(column, typed, at),
            None => self.misfit(column, value, node, edge, at).map_err(|bar| (bar, Some(column)))?,
        }
        Ok(())
    }

    /// Finds a place for a value that does not fit `column`: the same column, made wider, or a variant.
    fn misfit(&mut self, column: ColumnId, value: Value<'_>, node: NodeId, edge: u32, at: RowRef) -> Result<(), Bar> {
        let path = self.shape.full_path(node, edge);
        let policy = self.shape.conflict_policy(at.table, column, &path);
        if policy == Conflict::Reject {
            return Err(Bar::CONFLICT);
        }
        let mut mode = self.shape.settings.system;
        if policy == Conflict::Json {
            mode = SystemColumns::Native; // as JSON, a text is a string
        }
        if let Some(wider) = self.shape.widen(&mut self.rows, (at.table, column), policy, value)?
            && let Some(typed) = coerce(wider, value, mode)
        {
            self.push(column, typed, at);
            return Ok(());
        }
        let own = match policy {
            Conflict::Text => DataType::Text,
            Conflict::Json => DataType::Json,
            _ => value.own_type(),
        };
        self.variant(column, value, own, at)
    }

    /// Writes a value that does not fit `column` to `<column>__v_<type>`.
    fn variant(&mut self, mut column: ColumnId, value: Value<'_>, mut own: DataType, at: RowRef) -> Result<(), Bar> {
        let mode = self.shape.settings.system;
        let fits_itself = own == value.own_type();
        loop {
            let of = self.shape.schema.tables[at.table as usize].columns[column as usize].name.clone();
            let max = self.shape.settings.max_identifier_length;
            let name = naming::variant_name(&of, own.as_str(), max);
            column = self.shape.variant_column(at.table, name, || match value {
                // dlt infers the type of a text variant like any column's: an ISO text makes a timestamp.
                Value::Text(_) if mode == SystemColumns::Dlt && fits_itself => value.column_type(true),
                _ => own,
            })?;
            if let Some(typed) = coerce(self.shape.column_type(at.table, column), value, mode)
                && self.rows.table(at.table).stamp(column, at.row)
            {
                self.push(column, typed, at);
                return Ok(());
            }
            own = value.own_type();
        }
    }

    fn push(&mut self, column: ColumnId, typed: Typed, at: RowRef) {
        let builder = self.rows.table(at.table).builder(self.shape, at.table, column);
        match (builder.open(at.row as usize), typed) {
            (Values::Int(values), Typed::Int(v)) => values.push(v),
            (Values::Double(values), Typed::Double(v)) => values.push(v),
            (Values::Bool(values), Typed::Bool(v)) => values.append(v),
            (Values::Decimal(values), Typed::Decimal(v)) => values.push(v),
            (Values::Date(values), Typed::Date(v)) => values.push(v),
            (values @ Values::Bytes { .. }, Typed::Bytes(v)) => values.push_bytes(&v),
            (values, typed) => unreachable!("coerce() gave {typed:?} for {values:?}"),
        }
    }

    /// Reads a scalar, dict or list of the tape as a value; `text` holds what has to be decoded.
    pub(super) fn read<'t>(&self, tape: &Tape, index: usize, text: &'t mut Vec<u8>) -> Value<'t>
    where
        'a: 't,
    {
        let node = tape.nodes()[index];
        let bytes: &'a [u8] = self.bytes;
        let range = node.start as usize..(node.start + node.len) as usize;
        // The tape has checked the record's UTF-8, and escapes decode to UTF-8 only.
        let utf8 = |bytes: &'t [u8]| std::str::from_utf8(bytes).unwrap_or_default();
        match node.kind {
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Integer => Value::Integer(utf8(&bytes[range])),
            Kind::Float => Value::Float(utf8(&bytes[range])),
            Kind::Text => Value::Text(utf8(&bytes[range])),
            Kind::EscapedText => {
                unescape(&bytes[range], text);
                Value::Text(utf8(text))
            }
            Kind::Null | Kind::Object | Kind::Array => {
                // Native mode keeps numbers and escapes as the source wrote them.
                match self.shape.settings.system {
                    SystemColumns::Native => write_compact(tape, bytes, index, text),
                    SystemColumns::Dlt => write_as_dlt(tape, bytes, index, text),
                }
                Value::Json(utf8(text))
            }
        }
    }
}

/// A value read as what its column holds.
enum Ready {
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes,
    Escaped,
}

/// Reads a JSON integer; `None` beyond 64 bits.
#[inline]
fn parse_i64(raw: &[u8]) -> Option<i64> {
    let (digits, negative) = match raw {
        [b'-', rest @ ..] => (rest, true),
        _ => (raw, false),
    };
    if digits.len() <= 18 {
        let value = digits.iter().fold(0i64, |v, d| v * 10 + i64::from(d - b'0'));
        return Some(if negative { -value } else { value });
    }
    std::str::from_utf8(raw).ok()?.parse().ok()
}

/// Reads a JSON number with fraction or exponent; `None` when a double does not hold it.
#[inline]
fn fast_double(raw: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(raw).ok()?;
    // Up to 15 digits in the plain range always survive; the rest is looked at closely.
    if raw.len() <= 16 && !raw.iter().any(|b| b | 0x20 == b'e') {
        return text.parse().ok();
    }
    held_by_double(text)
}
