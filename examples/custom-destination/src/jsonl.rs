//! A destination in one file: every load is a folder of JSON lines, complete or not there.
//!
//! ```text
//! <folder>/<dataset>/1763826000123456.partial/   a load under way: readers pass it over
//! <folder>/<dataset>/1763826000123456/           a committed load
//!     orders.00000.jsonl                         a part of a table, a line a row
//!     orders__lines.00001.jsonl
//!     manifest.json                              written last: schema, state and counts
//! ```
//!
//! One rename makes all tables of a load appear at once, with the load's record and its state. The load id is the
//! folder's name, so a load that is repeated finds itself there already and changes nothing.

use longshore::arrow_array::{RecordBatch, StringArray};
use longshore::arrow_schema::{DataType, Field, Schema as ArrowSchema};
use longshore::capabilities::{Atomicity, Capabilities, Dispositions, Widening};
use longshore::destination::{CommitOutcome, Committed, Load, Opening, Staged};
use longshore::lease::Leases;
use longshore::memory::with_load_id;
use longshore::package::{LoadId, Manifest, Part, TableCount, Target};
use longshore::schema::SystemTable;
use longshore::{Destination, Error, Result, async_trait};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MANIFEST: &str = "manifest.json";

/// A folder of loads. For data that JSON cannot say (NaN, bytes) a real one would choose another file format.
#[derive(Debug, Clone)]
pub(crate) struct JsonLines {
    folder: PathBuf,
    capabilities: Capabilities,
}

impl JsonLines {
    /// Returns the destination; the folder is made by the first load.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        let capabilities = Capabilities {
            atomicity: Atomicity::Package,
            max_identifier_length: 100, // a table's name becomes a file's
            concurrency: NonZeroUsize::MIN,
            dispositions: Dispositions::APPEND,
            widens: Widening::Never,
            remakes: true,
            leases: Leases::None, // two runs at once: the second is refused at its commit
            checks_unique: false,
            stages_early: true, // a partial folder is invisible and easily thrown away
        };
        JsonLines { folder: folder.into(), capabilities }
    }

    /// Manifests of the dataset's committed loads, oldest first.
    fn manifests(&self, dataset: &str) -> Result<Vec<Manifest>> {
        let Ok(entries) = fs::read_dir(self.folder.join(dataset)) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in entries {
            let folder = entry.map_err(|e| cannot("read", &self.folder, e))?.path();
            if folder.extension().is_some_and(|e| e == "partial") {
                continue;
            }
            let path = folder.join(MANIFEST);
            let text = fs::read(&path).map_err(|e| cannot("read", &path, e))?;
            found.push(serde_json::from_slice::<Manifest>(&text).map_err(|e| cannot("read", &path, e))?);
        }
        found.sort_by(|a, b| a.load_id.cmp(&b.load_id));
        Ok(found)
    }

    /// The folder of a load, once it is committed.
    fn load_folder(&self, target: &Target, load_id: &LoadId) -> PathBuf {
        self.folder.join(&target.dataset).join(load_id.as_str())
    }
}

impl fmt::Display for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jsonl://{}", self.folder.display())
    }
}

#[async_trait]
impl Destination for JsonLines {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        let mut own = self.manifests(&target.dataset)?;
        own.retain(|m| m.target.pipeline == target.pipeline);
        let state = own.iter().rev().find_map(|m| m.state.clone());
        Ok(own.pop().map(|newest| Committed { load_id: newest.load_id, schema: newest.schema, state }))
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        Ok(self.load_folder(target, load_id).exists())
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        let finished = self.load_folder(&opening.target, &opening.load_id);
        let partial = finished.with_file_name(format!("{}.partial", opening.load_id));
        // What an earlier try of this load left is of no use: its parts come again.
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).map_err(|e| cannot("create", &partial, e))?;
        let opening = opening.clone();
        Ok(Box::new(JsonLinesLoad { partial, finished, opening, of: self.clone() }))
    }

    /// People look at the files. This answers `SELECT * FROM table`, with the rows as JSON.
    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let table = sql.trim().strip_prefix("SELECT * FROM ").map(str::trim);
        let table = table.ok_or_else(|| Error::config("a folder of JSON lines answers only 'SELECT * FROM table'"))?;
        let loads = self.manifests(dataset)?;
        if !self.tables(dataset).await?.iter().any(|t| t.table == table) {
            return Err(Error::destination("no such table").with("table", table));
        }
        let mut lines = Vec::new();
        for load in since_dropped(&loads, table) {
            for path in part_files(&self.load_folder(&load.target, &load.load_id), table)? {
                let text = fs::read_to_string(&path).map_err(|e| cannot("read", &path, e))?;
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        let schema = ArrowSchema::new(vec![Field::new("row", DataType::Utf8, false)]);
        let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(lines))]);
        Ok(vec![rows.map_err(|e| Error::internal("one column of rows").source(e))?])
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        let mut rows: BTreeMap<String, u64> = BTreeMap::new();
        for load in self.manifests(dataset)? {
            load.drops.iter().for_each(|table| _ = rows.remove(table));
            for table in &load.schema.tables {
                rows.entry(table.name.clone()).or_default();
            }
            for table in &load.tables {
                *rows.entry(table.table.clone()).or_default() += table.rows;
            }
            // The manifests are the loader's own table of loads.
            *rows.entry(load.schema.system_columns.table_name(SystemTable::Loads).to_owned()).or_default() += 1;
        }
        Ok(rows.into_iter().map(|(table, rows)| TableCount { table, rows }).collect())
    }
}

