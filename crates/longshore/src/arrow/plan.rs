//! What a schema asks for: hints, JSON columns, and whether it can be mapped at all.

use super::encode::Encoders;
use crate::records::BlockWriter;
use arrow_array::RecordBatch;
use arrow_json::{LineDelimitedWriter, WriterBuilder};
use arrow_schema::{ArrowError, DataType as ArrowType, Field, FieldRef, Schema};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::naming;
use longshore_core::normalize::FieldPath;
use longshore_core::schema::DataType;

/// How the batches of one schema are written.
#[derive(Debug)]
pub(crate) struct Plan {
    schema: Vec<FieldRef>,
    hints: Vec<(Vec<String>, DataType)>,
    json: Vec<Vec<String>>,
}

/// What the normaliser is told of a schema: types of fields, and fields that stay JSON.
pub(crate) type Paths = (Vec<(FieldPath, DataType)>, Vec<FieldPath>);

impl Plan {
    /// Returns the plan for a schema.
    ///
    /// # Errors
    /// The first column that cannot be mapped.
    pub(crate) fn of(schema: &Schema) -> Result<Self> {
        let mut plan = Plan { schema: schema.fields().to_vec(), hints: Vec::new(), json: Vec::new() };
        for field in schema.fields() {
            plan.add(&mut vec![field.name().clone()], field.data_type())?;
        }
        Ok(plan)
    }

    fn add(&mut self, path: &mut Vec<String>, data_type: &ArrowType) -> Result<()> {
        use ArrowType::*;
        let hint =
            match data_type {
                Null => return Ok(()),
                Boolean => DataType::Bool,
                Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => DataType::Bigint,
                Float16 | Float32 | Float64 => DataType::Double,
                Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale) => {
                    if *scale > 0 { DataType::Double } else { DataType::Decimal }
                }
                Utf8 | LargeUtf8 | Utf8View => DataType::Text,
                Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => DataType::Binary,
                Date32 | Date64 => DataType::Date,
                Time32(_) | Time64(_) => DataType::Time,
                Timestamp(..) => DataType::Timestamp,
                Dictionary(_, values) => return self.add(path, values),
                RunEndEncoded(_, values) => return self.add(path, values.data_type()),
                Struct(fields) => return fields.iter().try_for_each(|f| self.below(path, f.name(), f.data_type())),
                List(item) | LargeList(item) | FixedSizeList(item, _) | ListView(item) | LargeListView(item) => {
                    return self.element(path, item);
                }
                Map(entries, _) if has_text_keys(entries) => {
                    self.json.push(path.clone());
                    return Ok(());
                }
                other => return Err(cannot_map(path, other)),
            };
        self.hints.push((path.clone(), hint));
        Ok(())
    }

    fn below(&mut self, path: &mut Vec<String>, key: &str, data_type: &ArrowType) -> Result<()> {
        path.push(key.to_owned());
        let added = self.add(path, data_type);
        path.pop();
        added
    }

    /// An element that is no struct stands in its row under `value`, or `list` when it is a list itself.
    fn element(&mut self, path: &mut Vec<String>, item: &Field) -> Result<()> {
        match values_of(item.data_type()) {
            ArrowType::Struct(_) => self.add(path, item.data_type()),
            t if is_list(t) => self.below(path, "list", item.data_type()),
            _ => self.below(path, "value", item.data_type()),
        }
    }

    /// Returns what the normaliser is told.
    pub(crate) fn paths(&self) -> Result<Paths> {
        let hints = self.hints.iter().map(|(path, hint)| Ok((field_path(path)?, *hint))).collect::<Result<_>>()?;
        let json = self.json.iter().map(|path| field_path(path)).collect::<Result<_>>()?;
        Ok((hints, json))
    }

    /// Writes a batch, handing on full blocks. Returns false when nobody takes them any more.
    ///
    /// # Errors
    /// When the batch has another schema, or a value that would change.
    pub(crate) fn write(
        &self,
        batch: &RecordBatch,
        blocks: &mut BlockWriter,
        hand_on: &dyn Fn(&mut BlockWriter) -> bool,
    ) -> Result<bool> {
        self.check(batch)?;
        let rows = rows_at_once(batch, blocks.block_bytes());
        let mut next = 0;
        while next < batch.num_rows() {
            let count = rows.min(batch.num_rows() - next);
            write_rows(&batch.slice(next, count), &mut blocks.buffer)?;
            blocks.add_records(count as u64);
            next += count;
            if blocks.is_full() && !hand_on(blocks) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check(&self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let same = |(a, b): (&FieldRef, &FieldRef)| a.name() == b.name() && a.data_type() == b.data_type();
        if schema.fields().len() == self.schema.len() && schema.fields().iter().zip(&self.schema).all(same) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Data, "an Arrow batch has another schema than the first one")
            .hint("nothing was loaded; load batches of different schemas one schema at a time"))
    }
}

fn write_rows(rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    let encoders = Encoders::default();
    let written = {
        let builder = WriterBuilder::new().with_encoder_factory(std::sync::Arc::new(encoders.clone()));
        let mut writer: LineDelimitedWriter<_> = builder.build(out);
        writer.write(rows).and_then(|()| writer.finish())
    };
    let failed = |e: ArrowError| {
        Error::new(ErrorKind::Data, "Arrow rows cannot be written as JSON").hint("nothing was loaded").source(e)
    };
    written.map_err(failed)?;
    encoders.first_fault().map_or(Ok(()), Err)
}

/// Rows that make about half a block, judged by their size in memory.
fn rows_at_once(batch: &RecordBatch, block_bytes: usize) -> usize {
    let row = batch.get_array_memory_size() / batch.num_rows().max(1);
    (block_bytes / 2 / row.max(1)).clamp(16, 4096)
}

/// Paths are read with dots between keys; a key that has dots itself goes by its normalised name, which means the same.
fn field_path(keys: &[String]) -> Result<FieldPath> {
    let plain = |key: &String| {
        if key.contains(['.', '[', '$']) || key.trim().is_empty() { naming::normalize_key(key) } else { key.clone() }
    };
    FieldPath::parse(&keys.iter().map(plain).collect::<Vec<_>>().join("."))
}

fn values_of(data_type: &ArrowType) -> &ArrowType {
    match data_type {
        ArrowType::Dictionary(_, values) => values_of(values),
        ArrowType::RunEndEncoded(_, values) => values_of(values.data_type()),
        other => other,
    }
}

fn is_list(data_type: &ArrowType) -> bool {
    use ArrowType::*;
    matches!(data_type, List(_) | LargeList(_) | FixedSizeList(..) | ListView(_) | LargeListView(_))
}

fn has_text_keys(entries: &Field) -> bool {
    let ArrowType::Struct(fields) = entries.data_type() else { return false };
    fields
        .first()
        .is_some_and(|key| matches!(key.data_type(), ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View))
}

fn cannot_map(path: &[String], data_type: &ArrowType) -> Error {
    Error::new(ErrorKind::Data, format!("Arrow columns of type {data_type} cannot be loaded"))
        .with("column", path.join("."))
        .hint("nothing was loaded; cast the column, for instance to a number or text")
}
