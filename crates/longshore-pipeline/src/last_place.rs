//! Where a pipeline last loaded to, as its working folder remembers it.

use crate::store::{Store, StoredPackage, list_folder, pipelines, read_package};
use longshore_core::error::Result;
use longshore_core::package::LoadId;
use std::path::Path;

/// The place of a pipeline's newest load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPlace {
    /// Destinations as URLs without secrets.
    pub destinations: Vec<String>,
    /// The dataset.
    pub dataset: String,
}

/// Returns the pipeline of a working folder that loaded last, into that dataset if one is named; `None` when none did.
///
/// # Errors
/// When a package's record cannot be read.
pub fn last_loaded(data_dir: &Path, dataset: Option<&str>) -> Result<Option<String>> {
    let mut last: Option<(LoadId, String)> = None;
    for pipeline in pipelines(data_dir) {
        let store = Store::of(data_dir, &pipeline);
        let Some(id) = store.known().map(|known| known.load_id).or_else(|| store.newest_id().map(|(id, _)| id)) else {
            continue;
        };
        let is_newer = last.as_ref().is_none_or(|(newest, _)| id > *newest);
        if is_newer && store.last_place()?.is_some_and(|place| dataset.is_none_or(|name| name == place.dataset)) {
            last = Some((id, pipeline));
        }
    }
    Ok(last.map(|(_, pipeline)| pipeline))
}

impl Store {
    /// Returns the place of the newest load: what `sync` took over, or the newest package, loaded or waiting. `None`
    /// when there was none.
    ///
    /// # Errors
    /// When the package's record cannot be read.
    pub fn last_place(&self) -> Result<Option<LastPlace>> {
        if let Some(known) = self.known() {
            return Ok(Some(LastPlace { destinations: known.destinations, dataset: known.dataset }));
        }
        let of = |newest: StoredPackage| LastPlace {
            destinations: newest.progress.destinations.into_iter().map(|d| d.url).collect(),
            dataset: newest.manifest.target.dataset,
        };
        Ok(self.newest()?.map(of))
    }

    /// Returns the newest package, loaded or waiting; the records of older ones are not read.
    ///
    /// # Errors
    /// When it cannot be read.
    fn newest(&self) -> Result<Option<StoredPackage>> {
        self.newest_id()
            .map(|(id, sub)| read_package(&self.folder().join(sub).join(id.as_str()), sub == "loaded"))
            .transpose()
    }

    /// Returns the newest package's id, and which of the two folders it is in.
    fn newest_id(&self) -> Option<(LoadId, &'static str)> {
        let of = |sub: &'static str| {
            let names = list_folder(&self.folder().join(sub));
            names.iter().filter_map(|n| LoadId::parse(n)).max().map(|id| (id, sub))
        };
        ["packages", "loaded"].into_iter().filter_map(of).max()
    }
}
