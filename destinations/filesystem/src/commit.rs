//! The commit: what is about to happen is written down, files come to their places, dlt's records, and last the
//! manifest, by which the load counts. Every step may be repeated.

use crate::adopt;
use crate::config::{Config, FileFormat};
use crate::dataset::{self, Dataset};
use crate::foreign::Foreign;
use crate::layout::FileName;
use crate::manifest::{
    self, CurrentTable, DataFile, FORMAT, FileColumn, FileManifest, Pending, TableFiles, Tables, in_dataset,
};
use crate::merge::{self, Files};
use crate::records::{self, INIT, INIT_TEXT, Records};
use crate::stage::{Context, Inner, StagedFile};
use crate::there::{self, There};
use crate::turns::{self, Turns};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::destination::{CommitOutcome, Opening, Staged, rejects_table};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Manifest, TableCount};
use longshore_core::schema::{SystemColumns, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Files published at once.
const AT_ONCE: usize = 8;

/// Commits what was staged and says what the manifest holds now.
pub(crate) async fn commit(mut inner: Inner, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
    let context = Arc::clone(&inner.context);
    let load = &*context;
    let target = load.opening.target.clone();
    let manifest_path = manifest::path(&target.dataset, &target.pipeline, &manifest.load_id);
    if manifest::read(&load.store, &manifest_path).await?.is_some() {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
    let pending = manifest::pending_path(&target.dataset, &target.pipeline, &manifest.load_id);
    manifest::remove_mark(&load.store, &manifest_path, &pending).await?;
    let mut files = inner.finish()?;
    if let Some(receipt) = staged.iter().find(|r| r.rows > 0 && !files.contains_key(&r.table)) {
        return Err(Error::internal("a receipt names a table that was not staged").with("table", &receipt.table));
    }
    let now = Utc::now();
    let records = records::of(&load.store, &target, manifest, now).await?;
    let rewritten = manifest.replaced().chain(manifest.merged()).map(|t| t.name.as_str());
    let mut rewritten: Vec<&str> = rewritten.chain(manifest.drops.iter().map(String::as_str)).collect();
    rewritten.sort_unstable();
    rewritten.dedup();
    let turns = Turns::look(&load.store, &target, &manifest.load_id, rewritten.iter().copied()).await?;
    let fence = &load.opening.fence;
    if !fence.is_open() {
        let newest =
            manifest::newest_load(&load.store, &target, load.opening.system_columns, &manifest.load_id).await?;
        if let Err(e) = fence.check(newest.as_ref(), &target) {
            retract(load, &pending).await?;
            return Err(e);
        }
    }
    let current = match rewritten.is_empty() {
        true => Tables::new(),
        false => Dataset::read(&load.store, &target.dataset).await?.tables,
    };
    let met = there::met(manifest, &files);
    let There { tables: there, gone, adopted } = there::look(&mut inner, manifest, met, &current, &turns).await?;
    let merged = match merge::merge_all(&mut inner, manifest, &mut files, &there).await {
        // Files may be gone, because another load has written them anew.
        Err(e) if turns.are_over(&load.store).await? => return Err(turns::overtaken().source(e)),
        outcome => outcome?,
    };
    let (mut tables, to_publish) = plan(load, manifest, files, &merged.columns);
    let mut removed = replaced_files(load, manifest, &current).await?;
    for (table, paths) in merged.removed.into_iter().chain(gone) {
        removed.entry(table).or_default().extend(paths);
    }
    for table in &mut tables {
        table.removed = removed.get(&table.table).cloned().unwrap_or_default();
        table.dropped = manifest.drops.contains(&table.table);
    }
    tables.extend(adopt::entries(adopted, &removed));
    let own = records.all().map(|r| r.path.clone()).filter(|p| *p != records.schema_path());
    announce(load, &pending, manifest, to_publish.iter().map(|f| f.file.path.clone()).chain(own).collect()).await?;
    publish(load, to_publish).await?;
    write_records(load, &records, manifest.schema.system_columns).await?;
    let made = file_manifest(load, manifest, &records, tables, now);
    // Somebody may have cleaned up meanwhile: then the load begins again.
    if load.store.read(&pending).await?.is_none() {
        return Err(Error::new(ErrorKind::Unavailable, "what was staged was cleaned away before the commit"));
    }
    turns.take(&load.store).await?;
    let bytes =
        serde_json::to_vec_pretty(&made).map_err(|e| Error::internal("a manifest cannot be written").source(e))?;
    let is_ours = load.store.create(&manifest_path, bytes).await?;
    let standing = manifest::read(&load.store, &manifest_path).await?;
    let Some(standing) = standing else {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "the load was given up before its commit, by 'longshore clean' or another load",
        ));
    };
    // Counts from here on; what is left to do, 'longshore clean' can do.
    let _ = tidy(load, manifest, &pending, &removed, &turns).await;
    if !is_ours && standing.attempt != *load.attempt {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
    let rows = |table: &str| match merged.counts.iter().find(|c| c.table == table) {
        Some(count) => count.rows,
        None => standing.tables.iter().filter(|t| t.table == table).flat_map(|t| &t.added).map(|f| f.rows).sum(),
    };
    let counts = manifest.tables.iter().map(|t| TableCount { table: t.table.clone(), rows: rows(&t.table) }).collect();
    Ok(CommitOutcome::Committed(counts))
}

/// Removes what an earlier try of the load had made visible for dlt, which knows no manifests.
async fn retract(load: &Context, pending: &str) -> Result<()> {
    let Some(bytes) = load.store.read(pending).await? else { return Ok(()) };
    let note = serde_json::from_slice::<Pending>(&bytes).ok();
    for path in note.into_iter().flat_map(|note| note.paths) {
        load.store.delete(&in_dataset(&load.opening.target.dataset, &path)).await?;
    }
    load.store.delete(pending).await
}

/// Deletes what counts no longer; the note goes when that is done.
async fn tidy(
    load: &Context,
    manifest: &Manifest,
    pending: &str,
    removed: &BTreeMap<String, Vec<String>>,
    turns: &Turns,
) -> Result<()> {
    let (store, target) = (&load.store, &load.opening.target);
    let paths = removed.values().flatten();
    let delete = |path: &String| {
        let path = in_dataset(&target.dataset, path);
        async move { store.delete(&path).await }
    };
    stream::iter(paths).map(delete).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    store.delete(pending).await?;
    turns.prune(store).await?;
    let system = manifest.schema.system_columns;
    records::prune_states(store, target, system, load.config.max_state_files).await?;
    dataset::checkpoint(store, &target.dataset, &manifest.load_id, &load.attempt).await
}

/// Returns the path of a table's n-th file below the dataset's folder.
pub(crate) fn data_path(config: &Config, opening: &Opening, table: &str, number: usize, format: FileFormat) -> String {
    let loaded = DateTime::from_timestamp_micros(opening.load_id.micros() as i64).unwrap_or_default();
    config.layout.path(&FileName {
        pipeline: &opening.target.pipeline,
        table,
        load_id: opening.load_id.as_str(),
        loaded,
        current: config.current_datetime.unwrap_or(loaded),
        number,
        extension: format.extension(),
    })
}

/// Files that hold what this load replaces or drops, by table.
async fn replaced_files(
    load: &Context,
    manifest: &Manifest,
    current: &Tables,
) -> Result<BTreeMap<String, Vec<String>>> {
    let families = manifest.replaced().flat_map(|t| manifest.schema.children_of(&t.name).into_iter().chain([t]));
    let names = families.map(|t| t.name.as_str()).chain(manifest.drops.iter().map(String::as_str));
    let names: Vec<&str> = names.collect::<BTreeSet<&str>>().into_iter().collect();
    let paths = |table: &CurrentTable| table.files.iter().map(|(file, _)| file.path.clone()).collect();
    let mut replaced: BTreeMap<String, Vec<String>> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), paths(current.get(*name)?)))).collect();
    if load.opening.system_columns == SystemColumns::Dlt && !names.is_empty() {
        let foreign = Foreign::look(&load.store, &load.config, &load.opening).await?;
        for name in names {
            let files = foreign.files(name).await?.into_iter().map(|file| file.path);
            replaced.entry(name.to_owned()).or_default().extend(files);
        }
    }
    Ok(replaced)
}

