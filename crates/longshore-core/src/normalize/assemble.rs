//! From a block's rows to Arrow batches: row ids, links, and columns in schema order.

use super::native_id::native_row_id;
use super::row_id;
use super::rows::{BlockRows, TableRows};
use super::shape::{Shape, TableId};
use crate::package::LoadId;
use crate::schema::{ColumnRole, SystemColumns, Table};
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef};
use std::sync::Arc;

/// Rows of one table out of one block.
#[derive(Debug, Clone)]
pub struct TableBatch {
    /// The table with all its columns known by now.
    pub table: Arc<Table>,
    /// The rows: all columns of the table in order, but the load id.
    pub rows: RecordBatch,
}

/// Rows already counted, per table: what row numbers of a load's next block begin at.
#[derive(Debug, Clone, Default)]
pub struct Offsets(Vec<u64>);

impl Offsets {
    fn get(&self, table: TableId) -> u64 {
        self.0.get(table as usize).copied().unwrap_or(0)
    }

    /// Returns the largest row count of any table.
    pub fn max(&self) -> u64 {
        self.0.iter().copied().max().unwrap_or(0)
    }
}

pub(super) fn reserve(rows: &BlockRows, offsets: &mut Offsets) -> Offsets {
    let before = offsets.clone();
    for (table, rows) in rows.tables().iter().enumerate() {
        if table >= offsets.0.len() {
            offsets.0.resize(table + 1, 0);
        }
        offsets.0[table] += u64::from(rows.rows);
    }
    before
}

pub(super) fn assemble(rows: BlockRows, shape: &Shape, load_id: &LoadId, offsets: &Offsets) -> Vec<TableBatch> {
    let mut ids = Ids { shape, load_id, offsets, texts: Vec::new() };
    let mut batches = Vec::new();
    for (table, rows) in rows.into_tables().into_iter().enumerate() {
        let table = table as TableId;
        ids.add_texts(table, &rows);
        if rows.rows > 0 {
            batches.push(batch(&ids, table, rows));
        }
    }
    batches
}

fn batch(ids: &Ids<'_>, id: TableId, mut rows: TableRows) -> TableBatch {
    let table = &ids.shape.schema.tables[id as usize];
    let count = rows.rows as usize;
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len());
    for (i, column) in table.columns.iter().enumerate() {
        let array = match column.role {
            Some(ColumnRole::LoadId) => continue,
            Some(role) => ids.column(id, &rows, role),
            None => match rows.columns.get_mut(i).and_then(Option::take) {
                Some(builder) => builder.finish(count),
                None => new_null_array(&column.data_type.arrow(), count),
            },
        };
        columns.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let rows = RecordBatch::try_new_with_options(arrow_schema(table), columns, &options);
    // The arrays are made from the same columns as the schema, all `count` long.
    #[allow(clippy::expect_used)]
    let rows = rows.expect("columns agree with their schema");
    TableBatch { table: Arc::new(table.clone()), rows }
}

/// Returns the Arrow schema of a table's parts: its columns in order, but the load id.
pub fn arrow_schema(table: &Table) -> SchemaRef {
    let fields = table.columns.iter().filter(|c| c.role != Some(ColumnRole::LoadId));
    let fields: Vec<Field> = fields.map(|c| Field::new(&c.name, c.data_type.arrow(), c.nullable)).collect();
    Arc::new(ArrowSchema::new(fields))
}

/// Makes the ids of a block's rows.
struct Ids<'a> {
    shape: &'a Shape,
    load_id: &'a LoadId,
    offsets: &'a Offsets,
    /// In dlt mode: the row ids of the tables done so far. Parents come before their children.
    texts: Vec<StringArray>,
}

impl Ids<'_> {
    fn column(&self, table: TableId, rows: &TableRows, role: ColumnRole) -> ArrayRef {
        let count = rows.rows as usize;
        match (self.shape.settings.system, role) {
            (_, ColumnRole::ListIndex) => Arc::new(Int64Array::from_iter_values(rows.positions.iter().map(|&p| i64::from(p)))),
            (SystemColumns::Native, role) => {
                let of = self.table_of(table, role);
                let first = native_row_id(self.load_id, &self.shape.schema.name, self.offsets.get(of));
                Arc::new(match role {
                    ColumnRole::ParentId => Int64Array::from_iter_values(rows.parents.iter().map(|&p| first + i64::from(p))),
                    ColumnRole::RootId => Int64Array::from_iter_values(rows.roots.iter().map(|&r| first + i64::from(r))),
                    _ => Int64Array::from_iter_values((0..count as i64).map(|i| first + i)),
                })
            }
            (SystemColumns::Dlt, ColumnRole::RowId) => Arc::new(self.texts[table as usize].clone()),
            (SystemColumns::Dlt, role) => {
                let ids = &self.texts[self.table_of(table, role) as usize];
                let links = if role == ColumnRole::ParentId { &rows.parents } else { &rows.roots };
                Arc::new(StringArray::from_iter_values(links.iter().map(|&row| ids.value(row as usize))))
            }
        }
    }

    /// The table whose rows a role's ids name.
    fn table_of(&self, table: TableId, role: ColumnRole) -> TableId {
        match role {
            ColumnRole::ParentId => self.shape.tables[table as usize].parent,
            ColumnRole::RootId => self.shape.root_of(table),
            _ => table,
        }
    }

    fn add_texts(&mut self, table: TableId, rows: &TableRows) {
        if self.shape.settings.system != SystemColumns::Dlt {
            return;
        }
        let name = &self.shape.schema.tables[table as usize].name;
        let parent = self.shape.tables[table as usize].parent as usize;
        let first = self.offsets.get(table);
        let mut own = rows.own_ids.iter().peekable();
        let mut builder = StringBuilder::with_capacity(rows.rows as usize, rows.rows as usize * 14);
        for row in 0..rows.rows {
            if let Some((_, id)) = own.next_if(|(r, _)| *r == row) {
                builder.append_value(id);
            } else if let Some(&above) = rows.parents.get(row as usize) {
                let above = self.texts[parent].value(above as usize);
                builder.append_value(row_id::nested_row_id(above, name, u64::from(rows.positions[row as usize])));
            } else {
                builder.append_value(row_id::root_row_id(self.load_id.as_str(), name, first + u64::from(row)));
            }
        }
        self.texts.push(builder.finish());
    }
}
