//! A project: its files read, checked for their outer shape, and laid over one another.

use crate::environment;
use crate::lookup::Lookup;
use crate::node::{Node, Origin, Table, Value};
use crate::pipeline::{self, PipelineSettings};
use crate::problem::{Problem, Problems};
use crate::reference;
use crate::section::Section;
use crate::surroundings::{Layer, LayerKind, Surroundings};
use crate::vault::Vaults;
use longshore_core::misspelt::suggest;
use std::sync::OnceLock;

/// Everything that is configured where the caller stands. Without any file it is an empty project.
#[derive(Debug)]
pub struct Project {
    pub(crate) surroundings: Surroundings,
    /// The file asked first, first.
    pub(crate) layers: Vec<Layer>,
    /// What references to secrets lead to, wherever they stand.
    named: Vec<Vec<String>>,
    /// `pipeline`, `sources`, `destinations` and `vaults` of our own files, laid over one another.
    tree: Node,
    pipeline: PipelineSettings,
    vaults: OnceLock<Result<Vaults, Problems>>,
    asks_vaults: bool,
}

/// The sections of `longshore.toml`.
pub(crate) const SECTIONS: [&str; 4] = ["pipeline", "sources", "destinations", "vaults"];

impl Project {
    /// Reads all files.
    ///
    /// # Errors
    /// Everything that is wrong with their text and their outer shape.
    pub fn open(surroundings: Surroundings) -> Result<Project, Problems> {
        let (project, problems) = Project::look(surroundings)?;
        Problems::none(problems)?;
        Ok(project)
    }

    /// Reads all files, and goes on where their outer shape is wrong, so that the rest can be looked at too.
    ///
    /// # Errors
    /// Where a text cannot be read.
    pub fn look(surroundings: Surroundings) -> Result<(Project, Vec<Problem>), Problems> {
        let layers = surroundings.layers()?;
        let named = reference::names(layers.iter().filter(|l| l.kind.is_ours()).map(|l| &l.root));
        let mut problems = Vec::new();
        let origin = Origin::File { file: std::sync::Arc::clone(&layers[1].file), line: 1, column: 1 }; // there are always four and more
        let mut tree = Node { value: Value::Table(Table::default()), origin };
        for layer in layers.iter().rev().filter(|l| l.kind.is_ours()) {
            if layer.kind == LayerKind::Ours {
                check_shape(layer, &named, &mut problems);
            }
            let sections = layer.root.as_table().map(|t| t.entries.as_slice()).unwrap_or_default();
            let ours = sections.iter().filter(|e| SECTIONS.contains(&e.key.as_str())).cloned().collect();
            // Sources are filled in where they are asked for.
            let table = if layer.kind == LayerKind::Ours { ours } else { only_known(ours) };
            tree.overlay(Node { value: Value::Table(Table { entries: table }), origin: tree.origin.clone() });
        }
        let mut project = Project {
            surroundings,
            layers,
            named,
            tree,
            pipeline: PipelineSettings::default(),
            vaults: OnceLock::new(),
            asks_vaults: true,
        };
        match project.pipeline_section() {
            Ok(section) => {
                let (settings, found) = pipeline::read(&section);
                project.pipeline = settings;
                problems.extend(found);
            }
            Err(found) => problems.extend(found.0),
        }
        Ok((project, problems))
    }

    /// Asks no vault from now on: stars stand for the secrets that only one can have ([`Section::unasked`]).
    #[must_use]
    pub fn without_asking_vaults(mut self) -> Self {
        self.asks_vaults = false;
        self
    }

    /// Returns what is wrong with `[vaults]`. The rest can be looked at all the same ([`Project::without_asking_vaults`]).
    pub fn vault_problems(&self) -> Vec<Problem> {
        self.vaults().err().map(|problems| problems.0).unwrap_or_default()
    }

    /// Returns true when there is a `longshore.toml` (or one in another format).
    pub fn has_file(&self) -> bool {
        self.layers.iter().any(|l| l.kind == LayerKind::Ours && l.exists)
    }

