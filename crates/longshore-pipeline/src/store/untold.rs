//! Loads that a run of another command completed: their own commands have not been told yet, and would read the same
//! input once more.

use super::files::{sync_file, write_json};
use super::{Store, StoredPackage, read_package};
use crate::part_file::write_error;
use longshore_core::error::Result;
use longshore_core::package::LoadId;
use std::collections::BTreeMap;
use std::fs;

/// By load, what stands for its command.
type Untold = BTreeMap<String, String>;

impl Store {
    /// Files a package as loaded for a command that is still to be told of it.
    pub(crate) fn acknowledge_untold(&self, package: &StoredPackage) -> Result<()> {
        let mut untold = self.untold();
        untold.insert(package.manifest.load_id.as_str().to_owned(), package.progress.fingerprint.clone());
        self.write_untold(&untold)?;
        self.file(package)
    }

    /// Returns the load of this command that another one completed.
    pub(crate) fn untold_of(&self, fingerprint: &str) -> Option<StoredPackage> {
        let untold = self.untold();
        let mut own = untold.iter().rev().filter(|(_, of)| *of == fingerprint);
        // Its record may be gone: then nothing is known of it.
        own.find_map(|(id, _)| read_package(&self.folder.join("loaded").join(id), true).ok())
    }

    /// Notes that the user has seen what came of a load.
    pub(super) fn told(&self, load_id: &LoadId) -> Result<()> {
        let mut untold = self.untold();
        if untold.remove(load_id.as_str()).is_some() { self.write_untold(&untold) } else { Ok(()) }
    }

    fn untold(&self) -> Untold {
        let text = fs::read(self.folder.join("untold.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write_untold(&self, untold: &Untold) -> Result<()> {
        let path = self.folder.join("untold.json");
        let temporary = self.folder.join("untold.json.new");
        sync_file(&write_json(temporary.clone(), untold)?)?;
        fs::rename(&temporary, &path).map_err(|e| write_error(&path, e.into()))
    }
}
