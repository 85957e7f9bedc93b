//! Staging: parts of a table are gathered, encoded a piece at a time on several threads, and put into data
//! files that nobody sees yet.

mod files;

use crate::config::Config;
use crate::encoders::Encoders;
use crate::format::{OpenFile, Spec};
use crate::layout::{STAGING, path_safe};
use crate::manifest::{DataFile, load_name};
use crate::merge;
use crate::sink::{Slots, Written};
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
