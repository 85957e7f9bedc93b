//! Where a pipeline last loaded to, as its working folder remembers it.

use crate::store::{Store, StoredPackage, list_folder, read_package};
use longshore_core::error::Result;
use longshore_core::package::LoadId;

/// The place of a pipeline's newest load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPlace {
    /// Destinations as URLs without secrets.
    pub destinations: Vec<String>,
    /// The dataset.
    pub dataset: String,
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
        let of = |sub: &'static str| {
            let names = list_folder(&self.folder().join(sub));
            names.iter().filter_map(|n| LoadId::parse(n)).max().map(|id| (id, sub))
        };
        let newest = ["packages", "loaded"].into_iter().filter_map(of).max();
        newest.map(|(id, sub)| read_package(&self.folder().join(sub).join(id.as_str()), sub == "loaded")).transpose()
    }
}