    /// Returns the path of the main file, whether it is there or not.
    pub fn file(&self) -> &str {
        &self.layers[1].file // there are always four and more
    }

    /// Returns the settings of `[pipeline]`.
    pub fn pipeline(&self) -> &PipelineSettings {
        &self.pipeline
    }

    /// Returns a problem with a key of `[pipeline]`, where it stands.
    pub fn pipeline_problem(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::new(self.tree.origin_of(&["pipeline", key]), format!("pipeline.{key}"), message)
    }

    /// Returns the names of the declared sources, in the file's order.
    pub fn sources(&self) -> Vec<&str> {
        self.names("sources")
    }

    /// Returns the names of `[destinations]`, in the file's order.
    pub fn destinations(&self) -> Vec<&str> {
        self.names("destinations")
    }

    /// Returns a declared source with everything put in: values of other places, then secrets.
    ///
    /// # Errors
    /// When there is none of that name, it has no `type`, or a secret is missing: all at once.
    pub fn source(&self, name: &str) -> Result<Section, Problems> {
        let (kind, tree) = self.source_tree(name)?;
        self.finish("sources", name, kind, tree, self.lookup()?)
    }

    /// Returns a section of `[sources]` that is answered from a recording: no vault is asked, and a secret that is
    /// nowhere is not needed.
    ///
    /// # Errors
    /// When there is none of that name, or it has no `type`.
    pub fn source_of_recording(&self, name: &str) -> Result<Section, Problems> {
        let (kind, tree) = self.source_tree(name)?;
        self.finish("sources", name, kind, tree, Lookup { stars: true, ..self.lookup_without_vaults() })
    }

    /// The kind of a source and all that the files and the environment say of it.
    fn source_tree(&self, name: &str) -> Result<(String, Node), Problems> {
        let kind = self.kind("sources", name)?;
        let mut declared = self.declared("sources", name)?;
        // A secret that stands beside them is there for its reference.
        let is_secret = |key: &str| self.named.iter().any(|path| *path == ["sources", name, key]);
        let entries = declared.as_table().into_iter().flat_map(|t| &t.entries);
        let keys: Vec<String> = entries.map(|e| e.key.clone()).filter(|key| !is_secret(key)).collect();
        let places: [&[&str]; 3] = [&["sources", &kind], &["sources", &kind, name], &["sources", name]];
        declared.value = Value::Table(Table::default());
        let mut tree = declared;
        for layer in self.layers.iter().rev() {
            let places = if layer.kind == LayerKind::Ours { &places[2..] } else { &places[..] };
            places.iter().filter_map(|p| layer.root.at(p)).for_each(|over| tree.overlay(over.clone()));
        }
        let prefixes = self.prefixes(&places.map(<[&str]>::to_vec));
        environment::overlay(&mut tree, &self.surroundings.environment, &prefixes);
        // Other keys right under the source are there for references: sources.shop.api_token.
        if let Value::Table(table) = &mut tree.value {
            table.entries.retain(|e| keys.contains(&e.key));
        }
        Ok((kind, tree))
    }

    /// Returns a section of `[destinations]` with everything put in.
    /// One that is called as one of `kinds` is of that kind.
    pub(crate) fn destination_section(&self, name: &str, kinds: &[&str]) -> Result<Section, Problems> {
        let mut tree = self.declared("destinations", name)?;
        environment::overlay(&mut tree, &self.surroundings.environment, &self.prefixes(&[vec!["destinations", name]]));
        let kind = self.kind("destinations", name);
        let kind = kind.or_else(|e| if kinds.contains(&name) { Ok(name.to_owned()) } else { Err(e) })?;
        self.finish("destinations", name, kind, tree, self.lookup()?)
    }

