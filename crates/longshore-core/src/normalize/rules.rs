//! What a user says of the schema: contracts, type conflicts, shapes and hints by path, limits.

use super::FieldPath;
use crate::schema::{Conflict, Contract, Properties};

/// How the schema of one resource may grow. Everything has a default.
#[derive(Debug, Clone)]
pub struct SchemaRules {
    /// What may grow; `None` leaves it to the tables of the schema, and then everything evolves.
    pub contract: Option<Contract>,
    /// Contracts of child tables by the path of their list, and of those below them.
    pub table_contracts: Vec<(FieldPath, Contract)>,
    /// What becomes of values that do not fit their column; `None` is what is usual in the mode.
    pub on_type_conflict: Option<Conflict>,
    /// True when every destination can change a column's type in place.
    pub can_widen: bool,
    /// True when one of them can do that with numbers only, and not make it text or JSON.
    pub only_numbers: bool,
    /// What is known of columns beside their type.
    pub columns: Vec<ColumnHint>,
    /// Paths that are left out, with everything below them.
    pub ignore: Vec<FieldPath>,
    /// Lists whose elements become columns by their position.
    pub flatten: Vec<FieldPath>,
    /// Tables that the dataset may have.
    pub max_tables: usize,
    /// Columns that a table may have.
    pub max_columns: usize,
    /// True for a look at what a load would do: what would end it is noted, and normalising goes on.
    pub survey: bool,
    /// What was said and does nothing, as sentences for the user.
    pub notes: Vec<String>,
}

/// More tables than anybody looks at are usually a key that is data.
pub const DEFAULT_MAX_TABLES: usize = 1000;
/// More columns than this no row of a table should have; BigQuery ends at 10,000, PostgreSQL at 1,600.
pub const DEFAULT_MAX_COLUMNS: usize = 5000;

impl Default for SchemaRules {
    fn default() -> Self {
        SchemaRules {
            contract: None,
            table_contracts: Vec::new(),
            on_type_conflict: None,
            can_widen: false,
            only_numbers: false,
            columns: Vec::new(),
            ignore: Vec::new(),
            flatten: Vec::new(),
            max_tables: DEFAULT_MAX_TABLES,
            max_columns: DEFAULT_MAX_COLUMNS,
            survey: false,
            notes: Vec::new(),
        }
    }
}

/// What is said of the column at a path beside its type.
#[derive(Debug, Clone)]
pub struct ColumnHint {
    /// The field, from the record down.
    pub path: FieldPath,
    /// The column's name, normalised, instead of the one that follows from its path.
    pub name: Option<String>,
    /// False: a row without a value is refused.
    pub nullable: Option<bool>,
    /// The rest.
    pub properties: Properties,
}

impl ColumnHint {
    /// Returns a hint that says nothing yet.
    pub fn of(path: FieldPath) -> Self {
        ColumnHint { path, name: None, nullable: None, properties: Properties::default() }
    }
}
