//! Errors of files and folders in Longshore's words.

use longshore_core::error::Error;
use std::path::Path;

/// Returns the error of a file or folder.
pub(crate) fn from_io(e: std::io::Error, path: &Path) -> Error {
    use std::io::ErrorKind as Io;
    let error = |text: &str| Error::destination(text).with("file", path.display());
    let made = match e.kind() {
        Io::PermissionDenied => error("permission to read or write the file or its folder is missing")
            .hint("give the user that runs this the rights on the folder and on what is in it"),
        Io::ReadOnlyFilesystem => error("the folder cannot be written").hint("check the rights of the folder"),
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
            error("the disk is full, or a limit on file sizes is reached")
                .hint("make room and run the same command again")
        }
        Io::NotADirectory | Io::AlreadyExists => match path.ancestors().find(|p| p.is_symlink() && !p.exists()) {
            Some(link) => error("a link leads nowhere where a folder is needed")
                .with("link", link.display())
                .hint("make the folder that it leads to, or remove the link"),
            None => error("a file stands where a folder is needed").hint("name another folder"),
        },
        _ => error("the file cannot be read or written"),
    };
    made.source(e)
}
