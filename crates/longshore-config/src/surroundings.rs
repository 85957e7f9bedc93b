//! What the caller tells of the world, and the files found there.

use crate::node::{Node, Origin, Table, Value};
use crate::parse::parse;
use crate::problem::{Problem, Problems};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where to look. Nothing else of the machine is asked.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Folder of the project: its `secrets.toml` and `.dlt` stand there.
    pub project: PathBuf,
    /// The configuration file, when one is named; otherwise `longshore.toml`, `.yaml`, `.yml` or `.json` of the folder.
    pub file: Option<PathBuf>,
    /// Folders with settings for all projects, first wins: `~/.config/longshore`.
    pub homes: Vec<PathBuf>,
    /// Folders as dlt's `.dlt`, first wins: `~/.dlt`.
    pub dlt_homes: Vec<PathBuf>,
    /// Folder of secrets mounted as files: `/run/secrets`.
    pub mounted: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

/// The environment holds secrets.
impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("project", &self.project).field("file", &self.file).finish_non_exhaustive()
    }
}

/// One file that values are looked up in.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// As people know it.
    pub(crate) file: Arc<str>,
    pub(crate) kind: LayerKind,
    /// Empty when there is no such file.
    pub(crate) root: Node,
    pub(crate) exists: bool,
}

/// What kind of file a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// `longshore.toml`
    Ours,
    /// `secrets.toml`
    OurSecrets,
    /// `.dlt/config.toml`
    Dlt,
    /// `.dlt/secrets.toml`
    DltSecrets,
}

impl LayerKind {
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, LayerKind::Ours | LayerKind::OurSecrets)
    }
}

const ENDINGS: [&str; 4] = ["toml", "yaml", "yml", "json"];

impl Surroundings {
    /// The files, the one that is asked first first.
    pub(crate) fn layers(&self) -> Result<Vec<Layer>, Problems> {
        let mut layers = Vec::new();
        let main = match &self.file {
            Some(file) => file.clone(),
            None => one_of(&self.project, "longshore")?,
        };
        layers.push(read(&one_of(&self.project, "secrets")?, LayerKind::OurSecrets)?);
        layers.push(read(&main, LayerKind::Ours)?);
        if self.file.is_some() && !layers[1].exists {
            return Err(Problems::one(unreadable(&main, "there is no such file")));
        }
        dlt(&mut layers, &self.project.join(".dlt"))?;
        for home in &self.homes {
            layers.push(read(&one_of(home, "secrets")?, LayerKind::OurSecrets)?);
            layers.push(read(&one_of(home, "longshore")?, LayerKind::Ours)?);
        }
        for home in &self.dlt_homes {
            dlt(&mut layers, home)?;
        }
        Ok(layers)
    }
}

fn dlt(layers: &mut Vec<Layer>, folder: &Path) -> Result<(), Problems> {
    layers.push(read(&folder.join("secrets.toml"), LayerKind::DltSecrets)?);
    layers.push(read(&folder.join("config.toml"), LayerKind::Dlt)?);
    Ok(())
}

/// The one file of that name, whatever its ending; `.toml` when there is none.
fn one_of(folder: &Path, stem: &str) -> Result<PathBuf, Problems> {
    let files: Vec<PathBuf> = ENDINGS.iter().map(|e| folder.join(format!("{stem}.{e}"))).collect();
    let there: Vec<&PathBuf> = files.iter().filter(|f| f.is_file()).collect();
    match there.as_slice() {
        [] => Ok(files[0].clone()), // there are four names
        [one] => Ok((*one).clone()),
        [one, other, ..] => {
            let message = format!("{} stands beside it: which of the two is meant?", other.display());
            Err(Problems::one(unreadable(one, message).hint("remove one, or name one on the command line")))
        }
    }
}

fn read(path: &Path, kind: LayerKind) -> Result<Layer, Problems> {
    let file = shown(path);
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| Problems::one(unreadable(path, "the file is not UTF-8")))?,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            let origin = Origin::File { file: Arc::from(file.as_str()), line: 1, column: 1 };
            let root = Node { value: Value::Table(Table::default()), origin };
            return Ok(Layer { file: Arc::from(file), kind, root, exists: false });
        }
        Err(e) => return Err(Problems::one(unreadable(path, format!("the file cannot be read: {e}")))),
    };
    Ok(Layer { root: parse(&file, &text)?, file: Arc::from(file), kind, exists: true })
}

fn unreadable(path: &Path, message: impl Into<String>) -> Problem {
    Problem::new(&Origin::File { file: Arc::from(shown(path)), line: 1, column: 1 }, "", message)
}

/// `./longshore.toml` is `longshore.toml`.
fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}
