//! The rows of one block, table by table, before they have ids.

use super::builder::ColumnBuilder;
use super::shape::{ColumnId, NONE, Shape, TableId, TableShape};
use arrow_array::ArrayRef;

/// Rows one block brings to one table. Row numbers count from 0 within the block.
#[derive(Debug, Default)]
pub(super) struct TableRows {
    pub(super) rows: u32,
    pub(super) columns: Vec<Option<ColumnBuilder>>,
    /// Per column: the last row that has a value, plus one.
    stamps: Vec<u32>,
    /// Row of the parent table each row belongs to; empty for a root table.
    pub(super) parents: Vec<u32>,
    /// The parent table of each row: in dlt mode a table may have rows of several.
    pub(super) parent_tables: Vec<TableId>,
    /// Row of the root table each row belongs to; empty for a root table.
    pub(super) roots: Vec<u32>,
    pub(super) positions: Vec<u32>,
    /// Row ids the source itself gave (`_dlt_id` in dlt mode), by row.
    pub(super) own_ids: Vec<(u32, String)>,
    /// Columns that came whole; they have no builder.
    pub(super) whole: Vec<(ColumnId, ArrayRef)>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRef {
    pub(super) table: TableId,
    pub(super) row: u32,
    /// Row of the root table above it (itself for a root row).
    pub(super) root: u32,
}

impl TableRows {
    pub(super) fn push_root(&mut self) -> u32 {
        self.rows += 1;
        self.rows - 1
    }

    pub(super) fn push_child(&mut self, parent: RowRef, position: u32) -> u32 {
        self.parents.push(parent.row);
        self.parent_tables.push(parent.table);
        self.roots.push(parent.root);
        self.positions.push(position);
        self.rows += 1;
        self.rows - 1
    }

    /// Marks a value of that column in that row; false when there is one already.
    #[inline]
    pub(super) fn stamp(&mut self, column: ColumnId, row: u32) -> bool {
        let column = column as usize;
        if column >= self.stamps.len() {
            self.stamps.resize(column + 1, 0);
        }
        if self.stamps[column] == row + 1 {
            return false;
        }
        self.stamps[column] = row + 1;
        true
    }

    /// Forgets the rows from that one on.
    pub(super) fn truncate(&mut self, rows: u32) {
        for stamp in self.stamps.iter_mut().filter(|s| **s > rows) {
            *stamp = 0;
        }
        self.columns.iter_mut().flatten().for_each(|c| c.truncate(rows as usize));
        for links in [&mut self.parents, &mut self.parent_tables, &mut self.roots, &mut self.positions] {
            links.truncate(rows as usize);
        }
        while self.own_ids.last().is_some_and(|(row, _)| *row >= rows) {
            self.own_ids.pop();
        }
        self.rows = rows;
    }

    /// Forgets that the last row has a value of that column.
    pub(super) fn unstamp(&mut self, column: ColumnId) {
        if let Some(stamp) = self.stamps.get_mut(column as usize) {
            *stamp = 0;
        }
    }

    /// Returns true when the row, the table's last, has a value in that column: one that went to a variant is elsewhere.
    pub(super) fn has_value(&self, column: ColumnId, row: u32) -> bool {
        let index = column as usize;
        let came = self.stamps.get(index).is_some_and(|&stamp| stamp == row + 1);
        came && self.columns.get(index).and_then(Option::as_ref).is_some_and(|c| c.rows() > row as usize)
    }

    /// Returns the builder of a column.
    #[inline]
    pub(super) fn builder(&mut self, shape: &Shape, table: TableId, column: ColumnId) -> &mut ColumnBuilder {
        let index = column as usize;
        if index >= self.columns.len() {
            self.columns.resize_with(index + 1, || None);
        }
        self.columns[index].get_or_insert_with(|| {
            let usual = &shape.tables[table as usize].usual;
            let bytes = usual.text_bytes.get(index).copied().unwrap_or(0);
            ColumnBuilder::new(shape.column_type(table, column), usual.rows, bytes)
        })
    }

    /// Returns true when the table's last row belongs to that parent row.
    pub(super) fn has_rows_of(&self, parent: RowRef) -> bool {
        self.parents.last() == Some(&parent.row) && self.parent_tables.last() == Some(&parent.table)
    }
}

/// What a block usually brings to a table, so that room is made once.
#[derive(Debug, Clone, Default)]
pub(super) struct Usual {
    rows: usize,
    /// Per column.
    text_bytes: Vec<usize>,
}

impl Usual {
    /// Takes a block for a usual one, with a little to spare.
    fn learn(&mut self, rows: &TableRows) {
        let with_spare = |n: usize| n + n / 16;
        self.rows = with_spare(rows.rows as usize);
        let bytes = rows.columns.iter().map(|c| with_spare(c.as_ref().map_or(0, ColumnBuilder::text_bytes)));
        self.text_bytes.clear();
        self.text_bytes.extend(bytes);
    }
}

/// All tables' rows of one block.
#[derive(Debug, Default)]
pub(super) struct BlockRows {
    tables: Vec<TableRows>,
}

impl BlockRows {
    /// Returns no rows, with room for as many as usual.
    pub(super) fn with_room(shape: &Shape) -> Self {
        let room = |table: &TableShape| {
            let rows = if table.parent == NONE { 0 } else { table.usual.rows };
            TableRows {
                parents: Vec::with_capacity(rows),
                parent_tables: Vec::with_capacity(rows),
                roots: Vec::with_capacity(rows),
                positions: Vec::with_capacity(rows),
                ..TableRows::default()
            }
        };
        BlockRows { tables: shape.tables.iter().map(room).collect() }
    }

    /// Remembers how much this block brought, for the next.
    pub(super) fn teach(&self, shape: &mut Shape) {
        for (rows, table) in self.tables.iter().zip(&mut shape.tables) {
            table.usual.learn(rows);
        }
    }

    #[inline]
    pub(super) fn table(&mut self, table: TableId) -> &mut TableRows {
        debug_assert_ne!(table, NONE);
        let index = table as usize;
        if index >= self.tables.len() {
            self.tables.resize_with(index + 1, TableRows::default);
        }
        &mut self.tables[index]
    }

    /// Forgets the root row and all rows below it, which are the last of their tables.
    pub(super) fn forget(&mut self, root: RowRef) {
        for (id, table) in self.tables.iter_mut().enumerate() {
            if id == root.table as usize {
                table.truncate(root.row);
            } else {
                let above = table.roots.iter().rev().take_while(|&&r| r == root.row).count();
                table.truncate(table.rows - above as u32);
            }
        }
    }

    pub(super) fn tables(&self) -> &[TableRows] {
        &self.tables
    }

    pub(super) fn into_tables(self) -> Vec<TableRows> {
        self.tables
    }
}
