//! What a record has that the schema may not take: for messages, and for the rejects table.

use crate::json::SyntaxError;
use crate::schema::{ContractMode, DataType, Entity};
use std::fmt;
use std::ops::Range;

/// A record that does not become rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Where it stands in the block's bytes.
    pub range: Range<usize>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON: the offending byte and what is wrong.
    Syntax(SyntaxError),
    /// It has something that the schema may not take.
    Schema(Box<Violation>),
}

impl BadRecord {
    /// Returns the byte it is about, counted as `range` is.
    pub fn offset(&self) -> usize {
        match &self.fault {
            Fault::Syntax(error) => error.offset,
            Fault::Schema(_) => self.range.start,
        }
    }

    /// Returns what is wrong, in lower case.
    pub fn reason(&self) -> String {
        match &self.fault {
            Fault::Syntax(error) => error.message.to_owned(),
            Fault::Schema(violation) => violation.to_string(),
        }
    }
}

/// Why something has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The contract.
    Contract(Entity),
    /// The policy for type conflicts.
    Conflict,
    /// A limit, and how many there may be.
    Limit(Entity, usize),
    /// A field that must have a value has none.
    Missing,
    /// A record that is to be merged lacks (a part of) its primary or merge key.
    NoKey,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) cause: Cause,
    pub(super) mode: ContractMode,
}

impl Bar {
    /// A value that does not fit its column, where the policy says that it goes nowhere else.
    pub(super) const CONFLICT: Bar = Bar { cause: Cause::Conflict, mode: ContractMode::Reject };
}

/// Something that has no place in the schema. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Why.
    pub cause: Cause,
    /// The table.
    pub table: String,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// The keys from the record to the value, with dots between them.
    pub path: String,
    /// The value's type.
    pub found: Option<DataType>,
    /// The column's type.
    pub expected: Option<DataType>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, path) = (&self.table, &self.path);
        let column = self.column.as_deref().unwrap_or_default();
        match self.cause {
            Cause::Contract(Entity::Tables) => {
                write!(f, "the schema contract lets no table be added, and '{table}' would be ({path})")
            }
            Cause::Contract(Entity::Columns) => {
                write!(f, "the schema contract lets no column be added to '{table}', and '{column}' would be ({path})")
            }
            Cause::Contract(Entity::DataType) | Cause::Conflict => {
                let name = |t: Option<DataType>| t.map_or("", DataType::as_str);
                let (found, expected) = (name(self.found), name(self.expected));
                write!(f, "a {found} value does not fit the {expected} column '{column}' of '{table}' ({path})")
            }
            Cause::Limit(Entity::Tables, most) => {
                write!(f, "the dataset would have more than {most} tables: '{table}' is one too many ({path})")
            }
            Cause::Limit(_, most) => {
                write!(
                    f,
                    "the table '{table}' would have more than {most} columns: '{column}' is one too many ({path})"
                )
            }
            Cause::Missing => {
                write!(f, "the column '{column}' of '{table}' must have a value, and a row has none ({path})")
            }
            Cause::NoKey => {
                write!(f, "'{column}' is in the key that '{table}' is merged by, and ")?;
                match (self.found, self.expected) {
                    (Some(found), Some(expected)) => {
                        write!(f, "a record's value is {found}, which does not fit the {expected} column")?;
                    }
                    _ => write!(f, "a record has no value of it, or a list or an object")?,
                }
                write!(f, ": such records cannot be merged")
            }
        }
    }
}

impl Violation {
    /// Returns what the user can do.
    pub fn hint(&self) -> &'static str {
        // The records' own table is no path that could be left out.
        let is_root = self.path == "$";
        match self.cause {
            Cause::Contract(Entity::Tables) if is_root => {
                "let it evolve (--schema-contract tables=evolve), or load into a table that is there (--table NAME)"
            }
            Cause::Limit(Entity::Tables, _) if is_root => "raise --max-tables, or load into another dataset",
            Cause::Contract(Entity::Tables) => {
                "let it evolve (--schema-contract tables=evolve), leave the path out (--ignore PATH) or keep it as JSON (--json-columns PATH)"
            }
            Cause::Contract(Entity::Columns) => {
                "let it evolve (--schema-contract columns=evolve), leave the value out (columns=discard_value) or the path (--ignore PATH)"
            }
            Cause::Contract(Entity::DataType) => {
                "let it evolve (--schema-contract data_type=evolve), leave such values out (data_type=discard_value) or keep the records aside (data_type=reject)"
            }
            Cause::Conflict => "choose another --on-type-conflict, or repair the record",
            Cause::Limit(Entity::Tables, _) => {
                "keys may be data here: keep the path as JSON (--json-columns PATH) or leave it out (--ignore PATH), or raise --max-tables"
            }
            Cause::Limit(..) => {
                "keys may be data here: keep the path as JSON (--json-columns PATH) or leave it out (--ignore PATH), or raise --max-columns"
            }
            Cause::Missing => {
                "repair the record, let the column be null, or keep such records aside with --on-error reject"
            }
            Cause::NoKey if self.found.is_some() => {
                "give the key a type that holds all its values (--hint FIELD=text; where it is there already, --on-type-conflict text), or keep such records aside with --on-error reject"
            }
            Cause::NoKey => {
                "choose a key that every record has, written as the field or its column, or keep such records aside with --on-error reject"
            }
        }
    }
}