/// Gives every file its path, and every table of the schema its entry.
fn plan(
    load: &Context,
    manifest: &Manifest,
    mut files: Files,
    merged: &BTreeMap<String, Vec<FileColumn>>,
) -> (Vec<TableFiles>, Vec<StagedFile>) {
    let rejects = rejects_table(manifest.schema.system_columns);
    let gone: Vec<Table> =
        manifest.drops.iter().filter(|t| manifest.schema.table(t).is_none()).map(|t| Table::new(t, None)).collect();
    let mut tables: Vec<&Table> = gone.iter().chain(&manifest.schema.tables).collect();
    if files.contains_key(&rejects.name) {
        tables.push(&rejects);
    }
    let mut to_publish = Vec::new();
    let entries = tables.into_iter().map(|table| {
        let mut added: Vec<DataFile> = Vec::new();
        for (number, mut staged) in files.remove(&table.name).unwrap_or_default().into_iter().enumerate() {
            staged.file.path = data_path(&load.config, &load.opening, &table.name, number, staged.file.format);
            added.push(staged.file.clone());
            to_publish.push(staged);
        }
        let rows = added.iter().map(|f| f.rows).sum();
        let columns = merged.get(&table.name).cloned().unwrap_or_else(|| manifest::columns(table));
        TableFiles { table: table.name.clone(), columns, rows, added, removed: Vec::new(), dropped: false }
    });
    let entries = entries.collect();
    (entries, to_publish)
}

