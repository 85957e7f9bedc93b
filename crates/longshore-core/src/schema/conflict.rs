//! Type conflicts: where a value goes that its column's type cannot hold.

use super::{DataType, SystemColumns};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What becomes of a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conflict {
    /// It goes to a column beside it, `<column>__v_<type>`, as in dlt.
    Variant,
    /// The column becomes wider where every value, old and new, keeps its exact value; otherwise as `Variant`.
    Widen,
    /// The column becomes text.
    Text,
    /// The column becomes JSON.
    Json,
    /// The whole record goes to the rejects table.
    Reject,
}

impl Conflict {
    /// All policies, in the order messages list them.
    pub const ALL: [Conflict; 5] =
        [Conflict::Variant, Conflict::Widen, Conflict::Text, Conflict::Json, Conflict::Reject];

    /// Returns the policy's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Conflict::Variant => "variant",
            Conflict::Widen => "widen",
            Conflict::Text => "text",
            Conflict::Json => "json",
            Conflict::Reject => "reject",
        }
    }

    /// Returns the policy of that word.
    ///
    /// # Errors
    /// When there is none; those there are are listed.
    pub fn parse(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == word).ok_or_else(|| {
            Error::config(format!("there is no type conflict policy '{word}'"))
                .hint(format!("policies are: {}", Self::ALL.map(Self::as_str).join(", ")))
        })
    }

    /// Returns what holds when nobody says anything: dlt's way in dlt mode.
    pub fn usual(system: SystemColumns) -> Self {
        match system {
            SystemColumns::Native => Conflict::Widen,
            SystemColumns::Dlt => Conflict::Variant,
        }
    }
}

impl DataType {
    /// Returns true when a column of this type may become one of type `to` in place. Nothing leads back. Whether every
    /// bigint keeps its value as a double is another question: see [`super::Column::exact_double`].
    pub fn widens_to(self, to: DataType) -> bool {
        match (self, to) {
            (DataType::Bigint, DataType::Decimal | DataType::Double) => true,
            (DataType::Text | DataType::Binary, _) => false,
            (_, DataType::Text) => true,
            (from, DataType::Json) => from != to,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_widens_back() {
        for a in DataType::ALL {
            for b in DataType::ALL {
                assert!(!(a.widens_to(b) && b.widens_to(a)), "{a} {b}");
            }
        }
        assert!(Conflict::ALL.into_iter().all(|c| Conflict::parse(c.as_str()).unwrap() == c));
    }
}
