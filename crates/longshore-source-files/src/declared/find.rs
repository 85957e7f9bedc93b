//! From what the configuration names to the files to read, in order.

use super::config::Resource;
use super::remote::{self, Found, Remote};
use crate::{Input, to_error};
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// One file to read.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) resource: usize,
    pub(super) place: Place,
    /// As written in the configuration, where a pattern or folder leads to it; a URL without its query, with a number where several
    /// differ in nothing else.
    pub(super) name: String,
    pub(super) size: Option<u64>,
    /// Milliseconds since 1970; 0 when it is not known.
    pub(super) changed: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Place {
    Local(PathBuf),
    Remote(Arc<Found>),
}

impl File {
    /// What tells whether the file was loaded before and has not changed; `None` when nothing is known of it.
    pub(super) fn version(&self) -> Option<Value> {
        match &self.place {
            Place::Local(_) => Some(json!([self.size, self.changed])),
            Place::Remote(found) if found.tag.is_none() && (self.changed == 0 || self.size.is_none()) => None,
            Place::Remote(found) => Some(json!([self.size, self.changed, found.tag])),
        }
    }

    /// Its name without a number, for its ending.
    pub(super) fn plain_name(&self) -> &str {
        match &self.place {
            Place::Remote(found) => &found.name,
            Place::Local(_) => &self.name,
        }
    }

    /// What tells it from other files of its resource.
    fn address(&self) -> String {
        match &self.place {
            Place::Remote(found) => match &found.remote {
                Remote::Web(web) => web.url.as_str().split('#').next().unwrap_or_default().to_owned(),
                Remote::Object { .. } => self.name.clone(),
            },
            Place::Local(_) => self.name.clone(),
        }
    }
}

/// Finds the files of a resource; paths are relative to `folder`.
///
/// # Errors
/// When a file is missing. Where only new ones are wanted, there may be none.
pub(super) fn find(index: usize, resource: &Resource, folder: &Path, surroundings: &Connection) -> Result<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    let (mut seen, mut names) = (HashSet::new(), HashMap::<String, usize>::new());
    let mut add = |mut file: File| {
        if !seen.insert(file.address()) {
            return;
        }
        // A query may hold a signature, so it is in no name: what differs in it alone is told apart by its place in the list.
        let number = names.entry(file.name.clone()).or_default();
        *number += 1;
        if *number > 1 {
            file.name = format!("{}#{number}", file.name);
        }
        files.push(file);
    };
    for name in &resource.files {
        if remote::is_remote(name) {
            remotely(index, name, resource, surroundings)?.into_iter().for_each(&mut add);
        } else {
            locally(index, name, resource, folder)?.into_iter().for_each(&mut add);
        }
    }
    Ok(files)
}

fn remotely(index: usize, name: &str, resource: &Resource, surroundings: &Connection) -> Result<Vec<File>> {
    let found = remote::locate(name, &resource.access, surroundings).map_err(|e| e.with("resource", &resource.name))?;
    let Some(found) = found else {
        let is_web = remote::is_web(name);
        if resource.only_new && !is_web {
            return Ok(Vec::new()); // new ones may come
        }
        let hint = match is_web {
            true => "check the address: behind http(s) a URL is one file",
            false => "check the name; `*` stands for names in one folder, `**` also for folders",
        };
        let name = if is_web { remote::shown(name) } else { name.into() };
        return Err(Error::input("there is no such file")
            .with("file", name)
            .with("resource", &resource.name)
            .hint(hint));
    };
    let file = |found: Found| File {
        resource: index,
        name: found.name.clone(),
        size: found.size,
        changed: found.changed,
        place: Place::Remote(Arc::new(found)),
    };
    Ok(found.into_iter().map(file).collect())
}

fn locally(index: usize, name: &str, resource: &Resource, folder: &Path) -> Result<Vec<File>> {
    let names = [folder.join(name).display().to_string()];
    let inputs = match Input::resolve(&names) {
        Ok(inputs) => inputs,
        // New ones may come.
        Err(crate::Error::NothingMatches { .. } | crate::Error::EmptyDirectory { .. }) if resource.only_new => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(to_error(e).with("resource", &resource.name)),
    };
    let mut files = Vec::new();
    for input in inputs {
        let path = PathBuf::from(input.name());
        let metadata = std::fs::metadata(&path).map_err(|e| unseen(&path, e).with("file", input.name()))?;
        let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let changed = changed.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        let size = Some(metadata.len());
        files.push(File { resource: index, place: Place::Local(path), name, size, changed });
    }
    Ok(files)
}

fn unseen(path: &Path, cause: std::io::Error) -> Error {
    match path.is_symlink() {
        true => Error::input("the link leads to no file").hint("remove the link, or bring back what it leads to"),
        false => Error::input("the file cannot be looked at").hint("check the rights of the file and its folder"),
    }
    .source(cause)
}
