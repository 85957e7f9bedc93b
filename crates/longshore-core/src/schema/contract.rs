//! Contracts: what of a schema may grow by itself, and what becomes of data that would make it grow all the same.

use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// dlt's schema contract (`dlt/common/schema/typing.py`, `TSchemaContractDict`) with a mode of our own, `reject`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Contract {
    /// New tables.
    pub tables: ContractMode,
    /// New columns of tables that were there before the load. A table's first load may always add its columns.
    pub columns: ContractMode,
    /// Values that do not fit their column: new variant columns, and changes of a column's type.
    pub data_type: ContractMode,
}

/// What becomes of data that does not fit the schema as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractMode {
    /// The schema grows.
    #[default]
    Evolve,
    /// The load fails before the destination is touched.
    Freeze,
    /// The row is left out with the rows below it, and counted.
    DiscardRow,
    /// The value is left out, and counted. Rows of a table that may not be made are left out.
    DiscardValue,
    /// The whole record is kept in the rejects table, with the reason.
    Reject,
}

/// A part of a schema that a contract speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A table.
    Tables,
    /// A column.
    Columns,
    /// The type of a column.
    DataType,
}

impl ContractMode {
    /// All modes, in the order messages list them.
    pub const ALL: [ContractMode; 5] = [
        ContractMode::Evolve,
        ContractMode::Freeze,
        ContractMode::DiscardRow,
        ContractMode::DiscardValue,
        ContractMode::Reject,
    ];

    /// Returns the mode's word.
    pub fn as_str(self) -> &'static str {
        match self {
            ContractMode::Evolve => "evolve",
            ContractMode::Freeze => "freeze",
            ContractMode::DiscardRow => "discard_row",
            ContractMode::DiscardValue => "discard_value",
            ContractMode::Reject => "reject",
        }
    }

    /// Returns the mode of that word; `-` may stand for `_`.
    ///
    /// # Errors
    /// When there is no such mode; those there are are listed.
    pub fn parse(word: &str) -> Result<Self> {
        let plain = word.trim().replace('-', "_");
        Self::ALL.into_iter().find(|m| m.as_str() == plain).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::config(format!("there is no schema contract mode '{}'", word.trim()))
                .hint(format!("modes are: {known}"))
        })
    }
}

impl fmt::Display for ContractMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Contract {
    /// Both of dlt's forms, see [`Contract::from_value`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Contract::from_value(&value).map_err(serde::de::Error::custom)
    }
}

impl Contract {
    /// Returns the contract with one mode for everything.
    pub fn all(mode: ContractMode) -> Self {
        Contract { tables: mode, columns: mode, data_type: mode }
    }

    /// Reads `freeze`, or `tables=freeze,columns=discard_value`; what is not named evolves.
    ///
    /// # Errors
    /// When a word is none of a contract's; those there are are listed.
    pub fn parse(text: &str) -> Result<Self> {
        if !text.contains('=') {
            return ContractMode::parse(text).map(Contract::all);
        }
        let mut contract = Contract::default();
        for part in text.split(',') {
            let (entity, mode) = part.split_once('=').unwrap_or((part, ""));
            contract.set(entity.trim(), ContractMode::parse(mode)?)?;
        }
        Ok(contract)
    }

    /// Reads dlt's form: a word, or a table of `tables`, `columns` and `data_type`.
    ///
    /// # Errors
    /// When it is neither, or a word is none of a contract's.
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        let wrong = || {
            Error::config("a schema contract is a mode, or a table of 'tables', 'columns' and 'data_type'")
                .hint("such as \"freeze\", or { tables = \"evolve\", columns = \"discard_value\" }")
        };
        if let Some(text) = value.as_str() {
            return Contract::parse(text);
        }
        let mut contract = Contract::default();
        for (entity, mode) in value.as_object().ok_or_else(wrong)? {
            contract.set(entity, ContractMode::parse(mode.as_str().ok_or_else(wrong)?)?)?;
        }
        Ok(contract)
    }

    fn set(&mut self, entity: &str, mode: ContractMode) -> Result<()> {
        match entity {
            "tables" => self.tables = mode,
            "columns" => self.columns = mode,
            "data_type" => self.data_type = mode,
            other => {
                return Err(Error::config(format!("a schema contract knows nothing of '{other}'"))
                    .hint("it speaks of tables, columns and data_type"));
            }
        }
        Ok(())
    }

    /// Returns the mode for an entity.
    pub fn mode(&self, entity: Entity) -> ContractMode {
        match entity {
            Entity::Tables => self.tables,
            Entity::Columns => self.columns,
            Entity::DataType => self.data_type,
        }
    }

    /// True when everything evolves.
    pub fn is_default(&self) -> bool {
        *self == Contract::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn contracts_are_read_as_dlt_writes_them() {
        let all = Contract::all(ContractMode::Freeze);
        assert_eq!(Contract::parse("freeze").unwrap(), all);
        assert_eq!(Contract::from_value(&json!("freeze")).unwrap(), all);
        let some = Contract { columns: ContractMode::DiscardValue, ..Contract::default() };
        assert_eq!(Contract::parse("columns=discard-value").unwrap(), some);
        assert_eq!(Contract::from_value(&json!({"columns": "discard_value"})).unwrap(), some);
        for wrong in ["frozen", "columns=", "rows=freeze", "columns=freeze,evolve"] {
            assert!(Contract::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in [json!(1), json!({"columns": 1}), json!({"column": "freeze"})] {
            assert!(Contract::from_value(&wrong).is_err(), "{wrong}");
        }
    }
}
