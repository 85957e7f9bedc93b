//! Staging: parts of a table are gathered, encoded a piece at a time on several threads, and put into data
//! files that nobody sees yet.

use crate::config::Config;
use crate::encoders::Encoders;
use crate::format::{OpenFile, Spec};
use crate::layout::{STAGING, path_safe};
use crate::manifest::{DataFile, load_name};
use crate::merge;
use crate::sink::{Sink, Slots, Written};
use crate::store::{Store, remove_empty_folders};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::destination::{CommitOutcome, Load, Opening, Staged};
use longshore_core::error::{Error, Result};
use longshore_core::memory::with_load_id;
use longshore_core::package::{Manifest, Part};
use longshore_core::schema::Table;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A load under way.
#[derive(Debug)]
pub(crate) struct FileLoad {
    inner: Mutex<Inner>,
}

/// What does not change while the load lives.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) config: Arc<Config>,
    pub(crate) opening: Opening,
    /// Which try of the load this is: no two have the same.
    pub(crate) attempt: Arc<str>,
}

/// The load's state.
pub(crate) struct Inner {
    pub(crate) context: Arc<Context>,
    /// Temporary files of a folder, with the lock that says that they are in use.
    staging: Option<(PathBuf, fs::File)>,
    /// The same for merging into a bucket.
    temporary: Option<tempfile::TempDir>,
    tables: BTreeMap<String, TableFiles>,
    staged: BTreeMap<u64, Staged>,
    encoders: Encoders,
    slots: Arc<Slots>,
    /// Bytes of rows gathered, over all tables.
    gathered: usize,
    files: usize,
}

/// One table's rows and files.
#[derive(Default)]
struct TableFiles {
    gathered: Vec<RecordBatch>,
    gathered_rows: usize,
    gathered_bytes: usize,
    /// The columns of the rows gathered.
    table: Option<Arc<Table>>,
    spec: Option<Arc<Spec>>,
    open: Option<Under>,
    done: Vec<StagedFile>,
    /// Rows so far of a table that is to be merged: they wait in files of this machine until the commit.
    merging: Option<u64>,
}

/// The file that pieces are put into.
struct Under {
    file: OpenFile,
    spec: Arc<Spec>,
    rows: u64,
    longest: u64,
}

/// A data file that waits for the commit; its path is not decided yet.
pub(crate) struct StagedFile {
    pub(crate) written: Written,
    pub(crate) file: DataFile,
}

/// Memory of rows gathered, of all tables, when nothing else is said: an eighth of what a load may have.
const GATHERED: usize = 48 << 20;
/// Encoded bytes that may wait in memory, of all files.
const HELD: usize = 48 << 20;

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("context", &self.context).finish_non_exhaustive()
    }
}

impl FileLoad {
    pub(crate) fn begin(store: Store, config: Arc<Config>, opening: &Opening) -> Result<Self> {
        let attempt: Arc<str> = Arc::from(unique());
        let staging = match &store {
            Store::Folder(root) => Some(staging_folder(root, opening, &attempt)?),
            Store::Bucket(_) => None,
        };
        let all = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let encoders = Encoders::start(config.threads.unwrap_or_else(all).max(1))?;
        let inner = Inner {
            context: Arc::new(Context { store, config, opening: opening.clone(), attempt }),
            staging,
            temporary: None,
            tables: BTreeMap::new(),
            staged: BTreeMap::new(),
            encoders,
            slots: Arc::default(),
            gathered: 0,
            files: 0,
        };
        Ok(FileLoad { inner: Mutex::new(inner) })
    }
}

/// Makes the folder of the temporary files, locked while the load lives. What earlier tries of the same load left is
/// removed.
fn staging_folder(root: &std::path::Path, opening: &Opening, attempt: &str) -> Result<(PathBuf, fs::File)> {
    let all = root.join(path_safe(&opening.target.dataset)).join(STAGING);
    let name = load_name(&opening.target.pipeline, &opening.load_id);
    for old in fs::read_dir(&all).into_iter().flatten().flatten() {
        if old.file_name().to_string_lossy().starts_with(&format!("{name}.")) {
            crate::clean::remove_staging(&old.path(), false);
        }
    }
    let folder = all.join(format!("{name}.{attempt}"));
    let make = || {
        fs::create_dir_all(&folder)?;
        let lock = fs::File::create(folder.join("lock"))?;
        // Some network folders have no locks: then the file's age has to say.
        let _ = lock.try_lock();
        Ok(lock)
    };
    let lock = make().map_err(|e| crate::error::from_io(e, &folder))?;
    Ok((folder, lock))
}

/// Returns a text that no other try has.
fn unique() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}{:08x}", RandomState::new().hash_one(std::time::SystemTime::now()), std::process::id())
}

#[async_trait]
impl Load for FileLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.stage(part).map_err(|e| e.with("table", &part.table.name))
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        crate::commit::commit(inner, manifest, staged).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(()) // dropping removes what was staged
    }
}

impl Inner {
    fn stage(&mut self, part: &Part) -> Result<Staged> {
        if let Some(receipt) = self.staged.get(&part.number) {
            return Ok(receipt.clone());
        }
        let mut rows = 0;
        for batch in part.batches()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                self.gather(&part.table, &batch)?;
            }
        }
        let receipt = Staged { part: part.number, table: part.table.name.clone(), rows };
        self.staged.insert(part.number, receipt.clone());
        Ok(receipt)
    }

    fn gather(&mut self, table: &Arc<Table>, batch: &RecordBatch) -> Result<()> {
        let batch = with_load_id(batch, table, self.context.opening.load_id.as_str())?;
        if !table.write.merges() {
            return self.put(table, batch);
        }
        let of = self.tables.entry(table.name.clone()).or_default();
        let batch = merge::numbered(&batch, of.merging.unwrap_or_default())?;
        of.merging = Some(of.merging.unwrap_or_default() + batch.num_rows() as u64);
        self.put(&Arc::new(merge::staging(table)), batch)
    }

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

    /// Returns a folder of this machine that goes with the load.
    pub(crate) fn workspace(&mut self) -> Result<PathBuf> {
        if let Some((folder, _)) = &self.staging {
            return Ok(folder.clone());
        }
        if self.temporary.is_none() {
            let made = tempfile::tempdir();
            self.temporary =
                Some(made.map_err(|e| Error::storage("cannot make a temporary folder for the merge").source(e))?);
        }
        Ok(self.temporary.as_ref().map(|t| t.path().to_path_buf()).unwrap_or_default())
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
            bounds,
        };
        Ok(StagedFile { written, file })
    }
}

impl Drop for Inner {
    /// What was not committed goes away.
    fn drop(&mut self) {
        for of in self.tables.values_mut() {
            of.done.drain(..).for_each(|file| file.written.discard(None));
            if let Some(sink) = of.open.take().and_then(|under| under.file.finish().ok()) {
                sink.discard(None);
            }
        }
        if let (Some((folder, lock)), Store::Folder(root)) = (self.staging.take(), &self.context.store) {
            drop(lock);
            let _ = fs::remove_dir_all(&folder); // what stays, `clean` removes
            remove_empty_folders(root, &folder);
        }
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
