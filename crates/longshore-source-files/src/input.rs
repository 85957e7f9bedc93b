//! From what the user names (files, patterns, directories, `-`) to the inputs to read, in order.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::declared::as_path;
use crate::error::{Error, Result};

/// Where bytes come from; shared by all blocks of one input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The path as it was found, or `<stdin>`.
    pub name: String,
    /// The input's place in the order of reading, from 0.
    pub index: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// One file or pipe to read. It is opened only when its turn comes.
pub struct Input {
    pub(crate) name: String,
    /// Bytes on disk; unknown for pipes.
    pub(crate) size: Option<u64>,
    kind: Kind,
}

enum Kind {
    Path(PathBuf),
    Stdin,
    Reader(Box<dyn Read + Send>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("size", &self.size).finish()
    }
}

impl Input {
    /// Finds the inputs that `names` stand for, in the order of `names`:
    ///
    /// * `-` is stdin;
    /// * an existing file is itself, whatever its name;
    /// * a directory stands for all files below it, at any depth, that end in `.json`,
    ///   `.jsonl`, `.ndjson`, `.csv` or `.tsv`, each also with `.gz` or `.zst`, and those of Parquet
    ///   and Arrow; names that begin with a dot and links to directories are left out;
    /// * anything else with `*`, `?` or `[` is a pattern (`**` crosses directories, but no links
    ///   to directories, and at the end stands for all files below); a directory it matches stands for its files;
    /// * `file://` before a path may be there.
    ///
    /// Pipes and devices are read only where they are named themselves: they may never end.
    ///
    /// The files of one directory or pattern are sorted by path, and a file that is named twice,
    /// however it is spelt or linked, is read once.
    ///
    /// # Errors
    /// No names, a missing file, a pattern or directory without a file, `-` twice.
    pub fn resolve(names: &[String]) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        let mut seen = HashSet::new();
        let times = names.iter().filter(|name| *name == "-").count();
        if times > 1 {
            return Err(Error::StdinTwice { times });
        }
        for name in names {
            if name == "-" {
                inputs.push(Input::stdin());
                continue;
            }
            for path in expand(as_path(name))? {
                // What is no file (a pipe) has no other name.
                if seen.insert(fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
                    inputs.push(Input::path(path));
                }
            }
        }
        if inputs.is_empty() {
            return Err(Error::NoInput);
        }
        Ok(inputs)
    }

    /// The file at `path`, without looking for patterns in it.
    pub fn path(path: impl Into<PathBuf>) -> Input {
        let path = path.into();
        let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file).map(|m| m.len());
        Input { name: path.display().to_string(), size, kind: Kind::Path(path) }
    }

    /// Standard input, named `<stdin>`.
    pub fn stdin() -> Input {
        Input { name: "<stdin>".to_owned(), size: None, kind: Kind::Stdin }
    }

    /// Any other source of bytes, compressed or not.
    pub fn reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Input {
        Input { name: name.into(), size: None, kind: Kind::Reader(Box::new(reader)) }
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn open(self, index: usize) -> Result<(Arc<Origin>, Box<dyn Read + Send>)> {
        let reader: Box<dyn Read + Send> = match self.kind {
            Kind::Stdin => Box::new(io::stdin()),
            Kind::Reader(reader) => reader,
            Kind::Path(path) => match File::open(path) {
                Ok(file) => Box::new(file),
                Err(cause) => {
                    let name = self.name;
                    return Err(Error::Open { name, cause });
                }
            },
        };
        let name = self.name;
        Ok((Arc::new(Origin { name, index }), reader))
    }
}

