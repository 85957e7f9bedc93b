//! Arrow values as JSON: every digit of a number, times in ISO 8601, bytes as `0x…`.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray, UnionArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType as ArrowType;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// Returns an object for each row, with those columns, and where each stands.
pub(super) fn as_json(count: usize, columns: &[(&str, ArrayRef)]) -> (Vec<u8>, Vec<Range<usize>>) {
    let names: Vec<String> = columns.iter().map(|(name, _)| text(name)).collect();
    let writers: Vec<Writer<'_>> = columns.iter().map(|(_, array)| Writer::new(array.as_ref())).collect();
    let mut out = String::new();
    let mut records = Vec::with_capacity(count);
    for row in 0..count {
        let start = out.len();
        out.push('{');
        for (i, (name, writer)) in names.iter().zip(&writers).enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(name);
            out.push(':');
            writer.write(row, &mut out);
        }
        out.push('}');
        records.push(start..out.len());
        out.push('\n');
    }
    (out.into_bytes(), records)
}

/// Returns each value as JSON text.
pub(super) fn json_texts(array: &ArrayRef) -> ArrayRef {
    let writer = Writer::new(array.as_ref());
    let value = |row: usize| {
        array.is_valid(row).then(|| {
            let mut out = String::new();
            writer.write(row, &mut out);
            out
        })
    };
    // In a union or behind a key may be nothing, of which the array's own nulls do not know.
    let texts = (0..array.len()).map(|row| value(row).filter(|text| text != "null"));
    Arc::new(texts.collect::<StringArray>())
}

