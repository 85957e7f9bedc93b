//! One column of a table.

use super::{ColumnType, Conflict, DECIMAL_PRECISION, DataType, FRACTION_DIGITS};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A column: its name in the destination, its type, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Normalised, unique in its table.
    pub name: String,
    /// Fixed once the column has a value, but that it may become wider (see [`Conflict`]).
    pub data_type: DataType,
    /// False only for system columns and keys.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub nullable: bool,
    /// Made because values did not fit the column it is named after (`col__v_text`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub variant: bool,
    /// What the loader itself writes here, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ColumnRole>,
    /// Of a bigint column: no value so far is beyond 2^53, so that doubles hold all of them exactly. False where
    /// nobody kept count. Never becomes true again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exact_double: bool,
    /// True when it was made smaller than it is now, though of the same type.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resized: bool,
    /// What was said of the column beside its type.
    #[serde(flatten)]
    pub properties: Properties,
}

/// What a user said of a column beside its type: dlt's words (`dlt/common/schema/typing.py`, `TColumnSchema`). What each
/// destination makes of them is in `docs/schema.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// Digits of a decimal, characters of a text, bytes of a binary, bits of a bigint, digits of a second's fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// Digits of a decimal behind the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// False for timestamps without a time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<bool>,
    /// Each value once.
    #[serde(skip_serializing_if = "is_false")]
    pub unique: bool,
    /// Rows are looked for by it.
    #[serde(skip_serializing_if = "is_false")]
    pub index: bool,
    /// Rows are stored in its order.
    #[serde(skip_serializing_if = "is_false")]
    pub sort: bool,
    /// The table is divided by it.
    #[serde(skip_serializing_if = "is_false")]
    pub partition: bool,
    /// Rows of one value are stored together.
    #[serde(skip_serializing_if = "is_false")]
    pub cluster: bool,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What becomes of values that do not fit; without it what holds for the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_type_conflict: Option<Conflict>,
}

impl Properties {
    /// Checks precision, scale and time zone of a column of that type.
    ///
    /// # Errors
    /// When the type has no such thing, or not so much of it.
    pub fn check_size(&self, data_type: DataType) -> Result<()> {
        let no = |what: &str| Err(Error::config(format!("a column of type {data_type} has no {what}")));
        let (least, most) = match data_type {
            DataType::Decimal => (1, u32::from(DECIMAL_PRECISION)),
            DataType::Bigint => (1, 64),
            DataType::Timestamp | DataType::Time => (0, FRACTION_DIGITS),
            DataType::Text | DataType::Binary => (1, u32::MAX),
            _ if self.precision.is_some() => return no("precision"),
            _ => (0, 0),
        };
        if let Some(precision) = self.precision.filter(|p| !(least..=most).contains(p)) {
            return Err(Error::config(format!(
                "the precision of a {data_type} is from {least} to {most}, and not {precision}"
            )));
        }
        if self.timezone.is_some() && data_type != DataType::Timestamp {
            return no("time zone");
        }
        let Some(scale) = self.scale else { return Ok(()) };
        if data_type != DataType::Decimal {
            return no("scale");
        }
        let precision = self.precision.unwrap_or(u32::from(DECIMAL_PRECISION));
        match scale > precision {
            true => Err(Error::config(format!("a decimal of {precision} digits cannot have {scale} behind the point"))
                .hint("name both, as in decimal:precision=10:scale=2; the scale is 9 where none is named")),
            false => Ok(()),
        }
    }

    /// Returns these properties with those of others that do not change what a column holds.
    pub fn described_by(&self, said: &Properties) -> Properties {
        Properties {
            precision: self.precision,
            scale: self.scale,
            timezone: self.timezone,
            unique: self.unique || said.unique,
            index: self.index || said.index,
            sort: self.sort || said.sort,
            partition: self.partition || said.partition,
            cluster: self.cluster || said.cluster,
            description: said.description.clone().or_else(|| self.description.clone()),
            on_type_conflict: self.on_type_conflict, // of each load's own rules
        }
    }
}

impl Column {
    /// Returns a nullable column of the source's data.
    pub fn data(name: impl Into<String>, data_type: DataType) -> Self {
        Column {
            name: name.into(),
            data_type,
            nullable: true,
            variant: false,
            role: None,
            exact_double: false,
            resized: false,
            properties: Properties::default(),
        }
    }

    /// Returns a nullable column of the source's data, of a type with a size.
    pub fn of_type(name: impl Into<String>, column_type: ColumnType) -> Self {
        let mut column = Column::data(name, column_type.data_type);
        column.set_type(column_type);
        column
    }

    /// Returns its type with its size.
    pub fn column_type(&self) -> ColumnType {
        ColumnType::of(self.data_type, &self.properties)
    }

    /// Makes it wider or larger.
    pub fn grow_to(&mut self, to: ColumnType) {
        self.resized |= self.data_type == to.data_type;
        self.exact_double = false;
        self.set_type(to);
    }

    /// Returns true when a column that is there with that type becomes this one in place. One that somebody made smaller
    /// than ours stays as it is.
    pub fn outgrows(&self, there: ColumnType) -> bool {
        there.widens_to(self.column_type()) && (there.data_type != self.data_type || self.resized)
    }

    fn set_type(&mut self, to: ColumnType) {
        self.data_type = to.data_type;
        let (precision, scale) = to.decimal_size();
        let is_sized_decimal = to.data_type == DataType::Decimal && !to.is_plain();
        self.properties.precision = if is_sized_decimal { Some(precision.into()) } else { to.precision() };
        self.properties.scale = is_sized_decimal.then_some(scale.into());
        self.properties.timezone = if to.is_zoned() { None } else { Some(false) };
    }

    /// Returns a column the loader fills; never null.
    pub fn system(name: impl Into<String>, data_type: DataType, role: ColumnRole) -> Self {
        Column { nullable: false, role: Some(role), ..Column::data(name, data_type) }
    }
}

/// What a system column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// The row's own id.
    RowId,
    /// The load the row came with. Not stored in parts: it is the same for all rows of a package.
    LoadId,
    /// Row id of the row this one is a list element of.
    ParentId,
    /// Row id of the topmost row.
    RootId,
    /// 0-based position in the parent's list.
    ListIndex,
    /// Hash of the record a root row comes from: tells versions of it apart (`scd2`).
    RowHash,
}

impl ColumnRole {
    /// All there are.
    pub const ALL: [ColumnRole; 6] = {
        use ColumnRole::*;
        [RowId, LoadId, ParentId, RootId, ListIndex, RowHash]
    };
}

fn yes() -> bool {
    true
}
fn is_true(v: &bool) -> bool {
    *v
}
fn is_false(v: &bool) -> bool {
    !*v
}
