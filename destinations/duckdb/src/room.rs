//! The memory that a load lets DuckDB have: what its commit needs, beside what the user gave.

use crate::error::from_message;
use crate::limits;
use crate::merge;
use crate::transaction::Transaction;
use longshore_core::error::Result;
use longshore_core::schema::{ColumnType, DataType};
use longshore_duckdb::wants_memory;
use longshore_sql::{Dialect, identifier};

/// Nothing that one row holds takes more.
pub(crate) const MOST_MEMORY: u64 = 64 << 30;

impl Transaction {
    /// Lets DuckDB have what the commit and the checkpoint behind it may take.
    pub(crate) fn allow_commit(&mut self) -> Result<()> {
        let columns: usize = self.tables.values().map(|t| t.columns.len()).sum();
        let mut vector = 0;
        for name in self.tables.keys().cloned().collect::<Vec<_>>() {
            vector = vector.max(self.largest_vector(&name)?);
        }
        self.allow(limits::checkpoint(columns as u64, vector))
    }

    /// The largest vector of rows that this load brought, together with the rows that stand before them.
    fn largest_vector(&mut self, name: &str) -> Result<u64> {
        let new = self.tables.get(name).map_or(0, |t| t.vectors.largest());
        let name = merge::staged_for(name, &self.opening.load_id);
        let Some(table) = self.tables.get(name).filter(|t| new > 0 && t.before > 0) else { return Ok(new) };
        let varies = [DataType::Text, DataType::Json, DataType::Binary];
        let may_be_long = |t: &Option<ColumnType>| t.is_none_or(|t| varies.contains(&t.data_type));
        let texts =
            table.columns.iter().filter(|(c, t)| may_be_long(t) && !self.has_made(name, c)).map(|(c, _)| identifier(c));
        let texts: Vec<String> = texts.collect();
        Ok(new + self.last_rows(&self.dialect.qualified(&self.opening.target.dataset, name), &texts)?)
    }

    /// Bytes of texts in the last rows a table had before. Where it has long ones, asking takes memory itself.
    fn last_rows(&mut self, table: &str, texts: &[String]) -> Result<u64> {
        let reader = self.reader()?;
        let path = self.path.clone();
        let failed = |e: String| from_message(&e, &path);
        let long = long_texts(&reader, table, texts);
        let sizes: Vec<String> = long.iter().map(|c| format!("coalesce(strlen({c}::VARCHAR), 0)")).collect();
        if sizes.is_empty() {
            return Ok(0);
        }
        let last = format!("SELECT coalesce(max(rowid), 0)::BIGINT FROM {table}");
        let last: i64 = reader.query_row(&last, [], |r| r.get(0)).map_err(|e| failed(e.to_string()))?;
        let from = last - limits::VECTOR as i64;
        let sql = format!("SELECT coalesce(sum({}), 0)::BIGINT FROM {table} WHERE rowid >= {from}", sizes.join(" + "));
        loop {
            match reader.query_row(&sql, [], |r| r.get::<_, i64>(0)) {
                Ok(bytes) => return Ok(bytes.unsigned_abs()),
                Err(e) if wants_memory(&e.to_string()) && self.memory < MOST_MEMORY => self.allow(self.memory * 2)?,
                Err(e) => return Err(failed(e.to_string())),
            }
        }
    }

    /// Lets DuckDB have that many bytes, if it has less.
    pub(crate) fn allow(&mut self, needed: u64) -> Result<()> {
        if needed > self.memory {
            self.execute(&format!("SET memory_limit = '{needed}B'"))?;
            self.memory = needed;
        }
        Ok(())
    }
}

/// The columns of a table that have long texts, or might: where DuckDB does not say, all of them.
fn long_texts<'a>(c: &duckdb::Connection, table: &str, texts: &'a [String]) -> Vec<&'a String> {
    if texts.is_empty() {
        return Vec::new();
    }
    let asked: Vec<String> = texts.iter().map(|column| format!("stats({column})")).collect();
    let sql = format!("SELECT {} FROM {table} LIMIT 1", asked.join(", "));
    let said = c.query_row(&sql, [], |r| (0..texts.len()).map(|i| r.get::<_, String>(i)).collect());
    let said: Vec<String> = said.unwrap_or_default();
    let may_be_long = |i: usize| said.get(i).is_none_or(|s| limits::has_long_texts(s));
    texts.iter().enumerate().filter(|(i, _)| may_be_long(*i)).map(|(_, column)| column).collect()
}
