//! From a block's rows to Arrow batches: row ids, links, and columns in schema order.

use super::native_id::native_row_id;
use super::row_id;
use super::rows::{BlockRows, TableRows};
use super::shape::{Shape, TableId};
use crate::package::LoadId;
use crate::schema::{Column, ColumnRole, SystemColumns, Table};
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
    let tables = rows.into_tables();
    if shape.settings.system == SystemColumns::Dlt {
        ids.add_texts(&tables);
    }
    let with_rows = tables.into_iter().enumerate().filter(|(_, rows)| rows.rows > 0);
    with_rows.map(|(table, rows)| batch(&ids, table as TableId, rows)).collect()
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
                None => match rows.whole.iter().find(|(c, _)| *c as usize == i) {
                    Some((_, array)) => ArrayRef::clone(array),
                    None => new_null_array(&column.column_type().arrow(), count),
                },
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
    // That a field of the data has a value was seen to before: a row that comes here without one is not Arrow's concern.
    let nullable = |c: &Column| c.nullable || c.role.is_none();
    let fields: Vec<Field> = fields.map(|c| Field::new(&c.name, c.column_type().arrow(), nullable(c))).collect();
    Arc::new(ArrowSchema::new(fields))
}

/// Makes the ids of a block's rows.
struct Ids<'a> {
    shape: &'a Shape,
    load_id: &'a LoadId,
    offsets: &'a Offsets,
    /// In dlt mode: the row ids of each table.
    texts: Vec<StringArray>,
}

impl Ids<'_> {
    fn column(&self, table: TableId, rows: &TableRows, role: ColumnRole) -> ArrayRef {
        let count = rows.rows as usize;
        match (self.shape.settings.system, role) {
            (_, ColumnRole::ListIndex) => {
                Arc::new(Int64Array::from_iter_values(rows.positions.iter().map(|&p| i64::from(p))))
            }
            (_, ColumnRole::RowHash) => {
                let mut own = rows.own_ids.iter().peekable();
                let hash = |row| own.next_if(|(r, _)| *r as usize == row).map(|(_, hash)| hash.as_str());
                Arc::new((0..count).map(hash).collect::<StringArray>())
            }
            (SystemColumns::Native, role) => {
                let of = self.table_of(table, role);
                let first = native_row_id(self.load_id, &self.shape.schema.name, self.offsets.get(of));
                Arc::new(match role {
                    ColumnRole::ParentId => {
                        Int64Array::from_iter_values(rows.parents.iter().map(|&p| first + i64::from(p)))
                    }
                    ColumnRole::RootId => {
                        Int64Array::from_iter_values(rows.roots.iter().map(|&r| first + i64::from(r)))
                    }
                    _ => Int64Array::from_iter_values((0..count as i64).map(|i| first + i)),
                })
            }
            (SystemColumns::Dlt, ColumnRole::RowId) => Arc::new(self.texts[table as usize].clone()),
            (SystemColumns::Dlt, ColumnRole::ParentId) => {
                let parents = rows.parents.iter().zip(&rows.parent_tables);
                Arc::new(StringArray::from_iter_values(
                    parents.map(|(&row, &table)| self.texts[table as usize].value(row as usize)),
                ))
            }
            (SystemColumns::Dlt, _) => {
                let ids = &self.texts[self.shape.root_of(table) as usize];
                Arc::new(StringArray::from_iter_values(rows.roots.iter().map(|&row| ids.value(row as usize))))
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

    /// Makes dlt's ids, parents first: a child's path is longer than its parent's.
    fn add_texts(&mut self, tables: &[TableRows]) {
        self.texts = vec![StringArray::new_null(0); tables.len()];
        let mut order: Vec<usize> = (0..tables.len()).filter(|&t| tables[t].rows > 0).collect();
        order.sort_by_key(|&t| self.shape.tables[t].ident_path.len());
        for table in order {
            self.texts[table] = self.texts_of(table, &tables[table]);
        }
    }

    fn texts_of(&self, table: usize, rows: &TableRows) -> StringArray {
        let name = &self.shape.schema.tables[table].name;
        let first = self.offsets.get(table as TableId);
        let mut own = rows.own_ids.iter().peekable();
        let mut builder = StringBuilder::with_capacity(rows.rows as usize, rows.rows as usize * row_id::ROW_ID_LEN);
        let mut id = String::new();
        for row in 0..rows.rows as usize {
            id.clear();
            if let Some((_, own)) = own.next_if(|(r, _)| *r as usize == row) {
                id.push_str(own);
            } else if let Some(&above) = rows.parents.get(row) {
                let parent = self.texts[rows.parent_tables[row] as usize].value(above as usize);
                row_id::write_nested_row_id(&mut id, parent, name, u64::from(rows.positions[row]));
            } else {
                row_id::write_root_row_id(&mut id, self.load_id.as_str(), name, first + row as u64);
            }
            builder.append_value(&id);
        }
        builder.finish()
    }
}
