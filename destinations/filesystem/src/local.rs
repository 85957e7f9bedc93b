//! Data files where DuckDB can read them: those of a folder as they are, those of a bucket in a temporary folder.

use crate::layout::path_safe;
use crate::manifest::{DataFile, in_dataset};
use crate::store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Files fetched at once.
const AT_ONCE: usize = 4;

/// Where a dataset's files can be read.
pub(crate) struct Local {
    root: PathBuf,
    /// Of a bucket: the folder, removed with this, and what is there already.
    fetched: Option<(tempfile::TempDir, BTreeSet<String>)>,
}

impl Local {
    pub(crate) fn new(store: &Store, dataset: &str) -> Result<Self> {
        if let Store::Folder(root) = store {
            return Ok(Local { root: root.join(path_safe(dataset)), fetched: None });
        }
        let folder = tempfile::tempdir().map_err(|e| Error::storage("cannot make a temporary folder").source(e))?;
        Ok(Local { root: folder.path().to_path_buf(), fetched: Some((folder, BTreeSet::new())) })
    }

    /// Brings files that are not here yet.
    pub(crate) async fn bring(
        &mut self,
        store: &Store,
        dataset: &str,
        files: impl Iterator<Item = &DataFile>,
    ) -> Result<()> {
        let Some((_, known)) = &mut self.fetched else { return Ok(()) };
        let paths: Vec<String> = files.map(|f| f.path.clone()).filter(|p| known.insert(p.clone())).collect();
        let fetch = |path: String| {
            let to = self.root.join(&path);
            async move { store.fetch(&in_dataset(dataset, &path), &to).await }
        };
        stream::iter(paths).map(fetch).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(|_| ())
    }

    pub(crate) fn path(&self, file: &DataFile) -> PathBuf {
        self.root.join(&file.path)
    }
}