    /// What variables say of a destination that no file declares, as if one did.
    pub(crate) fn destination_of_variables(&self, name: &str) -> Result<Option<Section>, Problems> {
        let origin = self.tree.origin.clone();
        let mut tree = Node { value: Value::Table(Table::default()), origin };
        environment::overlay(&mut tree, &self.surroundings.environment, &self.prefixes(&[vec!["destinations", name]]));
        if tree.as_table().is_none_or(|table| table.entries.is_empty()) {
            return Ok(None);
        }
        self.finish("destinations", name, name.to_owned(), tree, self.lookup()?).map(Some)
    }

    /// Asks in all places, secrets in vaults too.
    pub(crate) fn lookup(&self) -> Result<Lookup<'_>, Problems> {
        if self.asks_vaults {
            return Ok(Lookup { vaults: Some(self.vaults()?), ..self.lookup_without_vaults() });
        }
        // What a vault has that cannot be asked is not missed: what is wrong with the vault is told by itself.
        let unasked = self.vaults().map_or(true, |vaults| !vaults.is_empty()).then(Vec::new);
        Ok(Lookup { unasked, ..self.lookup_without_vaults() })
    }

    fn lookup_without_vaults(&self) -> Lookup<'_> {
        let pipeline = self.pipeline.name.as_deref();
        Lookup {
            surroundings: &self.surroundings,
            layers: &self.layers,
            vaults: None,
            pipeline,
            tried: Vec::new(),
            stars: false,
            unasked: None,
            secrets: Vec::new(),
        }
    }

    /// Vaults are made when the first secret is looked for.
    fn vaults(&self) -> Result<&Vaults, Problems> {
        let made = self.vaults.get_or_init(|| {
            let mut declared = self.tree.at(&["vaults"]).cloned();
            let mut problems = Vec::new();
            if let Some(tree) = &mut declared {
                reference::put_in(tree, "vaults", &mut self.lookup_without_vaults(), &mut problems);
            }
            Problems::none(problems)?;
            Vaults::new(declared.as_ref(), &self.surroundings.environment)
        });
        made.as_ref().map_err(Clone::clone)
    }

    fn finish(
        &self,
        part: &str,
        name: &str,
        kind: String,
        mut tree: Node,
        mut lookup: Lookup<'_>,
    ) -> Result<Section, Problems> {
        let mut problems = Vec::new();
        reference::put_in(&mut tree, &format!("{part}.{name}"), &mut lookup, &mut problems);
        Problems::none(problems)?;
        let mut secrets = lookup.secrets;
        let is_secret = |layer: &&Layer| matches!(layer.kind, LayerKind::OurSecrets | LayerKind::DltSecrets);
        let files: Vec<&str> = self.layers.iter().filter(is_secret).map(|l| &*l.file).collect();
        reference::stood_in(&tree, &files, false, &mut secrets);
        let unasked = lookup.unasked.unwrap_or_default();
        Ok(Section::new(part, name, kind, tree).with_secrets(secrets).with_unasked(unasked))
    }

    fn declared(&self, part: &str, name: &str) -> Result<Node, Problems> {
        if let Some(node) = self.tree.at(&[part, name]) {
            return Ok(node.clone());
        }
        let hint = suggest(name, self.names(part)).unwrap_or_else(|| match self.names(part).as_slice() {
            [] => format!("declare it as [{part}.{name}]"),
            names => format!("there are: {}", names.join(", ")),
        });
        let problem = Problem::new(self.tree.origin_of(&[part]), part, format!("there is no '{name}' in [{part}]"));
        Err(Problems::one(problem.hint(hint)))
    }

    fn kind(&self, part: &str, name: &str) -> Result<String, Problems> {
        let node = self.declared(part, name)?;
        let text = node.at(&["type"]).or(node.at(&["destination_type"])).and_then(Node::as_text);
        // A destination's URL says what kind it is.
        let text = text.or_else(|| node.at(&["url"])?.as_text()?.split(':').next());
        text.map(str::to_owned).ok_or_else(|| {
            let path = format!("{part}.{name}");
            Problems::one(
                Problem::new(self.tree.origin_of(&[part, name]), path, "the key 'type' is missing or is no text").hint(
                    "say what it is, such as type = \"rest_api\" for a source or type = \"postgres\" for a destination",
                ),
            )
        })
    }

    fn names(&self, part: &str) -> Vec<&str> {
        let table = self.tree.at(&[part]).and_then(Node::as_table);
        let entries = table.into_iter().flat_map(|t| &t.entries);
        entries.filter(|e| e.value.as_table().is_some()).map(|e| e.key.as_str()).collect()
    }

    /// The prefixes, then those with the pipeline's name in front, which win.
    fn prefixes<'a>(&'a self, plain: &[Vec<&'a str>]) -> Vec<Vec<&'a str>> {
        let named = self.pipeline.name.as_deref().into_iter().flat_map(|pipeline| {
            plain.iter().map(move |p| std::iter::once(pipeline).chain(p.iter().copied()).collect::<Vec<_>>())
        });
        plain.iter().cloned().chain(named).collect()
    }

    fn pipeline_section(&self) -> Result<Section, Problems> {
        let empty = Node { value: Value::Table(Table::default()), origin: self.tree.origin.clone() };
        let mut tree = self.tree.at(&["pipeline"]).cloned().unwrap_or(empty);
        environment::overlay(&mut tree, &self.surroundings.environment, &[vec!["pipeline"]]);
        let mut problems = Vec::new();
        reference::put_in(&mut tree, "pipeline", &mut self.lookup_without_vaults(), &mut problems);
        Problems::none(problems)?;
        Ok(Section::new("", "pipeline", String::new(), tree))
    }
}

