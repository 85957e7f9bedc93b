//! Full disks and folders that cannot be written, also for tests that run as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and its arguments that run what follows them without root's right to ignore
/// permissions; empty for other users.
pub fn without_rights() -> &'static [&'static str] {
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if is_root { &["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] } else { &["env"] }
}

/// A shell that runs what follows it unable to make a file larger than so many KiB.
pub fn file_size_limit(kib: u32) -> [String; 4] {
    // The unit of `ulimit -f` in POSIX shells is 512 bytes.
    let script = format!("ulimit -f {}; exec \"$@\"", kib * 2);
    ["sh", "-c", &script, "sh"].map(str::to_owned)
}

/// A file system of its own and of a fixed size, where mounting is allowed.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it on a folder, which is made. `None` when this is not allowed here.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn mount(folder: &Path, kib: u32) -> Option<Self> {
        fs::create_dir_all(folder).expect("the folder can be made");
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|m| m.status.success()).then(|| SmallDisk(folder.to_path_buf()))
    }

    /// Makes room.
    ///
    /// # Panics
    /// When that fails.
    pub fn grow(&self, kib: u32) {
        let size = format!("remount,size={kib}k");
        let done = Command::new("mount").args(["-o", &size]).arg(&self.0).status();
        assert!(done.is_ok_and(|s| s.success()), "{} can be made larger", self.0.display());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status(); // the test is over
    }
}
