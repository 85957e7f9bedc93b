//! Finding one value by its name, in every place there is, with dlt's rules of shortening.

use crate::node::{Node, Origin, Value};
use crate::problem::Problem;
use crate::surroundings::{Layer, LayerKind, Surroundings};
use crate::vault::Vaults;
use longshore_core::connect::Secret;
use std::path::Path;

/// Looks names up and remembers where it looked.
pub(crate) struct Lookup<'a> {
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) layers: &'a [Layer],
    /// Asked last, and only for secrets that nothing else has.
    pub(crate) vaults: Option<&'a Vaults>,
    /// Sections that begin with the pipeline's name are asked first.
    pub(crate) pipeline: Option<&'a str>,
    pub(crate) tried: Vec<String>,
    /// A secret that is nowhere is not missed: stars stand for it, as they do in recordings.
    pub(crate) stars: bool,
    /// No vault is asked: keys of secrets that one may have, with stars in their place.
    pub(crate) unasked: Option<Vec<String>>,
    /// What was found by references to secrets, to be kept out of what is printed and recorded.
    pub(crate) secrets: Vec<Secret>,
}

/// What is looked for.
pub(crate) struct Wanted<'a> {
    /// Sections from the outermost in.
    pub(crate) sections: &'a [&'a str],
    /// Sections that stay between the shortened ones and the key: `credentials`.
    pub(crate) inner: &'a [&'a str],
    pub(crate) key: &'a str,
    pub(crate) secret: bool,
    /// Drop sections from the innermost out until it is found.
    pub(crate) shorten: bool,
}

impl Wanted<'_> {
    /// The paths to try, in order.
    fn paths(&self, pipeline: Option<&str>) -> Vec<Vec<String>> {
        let shortest = if self.shorten { 0 } else { self.sections.len() };
        let lengths = (shortest..=self.sections.len()).rev();
        let path = |n: usize| {
            let sections = self.sections[..n].iter().chain(self.inner).copied();
            pipeline.into_iter().chain(sections).chain([self.key]).map(str::to_owned).collect()
        };
        lengths.map(path).collect()
    }
}

impl Lookup<'_> {
    /// Looks everywhere: for each of "with the pipeline's name in front" and "without", place by place, and in each
    /// place from the longest path to the shortest (`dlt/common/configuration/resolve.py`, `_resolve_single_value`).
    pub(crate) fn find(&mut self, wanted: &Wanted<'_>) -> Result<Option<Node>, Problem> {
        let prefixes = self.pipeline.map(Some).into_iter().chain([None]);
        for prefix in prefixes {
            let paths = wanted.paths(prefix);
            if let Some(found) = self.environment(&paths, wanted.secret) {
                return Ok(Some(found));
            }
            for layer in self.layers {
                if let Some(found) = self.layer(layer, &paths, wanted.secret) {
                    return Ok(Some(found));
                }
            }
        }
        match self.vaults {
            Some(vaults) if wanted.secret => vaults.find(&wanted.paths(None), &mut self.tried),
            _ => Ok(None),
        }
    }

    fn environment(&mut self, paths: &[Vec<String>], secret: bool) -> Option<Node> {
        for path in paths {
            let name = variable(path);
            if let Some(folder) = self.surroundings.mounted.as_deref().filter(|_| secret) {
                let file = mounted(folder, &name);
                if let Ok(text) = std::fs::read_to_string(&file) {
                    return Some(Node::text(text.trim_end_matches('\n'), Origin::Vault(file.display().to_string())));
                }
                self.tried.push(format!("file {}", file.display()));
            }
            for name in [format!("LONGSHORE_{name}"), name] {
                match self.surroundings.environment.get(&name).map(String::as_str) {
                    // What a pipeline of CI makes of a secret that it does not have.
                    Some("") if secret => self.tried.push(format!("environment variable {name} (it is empty)")),
                    Some(value) if secret && is_placeholder(value) => {
                        self.tried.push(format!("environment variable {name} {TO_FILL_IN}"));
                    }
                    Some(value) => return Some(Node::text(value, Origin::Environment(name))),
                    None => self.tried.push(format!("environment variable {name}")),
                }
            }
        }
        None
    }

    fn layer(&mut self, layer: &Layer, paths: &[Vec<String>], secret: bool) -> Option<Node> {
        // dlt reads no secret from its config.toml either.
        let is_useless = secret && layer.kind == LayerKind::Dlt;
        if !layer.exists && is_useless {
            return None;
        }
        if !layer.exists {
            self.tried.push(format!("{} (no such file)", layer.file));
            return None;
        }
        for path in paths {
            let found = layer.root.at(path).filter(|n| !matches!(n.value, Value::Null));
            let [sections @ .., key] = path.as_slice() else { continue };
            let place = match sections {
                [] => format!("{}: {key}", layer.file),
                _ => format!("{}: [{}] {key}", layer.file, sections.join(".")),
            };
            match found {
                Some(_) if is_useless => {
                    self.tried.push(format!("{place} (it stands there, but secrets belong in secrets.toml)"));
                }
                Some(found) if found.as_text().is_some_and(is_placeholder) => {
                    self.tried.push(format!("{place} {TO_FILL_IN}"));
                }
                Some(found) => return Some(found.clone()),
                None if is_useless => {}
                None => self.tried.push(place),
            }
        }
        None
    }
}

/// Behind a place that has such a text.
pub(crate) const TO_FILL_IN: &str = "(it stands there, but is still to be filled in)";

/// What `longshore init` and `dlt init` write where something is to be filled in.
pub(crate) fn is_placeholder(text: &str) -> bool {
    matches!(text.trim(), "fill in" | "<configure me>")
}

/// `shop`, `api-token` -> `SHOP__API_TOKEN`
pub(crate) fn variable<S: AsRef<str>>(path: &[S]) -> String {
    let word = |s: &S| -> String {
        let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
        s.as_ref().chars().map(plain).flat_map(char::to_uppercase).collect()
    };
    path.iter().map(word).collect::<Vec<_>>().join("__")
}

/// `SHOP__API_TOKEN` -> `/run/secrets/shop--api-token`, in Kubernetes a folder with a file of that name.
fn mounted(folder: &Path, variable: &str) -> std::path::PathBuf {
    let name = variable.to_lowercase().replace('_', "-");
    let path = folder.join(&name);
    if path.is_dir() { path.join(name) } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_dropped_from_the_innermost_out() {
        let wanted = Wanted {
            sections: &["destination", "postgres"],
            inner: &["credentials"],
            key: "database",
            secret: false,
            shorten: true,
        };
        let names: Vec<String> = wanted.paths(Some("chess")).iter().map(|p| variable(p)).collect();
        assert_eq!(
            names,
            [
                "CHESS__DESTINATION__POSTGRES__CREDENTIALS__DATABASE",
                "CHESS__DESTINATION__CREDENTIALS__DATABASE",
                "CHESS__CREDENTIALS__DATABASE"
            ]
        );
        assert_eq!(variable(&["my-shop", "apiToken"]), "MY_SHOP__APITOKEN");
    }
}