/// Writes down what is about to be made visible, after removing what an earlier try of the load had made
/// visible under other names.
async fn announce(load: &Context, path: &str, manifest: &Manifest, paths: Vec<String>) -> Result<()> {
    let target = &load.opening.target;
    let note = |paths: Vec<String>| Pending {
        load_id: manifest.load_id.clone(),
        pipeline: target.pipeline.clone(),
        attempt: load.attempt.to_string(),
        paths,
    };
    let bytes = |note: &Pending| {
        serde_json::to_vec_pretty(note).map_err(|e| Error::internal("a note cannot be written").source(e))
    };
    let earlier = load.store.read(path).await?.and_then(|b| serde_json::from_slice::<Pending>(&b).ok());
    if let Some(earlier) = earlier {
        let stale: Vec<String> = earlier.paths.into_iter().filter(|p| !paths.contains(p)).collect();
        // Both, until the old ones are gone.
        load.store.write(path, bytes(&note([paths.clone(), stale.clone()].concat()))?).await?;
        for path in stale {
            load.store.delete(&in_dataset(&target.dataset, &path)).await?;
        }
    }
    load.store.write(path, bytes(&note(paths))?).await
}

/// Makes the data files visible, and checks that they are there, whole.
async fn publish(load: &Context, files: Vec<StagedFile>) -> Result<()> {
    let (store, dataset) = (&load.store, &load.opening.target.dataset);
    let publish = |StagedFile { written, file }: StagedFile| async move {
        let path = in_dataset(dataset, &file.path);
        written.publish(store, &path).await?;
        match store.size(&path).await? {
            Some(bytes) if bytes == file.bytes => Ok(()),
            found => Err(Error::new(ErrorKind::Integrity, "a file does not have the size that was written")
                .with("file", path)
                .with("written", file.bytes)
                .with("found", found.map_or_else(|| "nothing".to_owned(), |b| b.to_string()))),
        }
    };
    stream::iter(files).map(publish).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(|_| ())
}

async fn write_records(load: &Context, records: &Records, system: SystemColumns) -> Result<()> {
    let dataset = &load.opening.target.dataset;
    if system == SystemColumns::Dlt {
        // Another version of dlt's marker stays as it is.
        load.store.create(&in_dataset(dataset, INIT), INIT_TEXT.as_bytes().to_vec()).await?;
    }
    for record in records.all() {
        let mut line = record.content.to_string();
        line.push('\n');
        load.store.write(&in_dataset(dataset, &record.path), line.into_bytes()).await?;
    }
    Ok(())
}

fn file_manifest(
    load: &Context,
    manifest: &Manifest,
    records: &Records,
    tables: Vec<TableFiles>,
    now: DateTime<Utc>,
) -> FileManifest {
    FileManifest {
        format: FORMAT,
        load_id: manifest.load_id.clone(),
        pipeline: load.opening.target.pipeline.clone(),
        system_columns: manifest.schema.system_columns,
        committed_at: now.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        attempt: load.attempt.to_string(),
        aborted: false,
        schema_hash: manifest.schema.hash(),
        schema_file: records.schema_path().to_owned(),
        state_file: records.state.as_ref().map(|r| r.path.clone()),
        load_file: records.load.path.clone(),
        tables,
    }
}