/// From secret files: the sections that complete what is declared.
fn only_known(entries: Vec<crate::node::Entry>) -> Vec<crate::node::Entry> {
    entries.into_iter().filter(|e| e.key == "destinations" || e.key == "vaults").collect()
}

/// The sections of a file. Others may stand there for the secrets that references name.
fn check_shape(layer: &Layer, named: &[Vec<String>], problems: &mut Vec<Problem>) {
    let Some(root) = layer.root.as_table() else { return };
    if let (Some(client), Some(_)) = (root.get("client"), root.get("resources")) {
        let message = "these are the keys of one REST API, as dlt has them, and stand outside of a source";
        let hint = "put them under sources.NAME as they are, with type = \"rest_api\" beside them";
        problems.push(Problem::new(&client.origin, "client", message).hint(hint));
        return;
    }
    let holds = |path: &[&str]| {
        named.iter().any(|n| {
            path.len() <= n.len() && path.iter().zip(n).all(|(a, b)| *a == b.as_str()) && layer.root.at(n).is_some()
        })
    };
    for entry in &root.entries {
        let key = entry.key.as_str();
        // Editors find the schema of a JSON file by this key.
        if key == "$schema" || !SECTIONS.contains(&key) && holds(&[key]) {
            continue;
        }
        if !SECTIONS.contains(&key) {
            let problem = Problem::new(&entry.origin, key, format!("there is no section '{key}'"));
            let sections = format!("the sections are: {}", SECTIONS.join(", "));
            problems.push(problem.hint(suggest(key, SECTIONS).unwrap_or(sections)));
            continue;
        }
        let Some(table) = entry.value.as_table() else {
            let message = format!("'{key}' must be a table, this is {}", entry.value.kind());
            problems.push(Problem::new(&entry.value.origin, key, message));
            continue;
        };
        for named in table.entries.iter().filter(|_| key != "pipeline") {
            if named.value.as_table().is_none() && !holds(&[key, &named.key]) {
                let path = format!("{key}.{}", named.key);
                let message = format!("'{}' must be a table, this is {}", named.key, named.value.kind());
                let hint = format!("give it a name of its own: [{key}.NAME]");
                problems.push(Problem::new(&named.origin, path, message).hint(hint));
            }
        }
    }
}
