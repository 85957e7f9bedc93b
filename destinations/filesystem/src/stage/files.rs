//! Rows into data files: gathered by table, encoded a piece at a time on several threads, put into files that end when
//! they are large enough.

use super::{Inner, StagedFile, TableFiles, Under};
use crate::format::Spec;
use crate::manifest::DataFile;
use crate::merge;
use crate::sink::Sink;
use crate::store::Store;
use arrow_array::RecordBatch;
use longshore_core::error::{Error, Result};
use longshore_core::schema::Table;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Memory of rows gathered, of all tables, when nothing else is said: an eighth of what a load may have.
const GATHERED: usize = 48 << 20;
/// Encoded bytes that may wait in memory, of all files.
const HELD: usize = 48 << 20;

impl Inner {
    /// Takes rows that have all columns of their table.
    pub(crate) fn put(&mut self, table: &Arc<Table>, batch: RecordBatch) -> Result<()> {
        let bytes = size(&batch);
        let (limit, per_table) = self.limits();
        let of = self.tables.entry(table.name.clone()).or_default();
        if of.table.as_ref().is_none_or(|known| known.columns.len() < table.columns.len()) {
            of.table = Some(Arc::clone(table));
        }
        of.gathered_rows += batch.num_rows();
        of.gathered_bytes += bytes;
        of.gathered.push(batch);
        self.gathered += bytes;
        if of.gathered_rows >= self.context.config.row_group_rows || of.gathered_bytes >= per_table {
            let name = table.name.clone();
            self.encode(&name)?;
        }
        while self.gathered > limit {
            let largest = self.tables.iter().max_by_key(|(_, t)| t.gathered_bytes).map(|(name, _)| name.clone());
            let Some(largest) = largest else { break };
            self.encode(&largest)?;
        }
        Ok(())
    }

    /// Bytes of rows that may be gathered over all tables, and of one.
    fn limits(&self) -> (usize, usize) {
        let all = self.context.config.memory.map_or(GATHERED, |m| ((m / 5) as usize).max(1 << 20));
        (all, all / 3)
    }

    /// Gives the rows gathered of a table to the threads that encode.
    fn encode(&mut self, table: &str) -> Result<()> {
        let Some(of) = self.tables.get_mut(table) else { return Ok(()) };
        let format = if of.merging.is_some() { merge::STAGING } else { self.context.config.format };
        self.gathered -= of.gathered_bytes;
        (of.gathered_rows, of.gathered_bytes) = (0, 0);
        let batches = std::mem::take(&mut of.gathered);
        let (Some(shape), false) = (&of.table, batches.is_empty()) else { return Ok(()) };
        let fits = |spec: &Arc<Spec>| spec.table.columns.len() >= shape.columns.len();
        let spec = match of.spec.take().filter(fits) {
            Some(spec) => spec,
            None => Arc::new(Spec::new(format, shape, &batches)?),
        };
        of.spec = Some(Arc::clone(&spec));
        // A row group is never larger than asked for.
        for piece in cut(batches, self.context.config.row_group_rows) {
            while self.encoders.is_full() {
                self.take_encoded()?;
            }
            self.encoders.submit(table, Arc::clone(&spec), piece);
        }
        while self.encoders.has_finished() {
            self.take_encoded()?;
        }
        Ok(())
    }

    /// Puts the oldest piece that is being encoded into its file.
    fn take_encoded(&mut self) -> Result<()> {
        let Some((table, spec, piece)) = self.encoders.next() else { return Ok(()) };
        let piece = piece?;
        let of = self.tables.entry(table.clone()).or_default();
        // More columns than the open file has: it is ended.
        if let Some(under) = of.open.take_if(|open| open.spec.table.columns.len() != spec.table.columns.len()) {
            let file = under.finish(true)?;
            of.done.push(file);
        }
        let mut under = match of.open.take() {
            Some(under) => under,
            None => {
                let sink = self.sink(&table, &spec)?;
                Under { file: spec.open(sink)?, spec, rows: 0, longest: 0 }
            }
        };
        under.rows += piece.rows();
        under.longest = under.longest.max(piece.longest());
        under.file.append(piece)?;
        let is_full = under.file.written() >= self.context.config.file_bytes;
        let of = self.tables.entry(table).or_default();
        if is_full {
            of.done.push(under.finish(false)?);
        } else {
            of.open = Some(under);
        }
        self.let_go()
    }

