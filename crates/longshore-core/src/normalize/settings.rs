//! What a user can decide about normalising.

use super::SchemaRules;
use crate::error::{Error, Result};
use crate::naming;
use crate::schema::{ColumnRole, DataType, SystemColumns, WriteRules};

/// Rules for the records of one resource; the same for every block of a load.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of system columns, and with them how strict coercions are.
    pub system: SystemColumns,
    /// Root table of the records, normalised.
    pub table: String,
    /// Levels of dicts and lists that are flattened; deeper ones stay JSON. dlt's default is 1000.
    pub max_nesting: u32,
    /// Paths whose values stay JSON.
    pub json_columns: Vec<FieldPath>,
    /// Types of fields that would not be inferred.
    pub hints: Vec<(FieldPath, DataType)>,
    /// How the table and its children are written.
    pub write: WriteRules,
    /// Which structs and lists of Arrow columns become columns and child tables; the others stay JSON. JSON records
    /// are always unnested.
    pub unnest: Unnest,
    /// What of the schema may grow, and how.
    pub rules: SchemaRules,
    /// Longest column or table name, in characters.
    pub max_identifier_length: usize,
}

/// dlt's default of `max_table_nesting`.
pub const DEFAULT_MAX_NESTING: u32 = 1000;

impl Settings {
    /// Returns dlt's defaults for a root table.
    pub fn new(table: &str, system: SystemColumns) -> Self {
        Settings {
            system,
            table: naming::normalize_table_name(table),
            max_nesting: DEFAULT_MAX_NESTING,
            json_columns: Vec::new(),
            hints: Vec::new(),
            write: WriteRules::default(),
            unnest: Unnest::default(),
            rules: SchemaRules::default(),
            max_identifier_length: 65536,
        }
    }

    /// Checks that nothing contradictory is said of a path.
    ///
    /// # Errors
    /// When one is to have two shapes, or the name of a column of the loader's own.
    pub fn check(&self) -> Result<()> {
        for hint in &self.rules.columns {
            let is_own = |name: &&String| ColumnRole::ALL.iter().any(|&role| self.system.column(role).name == **name);
            if let Some(name) = hint.name.as_ref().filter(is_own) {
                return Err(Error::config(format!("'{name}' is the name of a column of the loader's own"))
                    .with("field", hint.path.to_string())
                    .hint("choose another name for the column"));
            }
        }
        let shapes = [
            ("kept as JSON", &self.json_columns),
            ("left out", &self.rules.ignore),
            ("flattened into columns", &self.rules.flatten),
        ];
        for (i, (shape, paths)) in shapes.iter().enumerate() {
            for (other, others) in &shapes[i + 1..] {
                if let Some(both) = paths.iter().find(|path| others.contains(path)) {
                    return Err(Error::config(format!("the path '{both}' cannot be both {shape} and {other}"))
                        .with("table", &self.table)
                        .hint("say one of the two"));
                }
            }
        }
        Ok(())
    }
}

/// Which nested Arrow columns are unnested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Unnest {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those of these names, as the file spells them or as they are after naming.
    Columns(Vec<String>),
}

impl Unnest {
    /// Returns true for a column that is to be unnested.
    pub fn is_asked(&self, column: &str) -> bool {
        match self {
            Unnest::Nothing => false,
            Unnest::All => true,
            Unnest::Columns(names) => {
                names.iter().any(|n| n == column || naming::normalize_key(n) == naming::normalize_key(column))
            }
        }
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A field's keys from the record down, through lists: `lineItems.attributes.color`.
///
/// Written with dots, optionally with a leading `$.` and with `[*]` after lists. Keys compare as
/// the source spells them or as they are after naming, so `line_items.attributes` means the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// Reads a path; empty keys are an error that names the path.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = text.strip_prefix("$.").unwrap_or(text).replace("[*]", "");
        let keys: Vec<String> = plain.split('.').map(str::to_owned).collect();
        if keys.iter().any(|k| k.trim().is_empty()) {
            return Err(Error::config(format!("the path '{text}' has an empty key"))
                .hint("write keys with dots between them, such as payload.user.settings"));
        }
        Ok(FieldPath(keys))
    }

    /// Makes a path of keys as they are: they may hold dots.
    pub fn from_keys(keys: impl IntoIterator<Item = String>) -> Self {
        FieldPath(keys.into_iter().collect())
    }

    /// Returns true when `keys`, as the source spells them, lead to this path.
    pub(super) fn matches(&self, keys: &[String]) -> bool {
        (self.0.len() == keys.len() && self.covers(keys)) || self.names(keys)
    }

    /// Returns true for a path written as the column is named: `line_items__sku`.
    fn names(&self, keys: &[String]) -> bool {
        let flat = |keys: &[String]| keys.iter().map(|k| naming::normalize_key(k)).collect::<Vec<_>>().join("__");
        self.0.iter().any(|key| key.contains("__")) && flat(&self.0) == flat(keys)
    }

    /// Returns true when `keys` lead to this path or below it.
    pub(super) fn covers(&self, keys: &[String]) -> bool {
        let same = |a: &str, b: &str| a == b || naming::normalize_key(a) == naming::normalize_key(b);
        self.0.len() <= keys.len() && self.0.iter().zip(keys).all(|(a, b)| same(a, b))
    }

    /// Returns true when the path leads below `keys`, as the source spells them.
    pub(super) fn below(&self, keys: &[String]) -> bool {
        let same = |a: &str, b: &str| a == b || naming::normalize_key(a) == naming::normalize_key(b);
        self.0.len() > keys.len() && self.0.iter().zip(keys).all(|(a, b)| same(a, b))
    }

    /// Returns true when a schema has a column or table of that path below a root table, by the usual names.
    pub(super) fn is_in(&self, schema: &crate::schema::Schema, root: &str) -> bool {
        let keys: Vec<String> = self.0.iter().map(|k| naming::normalize_key(k)).collect();
        let path = format!("{root}__{}", keys.join("__"));
        schema.tables.iter().any(|t| {
            let below = path.strip_prefix(&t.name).and_then(|rest| rest.strip_prefix("__"));
            t.name == path || below.is_some_and(|column| t.column(column).is_some())
        })
    }

    /// Returns true when a schema has tables or columns below that path, and no column at it, by the usual names.
    pub(super) fn is_nested_in(&self, schema: &crate::schema::Schema, root: &str) -> bool {
        let (nested, at) = self.place_in(schema, root);
        nested && !at
    }

    /// Returns true when a schema has tables or columns below that path, by the usual names.
    pub(super) fn has_below(&self, schema: &crate::schema::Schema, root: &str) -> bool {
        self.place_in(schema, root).0
    }

    /// Whether there are tables or columns below the path, and whether there is a column at it.
    fn place_in(&self, schema: &crate::schema::Schema, root: &str) -> (bool, bool) {
        let keys: Vec<String> = self.0.iter().map(|k| naming::normalize_key(k)).collect();
        let path = format!("{root}__{}", keys.join("__"));
        let (mut nested, mut at) = (false, false);
        for table in &schema.tables {
            nested |= table.name == path;
            let Some(column) = path.strip_prefix(&table.name).and_then(|rest| rest.strip_prefix("__")) else {
                continue;
            };
            let below = format!("{column}__");
            nested |= table.columns.iter().any(|c| !c.variant && c.name.starts_with(&below));
            at |= table.column(column).is_some();
        }
        (nested, at)
    }

    /// The keys, from the record down.
    pub(super) fn keys(&self) -> &[String] {
        &self.0
    }
}