/// The loads whose rows of a table count: those from the last one on that dropped it.
fn since_dropped<'a>(loads: &'a [Manifest], table: &str) -> &'a [Manifest] {
    let dropped = loads.iter().rposition(|load| load.drops.iter().any(|t| t == table));
    &loads[dropped.unwrap_or(0)..]
}

/// A load under way: files in a folder that nobody reads.
struct JsonLinesLoad {
    partial: PathBuf,
    finished: PathBuf,
    opening: Opening,
    of: JsonLines,
}

#[async_trait]
impl Load for JsonLinesLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        // Named by the part's number: staged again, it replaces the earlier try.
        let path = self.partial.join(format!("{}.{:05}.jsonl", part.table.name, part.number));
        let mut file = BufWriter::new(File::create(&path).map_err(|e| cannot("create", &path, e))?);
        let mut rows = 0;
        for batch in part.batches()? {
            // Parts come without the load id, which is the same for all their rows.
            let batch = with_load_id(&batch?, &part.table, self.opening.load_id.as_str())?;
            rows += batch.num_rows() as u64;
            let mut writer = arrow_json::LineDelimitedWriter::new(&mut file);
            writer.write(&batch).and_then(|()| writer.finish()).map_err(|e| cannot("write", &path, e))?;
        }
        let file = file.into_inner().map_err(|e| cannot("write", &path, e.into_error()))?;
        file.sync_data().map_err(|e| cannot("write", &path, e))?;
        Ok(Staged { part: part.number, table: part.table.name.clone(), rows })
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        if self.finished.exists() {
            return Ok(CommitOutcome::AlreadyCommitted); // dropping the load removes the partial folder
        }
        // Somebody else may have loaded since this load began.
        let newest = self.of.last_committed(&self.opening.target).await?.map(|c| c.load_id);
        self.opening.fence.check(newest.as_ref(), &self.opening.target)?;
        let path = self.partial.join(MANIFEST);
        let text = serde_json::to_vec_pretty(manifest).map_err(|e| cannot("write", &path, e))?;
        let mut file = File::create(&path).map_err(|e| cannot("create", &path, e))?;
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(|e| cannot("write", &path, e))?;
        sync(&self.partial)?;
        // From here on the load is there, whole.
        fs::rename(&self.partial, &self.finished).map_err(|e| cannot("rename", &self.partial, e))?;
        sync(self.finished.parent().unwrap_or(&self.finished))?;
        count_back(&self.finished, staged).map(CommitOutcome::Committed)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(()) // dropping does it
    }
}

impl Drop for JsonLinesLoad {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.partial); // after a commit there is none; otherwise `begin` tries again
    }
}

/// The part files of a table in a load's folder, in the order of the parts.
fn part_files(folder: &Path, table: &str) -> Result<Vec<PathBuf>> {
    let is_part = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_suffix(".jsonl").and_then(|n| n.rsplit_once('.')).is_some_and(|(of, _)| of == table)
    };
    let entries = fs::read_dir(folder).map_err(|e| cannot("read", folder, e))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(is_part).collect();
    files.sort();
    Ok(files)
}

/// Counts the rows that stand there now, one entry a table that was staged.
fn count_back(folder: &Path, staged: &[Staged]) -> Result<Vec<TableCount>> {
    let tables: BTreeSet<&str> = staged.iter().map(|s| s.table.as_str()).collect();
    let count = |table: &str| -> Result<TableCount> {
        let mut rows = 0;
        for path in part_files(folder, table)? {
            let file = File::open(&path).map_err(|e| cannot("read", &path, e))?;
            rows += BufReader::new(file).lines().count() as u64;
        }
        Ok(TableCount { table: table.to_owned(), rows })
    };
    tables.into_iter().map(count).collect()
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| cannot("write", folder, e))
}

fn cannot(what: &str, path: &Path, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::destination(format!("cannot {what} a file"))
        .with("file", path.display())
        .hint("check the folder's rights and the free space")
        .source(cause)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use longshore::{Outcome, Pipeline};
    use longshore_testkit::fault::{Fault, FaultyDestination};

    #[test]
    fn a_lost_reply_and_a_repeat_leave_each_row_once() {
        let folder = tempfile::tempdir().unwrap();
        let lines = JsonLines::new(folder.path().join("out"));
        let faults = [Fault::StageReplyLost(0), Fault::CommitReplyLost(0)];
        let faulty = FaultyDestination::new(Arc::new(lines), &faults);
        let pipeline = Pipeline::builder()
            .name("p")
            .data_dir(folder.path())
            .custom_destination(Arc::new(faulty))
            .table("t")
            .build()
            .unwrap();
        assert_eq!(pipeline.load_records([1, 2, 3]).unwrap().outcome, Outcome::Loaded);
        assert_eq!(pipeline.query("SELECT * FROM t").unwrap()[0].num_rows(), 3);
        assert_eq!(pipeline.load_records([4]).unwrap().outcome, Outcome::Loaded);
        assert_eq!(pipeline.query("SELECT * FROM t").unwrap()[0].num_rows(), 4);
    }
}