fn expand(name: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(name);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let files = below(path)?;
            if files.is_empty() {
                return Err(Error::EmptyDirectory { path: path.into() });
            }
            Ok(files)
        }
        Ok(_) => Ok(vec![path.into()]),
        Err(_) if name.contains(['*', '?', '[']) => matches(name),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Err(Error::Missing { path: path.into() }),
        Err(cause) => Err(Error::Open { name: name.to_owned(), cause }),
    }
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, require_literal_separator: true, case_sensitive: true };
    // For the crate, `**` at the end stands for directories only.
    let all_below = if pattern == "**" || pattern.ends_with("/**") { "/*" } else { "" };
    let paths = glob::glob_with(&format!("{pattern}{all_below}"), options).map_err(|error| Error::BadPattern {
        pattern: pattern.to_owned(),
        reason: error.msg.to_lowercase(),
        at: error.pos + 1,
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path =
            path.map_err(|error| Error::Open { name: error.path().display().to_string(), cause: error.into() })?;
        if pattern.contains("**") && is_behind_link(pattern, &path) {
            continue;
        }
        if path.is_dir() {
            files.extend(below(&path)?);
        } else if may_be_file(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::NothingMatches { pattern: pattern.to_owned() });
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// False for pipes, sockets, devices and directories. What cannot be looked at is left to be named when it is opened.
fn may_be_file(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |m| m.is_file())
}

/// True when a link to a directory leads to the path, below the part of the pattern that is written out: such links
/// may lead in circles.
fn is_behind_link(pattern: &str, path: &Path) -> bool {
    // `./a/*` gives `a/b`.
    let counts = |c: &Component<'_>| *c != Component::CurDir;
    let fixed = Path::new(pattern).components().filter(counts);
    let fixed = fixed.take_while(|c| !c.as_os_str().to_string_lossy().contains(['*', '?', '['])).count();
    let is_link = |p: &Path| fs::symlink_metadata(p).is_ok_and(|m| m.is_symlink());
    let below = |p: &&Path| p.components().filter(counts).count() > fixed;
    let behind = path.ancestors().skip(1).take_while(below).any(is_link);
    behind || (is_link(path) && path.is_dir())
}

/// The files below a directory, sorted by path.
fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut left = vec![directory.to_path_buf()];
    while let Some(directory) = left.pop() {
        let open_error = |cause| Error::Open { name: directory.display().to_string(), cause };
        for entry in fs::read_dir(&directory).map_err(open_error)? {
            let entry = entry.map_err(open_error)?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let path = entry.path();
            if name.starts_with('.') {
                continue;
            }
            // `file_type` does not follow links, so a link cannot lead in circles.
            if entry.file_type().map_err(open_error)?.is_dir() {
                left.push(path);
            } else if has_known_ending(&name) && may_be_file(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// True for names, in small letters, of files that a folder stands for.
pub(crate) fn has_known_ending(name: &str) -> bool {
    let text = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(name);
    [".json", ".jsonl", ".ndjson", ".csv", ".tsv"].iter().any(|ending| text.ends_with(ending))
        || COLUMNAR.iter().any(|ending| name.ends_with(ending))
}

/// Endings of Parquet and Arrow files.
pub(crate) const COLUMNAR: [&str; 6] = [".parquet", ".parq", ".arrow", ".arrows", ".ipc", ".feather"];

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        root
    }

    fn names(root: &tempfile::TempDir, what: &str) -> Result<Vec<String>> {
        let root = root.path();
        let inputs = Input::resolve(&[root.join(what).display().to_string()])?;
        let root = format!("{}/", root.display());
        Ok(inputs.iter().map(|i| i.name.replace(&root, "")).collect())
    }

    #[test]
    fn finds_files_in_order() {
        let root = folder(&["b.json", "a/x.jsonl.gz", "a/.hid.json", "c.txt", "a.ndjson.ZST", "n[1].json"]);
        assert_eq!(names(&root, "").unwrap(), ["a/x.jsonl.gz", "a.ndjson.ZST", "b.json", "n[1].json"]);
        assert_eq!(names(&root, "*.json").unwrap(), ["b.json", "n[1].json"]);
        assert_eq!(names(&root, "**/*.json*").unwrap(), ["a/x.jsonl.gz", "b.json", "n[1].json"]);
        assert_eq!(names(&root, "n[1].json").unwrap(), ["n[1].json"]);
        assert_eq!(names(&root, "c.txt").unwrap(), ["c.txt"]);
        assert_eq!(names(&root, "?").unwrap(), ["a/x.jsonl.gz"]);
        assert_eq!(names(&root, "**").unwrap(), ["a/x.jsonl.gz", "a.ndjson.ZST", "b.json", "c.txt", "n[1].json"]);
        assert_eq!(names(&root, "a/**").unwrap(), ["a/x.jsonl.gz"]);
        let url = format!("file://{}", root.path().join("b.json").display());
        assert!(Input::resolve(&[url]).unwrap()[0].name().ends_with("/b.json"));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_among_files_is_left_out() {
        let root = folder(&["a.json"]);
        let pipe = root.path().join("b.json");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(names(&root, "").unwrap(), ["a.json"]);
        assert_eq!(names(&root, "*.json").unwrap(), ["a.json"]);
        assert_eq!(names(&root, "b.json").unwrap(), ["b.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_read_once_whatever_leads_to_it() {
        use std::os::unix::fs::symlink;
        let root = folder(&["a/x/q.json", "a/y/r.json"]);
        symlink("x", root.path().join("a/latest")).unwrap();
        symlink("../..", root.path().join("a/y/loop")).unwrap();
        symlink("q.json", root.path().join("a/x/same.json")).unwrap();
        assert_eq!(names(&root, "**/*.json").unwrap(), ["a/x/q.json", "a/y/r.json"]);
        assert_eq!(names(&root, "a/**").unwrap(), ["a/x/q.json", "a/y/r.json"]);
        assert_eq!(names(&root, "**").unwrap(), ["a/x/q.json", "a/y/r.json"]);
        assert_eq!(names(&root, "a/latest/*.json").unwrap(), ["a/latest/q.json"]);
        assert_eq!(names(&root, "*/latest/*.json").unwrap(), ["a/latest/q.json"]);
        let spelt = ["a/x/q.json", "a/./x/q.json", "a/x/same.json"].map(|p| root.path().join(p).display().to_string());
        assert_eq!(Input::resolve(&spelt).unwrap().len(), 1);
    }

    #[test]
    fn refuses_what_is_not_there() {
        let root = folder(&["sub/readme.txt"]);
        assert!(matches!(names(&root, ""), Err(Error::EmptyDirectory { .. })));
        assert!(matches!(names(&root, "x.json"), Err(Error::Missing { .. })));
        assert!(matches!(names(&root, "*.json"), Err(Error::NothingMatches { .. })));
        assert!(matches!(names(&root, "a***b"), Err(Error::BadPattern { .. })));
        assert!(matches!(Input::resolve(&[]), Err(Error::NoInput)));
        let twice = ["-".to_owned(), "-".to_owned()];
        assert!(matches!(Input::resolve(&twice), Err(Error::StdinTwice { times: 2 })));
    }
}
