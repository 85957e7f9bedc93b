//! The rows of one block, table by table, before they have ids.

use super::builder::ColumnBuilder;
use super::shape::{ColumnId, NONE, Shape, TableId};

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

    /// Returns the builder of a column.
    #[inline]
    pub(super) fn builder(&mut self, shape: &Shape, table: TableId, column: ColumnId) -> &mut ColumnBuilder {
        let index = column as usize;
        if index >= self.columns.len() {
            self.columns.resize_with(index + 1, || None);
        }
        self.columns[index].get_or_insert_with(|| ColumnBuilder::new(shape.data_type(table, column)))
    }

    /// Returns true when the table's last row belongs to that parent row.
    pub(super) fn has_rows_of(&self, parent: RowRef) -> bool {
        self.parents.last() == Some(&parent.row) && self.parent_tables.last() == Some(&parent.table)
    }
}

/// All tables' rows of one block.
#[derive(Debug, Default)]
pub(super) struct BlockRows {
    tables: Vec<TableRows>,
}

impl BlockRows {
    #[inline]
    pub(super) fn table(&mut self, table: TableId) -> &mut TableRows {
        debug_assert_ne!(table, NONE);
        let index = table as usize;
        if index >= self.tables.len() {
            self.tables.resize_with(index + 1, TableRows::default);
        }
        &mut self.tables[index]
    }

    pub(super) fn tables(&self) -> &[TableRows] {
        &self.tables
    }

    pub(super) fn into_tables(self) -> Vec<TableRows> {
        self.tables
    }
}