/// Writes the values of one array.
struct Writer<'a> {
    array: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Bool,
    /// What the formatter prints is JSON.
    Number(ArrayFormatter<'a>),
    /// Floating point: no JSON for some values.
    Double(ArrayFormatter<'a>),
    /// What the formatter prints is text, with something behind it.
    Formatted(ArrayFormatter<'a>, &'static str),
    Text(fn(&'a dyn Array, usize) -> &'a str),
    Bytes(fn(&'a dyn Array, usize) -> &'a [u8]),
    Struct(Vec<(String, Writer<'a>)>),
    List(Box<Writer<'a>>, Box<dyn Fn(usize) -> Range<usize> + 'a>),
    /// Keys and values.
    Map(Box<Writer<'a>>, Box<Writer<'a>>),
    /// The children by their ids; each value is one of them.
    Union(&'a UnionArray, Vec<(i8, Writer<'a>)>),
    /// Keys into values.
    Keyed(Box<Writer<'a>>, Box<dyn Fn(usize) -> Option<usize> + 'a>),
    Null,
}

impl<'a> Writer<'a> {
    fn new(array: &'a dyn Array) -> Self {
        use ArrowType as A;
        let kind = match array.data_type() {
            A::Null => Kind::Null,
            A::Boolean => Kind::Bool,
            A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => {
                formatter(array).map_or(Kind::Null, Kind::Number)
            }
            A::Decimal32(..) | A::Decimal64(..) | A::Decimal128(..) | A::Decimal256(..) => {
                formatter(array).map_or(Kind::Null, Kind::Number)
            }
            A::Float16 | A::Float32 | A::Float64 => formatter(array).map_or(Kind::Null, Kind::Double),
            A::Utf8 => Kind::Text(|a, row| a.as_string::<i32>().value(row)),
            A::LargeUtf8 => Kind::Text(|a, row| a.as_string::<i64>().value(row)),
            A::Utf8View => Kind::Text(|a, row| a.as_string_view().value(row)),
            A::Binary => Kind::Bytes(|a, row| a.as_binary::<i32>().value(row)),
            A::LargeBinary => Kind::Bytes(|a, row| a.as_binary::<i64>().value(row)),
            A::BinaryView => Kind::Bytes(|a, row| a.as_binary_view().value(row)),
            A::FixedSizeBinary(_) => Kind::Bytes(|a, row| a.as_fixed_size_binary().value(row)),
            A::Struct(fields) => {
                let columns = array.as_struct().columns();
                let writers = fields.iter().zip(columns);
                Kind::Struct(writers.map(|(f, c)| (text(f.name()), Writer::new(c.as_ref()))).collect())
            }
            A::List(_) => list(array.as_list::<i32>().values().as_ref(), move |row| {
                let offsets = array.as_list::<i32>().value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }),
            A::LargeList(_) => list(array.as_list::<i64>().values().as_ref(), move |row| {
                let offsets = array.as_list::<i64>().value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }),
            A::FixedSizeList(_, size) => {
                let size = *size as usize;
                list(array.as_fixed_size_list().values().as_ref(), move |row| row * size..(row + 1) * size)
            }
            A::ListView(_) => {
                let views = array.as_list_view::<i32>();
                list(views.values().as_ref(), move |row| {
                    let start = views.value_offset(row) as usize;
                    start..start + views.value_size(row) as usize
                })
            }
            A::LargeListView(_) => {
                let views = array.as_list_view::<i64>();
                list(views.values().as_ref(), move |row| {
                    let start = views.value_offset(row) as usize;
                    start..start + views.value_size(row) as usize
                })
            }
            A::Union(fields, _) => {
                let union = array.as_union();
                let children = fields.iter().map(|(id, _)| (id, Writer::new(union.child(id).as_ref())));
                Kind::Union(union, children.collect())
            }
            A::Map(..) => {
                let map = array.as_map();
                Kind::Map(Box::new(Writer::new(map.keys())), Box::new(Writer::new(map.values())))
            }
            A::Dictionary(..) => {
                let keyed = array.as_any_dictionary();
                let keys = keyed.normalized_keys();
                let key = move |row: usize| keys.get(row).copied();
                Kind::Keyed(Box::new(Writer::new(keyed.values().as_ref())), Box::new(key))
            }
            // Without a zone: taken as UTC, everywhere in Longshore.
            A::Timestamp(_, None) => formatter(array).map_or(Kind::Null, |f| Kind::Formatted(f, "Z")),
            _ => formatter(array).map_or(Kind::Null, |f| Kind::Formatted(f, "")),
        };
        Writer { array, kind }
    }

    fn write(&self, row: usize, out: &mut String) {
        if self.array.is_null(row) {
            return out.push_str("null");
        }
        match &self.kind {
            Kind::Null => out.push_str("null"),
            Kind::Bool => out.push_str(if self.array.as_boolean().value(row) { "true" } else { "false" }),
            Kind::Number(formatter) => push(out, formatter, row),
            Kind::Double(formatter) => {
                let start = out.len();
                push(out, formatter, row);
                if !out[start..].starts_with(|c: char| c == '-' || c.is_ascii_digit()) || out.ends_with("inf") {
                    let word = out.split_off(start).replace("inf", "Infinity");
                    out.push_str(&text(&word));
                }
            }
            Kind::Formatted(formatter, behind) => {
                out.push_str(&text(&format!("{}{behind}", formatter.value(row))));
            }
            Kind::Text(value) => out.push_str(&text(value(self.array, row))),
            Kind::Bytes(value) => {
                out.push_str("\"0x");
                // Writing to a String cannot fail.
                for byte in value(self.array, row) {
                    let _ = write!(out, "{byte:02x}");
                }
                out.push('"');
            }
            Kind::Struct(fields) => braced(out, ('{', '}'), fields.iter(), |out, (name, writer)| {
                out.push_str(name);
                out.push(':');
                writer.write(row, out);
            }),
            Kind::List(values, range) => braced(out, ('[', ']'), range(row), |out, i| values.write(i, out)),
            Kind::Map(keys, values) => {
                let offsets = self.array.as_map().value_offsets();
                braced(out, ('{', '}'), offsets[row] as usize..offsets[row + 1] as usize, |out, i| {
                    let mut key = String::new();
                    keys.write(i, &mut key);
                    // Keys of objects are text.
                    out.push_str(&if key.starts_with('"') { key } else { text(&key) });
                    out.push(':');
                    values.write(i, out);
                });
            }
            Kind::Union(union, children) => {
                let id = union.type_id(row);
                match children.iter().find(|(child, _)| *child == id) {
                    Some((_, values)) => values.write(union.value_offset(row), out),
                    None => out.push_str("null"),
                }
            }
            Kind::Keyed(values, key) => match key(row) {
                Some(i) => values.write(i, out),
                None => out.push_str("null"),
            },
        }
    }
}

fn list<'a>(values: &'a dyn Array, range: impl Fn(usize) -> Range<usize> + 'a) -> Kind<'a> {
    Kind::List(Box::new(Writer::new(values)), Box::new(range))
}

fn braced<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push(open);
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(close);
}

fn push(out: &mut String, formatter: &ArrayFormatter<'_>, row: usize) {
    let _ = write!(out, "{}", formatter.value(row)); // writing to a String cannot fail
}

/// Every type has a formatter but those of the newest Arrow, which are then null as a whole.
fn formatter(array: &dyn Array) -> Option<ArrayFormatter<'_>> {
    static OPTIONS: FormatOptions<'static> = FormatOptions::new();
    ArrayFormatter::try_new(array, &OPTIONS).ok()
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}
