//! Files of a folder: written whole or not at all, and there after a power cut.

use super::Entry;
use crate::error::from_io;
use longshore_core::error::Result;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the names of files begin that are being written.
const NEW: &str = ".new-";
/// After so long nobody writes such a file any more: they are small.
const FORGOTTEN: Duration = Duration::from_secs(3600);

pub(super) fn is_missing(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Writes a temporary file beside `file`, to disk, and brings it there in one step.
pub(super) fn place(
    file: &Path,
    bytes: &[u8],
    bring: impl FnOnce(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(NEW).tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_data()?;
    // A temporary file is for its owner alone; what is brought has the usual rights.
    open_up(temporary.as_file())?;
    let brought = bring(temporary.path());
    if brought.is_ok() {
        // After a rename there is nothing left to remove.
        let _ = temporary.close();
        sync_folder(folder)?;
    }
    brought
}

/// That something else than a folder stands there is told from a file that is there already: by its kind.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => std::io::Error::new(std::io::ErrorKind::NotADirectory, e),
        _ => e,
    })
}

#[cfg(unix)]
fn open_up(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_up(_: &fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Makes a folder's new names outlive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

pub(super) fn list_folder(root: &Path, folder: &Path, entries: &mut Vec<Entry>) -> Result<()> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(e) if is_missing(&e) => return Ok(()),
        Err(e) => return Err(from_io(e, folder)),
    };
    for entry in found {
        let path = entry.map_err(|e| from_io(e, folder))?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            list_folder(root, &path, entries)?;
        } else if !name.starts_with(NEW)
            && let Ok(relative) = path.strip_prefix(root)
        {
            let relative: Vec<_> =
                relative.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
            match fs::metadata(&path) {
                Ok(found) => entries.push(Entry { path: relative.join("/"), bytes: found.len() }),
                // Deleted meanwhile, or a link that leads nowhere.
                Err(e) if is_missing(&e) => {}
                Err(e) => return Err(from_io(e, &path)),
            }
        }
    }
    Ok(())
}

/// Returns the files below a folder that a process that was killed had not finished, with their bytes, sorted by path.
pub(crate) fn forgotten(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            found.extend(forgotten(&entry.path()));
        } else if entry.file_name().to_string_lossy().starts_with(NEW)
            && meta.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > FORGOTTEN)
        {
            found.push((entry.path(), meta.len()));
        }
    }
    found.sort();
    found
}

/// Removes the folders that a deleted file leaves empty, up to the datasets' folder.
pub(crate) fn remove_empty_folders(root: &Path, file: &Path) {
    for folder in file.ancestors().skip(1).take_while(|f| *f != root && f.starts_with(root)) {
        if fs::remove_dir(folder).is_err() {
            return; // not empty
        }
    }
}