    /// Sends off the largest files that wait in memory while there is too much of them.
    fn let_go(&mut self) -> Result<()> {
        if self.staging.is_some() {
            return Ok(());
        }
        let held = |of: &TableFiles| of.open.as_ref().map_or(0, |open| open.file.held());
        let done: usize = self.tables.values().flat_map(|of| &of.done).map(|f| f.written.held()).sum();
        while done + self.tables.values().map(held).sum::<usize>() > HELD {
            let Some(of) = self.tables.values_mut().max_by_key(|of| held(of)).filter(|of| held(of) > 0) else {
                return Ok(());
            };
            if let Some(under) = of.open.take() {
                let file = under.finish(false)?;
                of.done.push(file);
            }
        }
        Ok(())
    }

    fn sink(&mut self, table: &str, spec: &Spec) -> Result<Sink> {
        self.files += 1;
        if self.tables.get(table).is_some_and(|of| of.merging.is_some()) {
            let path = self.workspace()?.join(format!("{:06}.part", self.files));
            return Ok(Sink::file(path));
        }
        match (&self.context.store, &self.staging) {
            (Store::Bucket(remote), _) => {
                let number = self.tables.get(table).map_or(0, |of| of.done.len());
                let path =
                    crate::commit::data_path(&self.context.config, &self.context.opening, table, number, spec.format);
                let path = crate::manifest::in_dataset(&self.context.opening.target.dataset, &path);
                Ok(Sink::object(remote, path, &self.slots, &self.context.attempt))
            }
            (Store::Folder(_), Some((folder, _))) => Ok(Sink::file(folder.join(format!("{:06}.part", self.files)))),
            (Store::Folder(_), None) => Err(Error::internal("a folder's load has no place for its files")),
        }
    }

    /// From here on, rows of the table are those that its files are to have.
    pub(crate) fn is_merged(&mut self, table: &str) {
        let of = self.tables.entry(table.to_owned()).or_default();
        (of.merging, of.spec, of.table) = (None, None, None);
    }

    /// Encodes and writes everything that is left and returns the files, by table in their order.
    pub(crate) fn finish(&mut self) -> Result<BTreeMap<String, Vec<StagedFile>>> {
        // The largest first, so that no thread has a large one left at the end.
        let mut names: Vec<(usize, String)> = self.tables.iter().map(|(n, t)| (t.gathered_bytes, n.clone())).collect();
        names.sort_by(|a, b| b.cmp(a));
        for (_, name) in names {
            self.encode(&name)?;
        }
        while !self.encoders.is_empty() {
            self.take_encoded()?;
        }
        let mut files = BTreeMap::new();
        for (name, of) in &mut self.tables {
            if let Some(under) = of.open.take() {
                of.done.push(under.finish(true)?);
            }
            files.insert(name.clone(), std::mem::take(&mut of.done));
        }
        Ok(files)
    }
}

impl Under {
    fn finish(self, keep: bool) -> Result<StagedFile> {
        let format = self.spec.format;
        let bounds = self.file.bounds(&self.spec.table);
        let written = self.file.finish()?.finish(keep)?;
        let file = DataFile {
            path: String::new(),
            format,
            rows: self.rows,
            bytes: written.bytes(),
            columns: self.spec.table.columns.len(),
            longest_line: self.longest,
            of_dlt: false,
            bounds,
        };
        Ok(StagedFile { written, file })
    }
}

/// Bytes of a batch's values, as far as the batch reaches into its buffers.
fn size(batch: &RecordBatch) -> usize {
    let of = |array: &arrow_array::ArrayRef| {
        array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
    };
    batch.columns().iter().map(of).sum()
}

/// Cuts batches into pieces of at most `rows` rows.
fn cut(batches: Vec<RecordBatch>, rows: usize) -> Vec<Vec<RecordBatch>> {
    let (mut pieces, mut piece, mut room) = (Vec::new(), Vec::new(), rows);
    for batch in batches {
        let mut first = 0;
        while first < batch.num_rows() {
            let count = room.min(batch.num_rows() - first);
            piece.push(batch.slice(first, count));
            (first, room) = (first + count, room - count);
            if room == 0 {
                pieces.push(std::mem::take(&mut piece));
                room = rows;
            }
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}
