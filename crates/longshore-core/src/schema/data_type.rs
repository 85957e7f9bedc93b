//! The data types a column can have: dlt's words, what Arrow array carries each.

use arrow_schema::{DataType as ArrowType, TimeUnit};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Type of a column, named as dlt names it (`dlt/common/data_types/typing.py`).
///
/// | type | Arrow array in a package | unit |
/// |---|---|---|
/// | text, json | `Utf8` | |
/// | bigint | `Int64` | |
/// | double | `Float64` | |
/// | bool | `Boolean` | |
/// | timestamp | `Timestamp(µs, "UTC")` | microseconds since 1970 |
/// | date | `Date32` | days since 1970 |
/// | time | `Time64(µs)` | microseconds since midnight |
/// | binary | `Binary` | |
/// | decimal | `Decimal128(38, 0)` | whole numbers beyond 64 bits, up to 38 digits |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// Unicode text.
    Text,
    /// 64-bit signed whole number.
    Bigint,
    /// 64-bit IEEE number.
    Double,
    /// True or false.
    Bool,
    /// An instant, in UTC.
    Timestamp,
    /// JSON text.
    Json,
    /// A whole number of up to 38 digits.
    Decimal,
    /// Bytes.
    Binary,
    /// A calendar day.
    Date,
    /// A time of day.
    Time,
}

impl DataType {
    /// All types, in the order messages list them.
    pub const ALL: [DataType; 10] = [
        DataType::Text,
        DataType::Bigint,
        DataType::Double,
        DataType::Bool,
        DataType::Timestamp,
        DataType::Json,
        DataType::Decimal,
        DataType::Binary,
        DataType::Date,
        DataType::Time,
    ];

    /// Returns dlt's name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            DataType::Text => "text",
            DataType::Bigint => "bigint",
            DataType::Double => "double",
            DataType::Bool => "bool",
            DataType::Timestamp => "timestamp",
            DataType::Json => "json",
            DataType::Decimal => "decimal",
            DataType::Binary => "binary",
            DataType::Date => "date",
            DataType::Time => "time",
        }
    }

    /// Returns the type of that name, or `None`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }

    /// Returns the Arrow type that carries it in a package.
    pub fn arrow(self) -> ArrowType {
        match self {
            DataType::Text | DataType::Json => ArrowType::Utf8,
            DataType::Bigint => ArrowType::Int64,
            DataType::Double => ArrowType::Float64,
            DataType::Bool => ArrowType::Boolean,
            DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Decimal => ArrowType::Decimal128(DECIMAL_PRECISION, 0),
            DataType::Binary => ArrowType::Binary,
            DataType::Date => ArrowType::Date32,
            DataType::Time => ArrowType::Time64(TimeUnit::Microsecond),
        }
    }
}

/// Digits a decimal column holds.
pub const DECIMAL_PRECISION: u8 = 38;

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
