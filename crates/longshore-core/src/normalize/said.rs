//! Which of the paths that a user spoke of came: a path that never comes is probably a slip of the pen.

use super::settings::{FieldPath, Settings, Unnest};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The paths of each resource, and those that came.
#[derive(Debug, Clone)]
pub(super) struct Said {
    paths: Arc<[Vec<FieldPath>]>,
    met: BTreeSet<(usize, usize)>,
}

impl Said {
    pub(super) fn of(resources: &[Arc<Settings>]) -> Self {
        Said { paths: resources.iter().map(|s| paths(s)).collect(), met: BTreeSet::new() }
    }

    /// Notes that records of a resource have that path. Returns true where that is news.
    pub(super) fn meet(&mut self, resource: usize, keys: &[String]) -> bool {
        let before = self.met.len();
        let paths = self.paths.get(resource).map_or(&[][..], Vec::as_slice);
        let met = paths.iter().enumerate().filter(|(_, path)| path.matches(keys)).map(|(i, _)| (resource, i));
        self.met.extend(met);
        self.met.len() > before
    }

    /// Returns the paths of a resource that did not come.
    pub(super) fn unmet(&self, resource: usize) -> impl Iterator<Item = &FieldPath> {
        let paths = self.paths.get(resource).into_iter().flatten().enumerate();
        paths.filter(move |(i, _)| !self.met.contains(&(resource, *i))).map(|(_, path)| path)
    }
}

/// All paths that settings speak of, each once.
fn paths(settings: &Settings) -> Vec<FieldPath> {
    let rules = &settings.rules;
    let mut all: Vec<FieldPath> = Vec::new();
    let shapes = settings.json_columns.iter().chain(&rules.ignore).chain(&rules.flatten);
    let hints = settings.hints.iter().map(|(path, _)| path).chain(rules.columns.iter().map(|h| &h.path));
    let contracts = rules.table_contracts.iter().map(|(path, _)| path);
    let unnested = match &settings.unnest {
        Unnest::Columns(names) => names.iter().map(|name| FieldPath::from_keys([name.clone()])).collect(),
        Unnest::Nothing | Unnest::All => Vec::new(),
    };
    for path in shapes.chain(hints).chain(contracts).cloned().chain(unnested) {
        if !all.contains(&path) {
            all.push(path);
        }
    }
    all
}
