//! A column's type with its size: what its values are in a package, and what a destination makes of it.

use super::{DECIMAL_PRECISION, DataType, Properties};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A data type with precision, scale and time zone, as far as they mean something for it; equal where they mean the same.
///
/// Written as `decimal(10,2)`, `text(20)`, `bigint(16)`, `timestamp(3) without time zone`; without a size as the data type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnType {
    /// The type.
    pub data_type: DataType,
    /// Digits of a decimal, characters of a text, bytes of a binary, bits of a bigint (8, 16, 32 or 128), digits of
    /// a second's fraction; `None` for all there can be.
    precision: Option<u32>,
    /// Digits of a decimal behind the point.
    scale: u32,
    /// False for timestamps without a time zone.
    is_zoned: bool,
}

/// Digits of a second's fraction that the loader holds.
pub const FRACTION_DIGITS: u32 = 6;
/// Digits behind the point of a decimal that is asked for without a size; the others as dlt has them.
pub const USUAL_SCALE: u32 = 9;

impl From<DataType> for ColumnType {
    fn from(data_type: DataType) -> Self {
        ColumnType::of(data_type, &Properties::default())
    }
}

impl ColumnType {
    /// Returns the type of a column of which that is said.
    pub fn of(data_type: DataType, said: &Properties) -> Self {
        ColumnType::sized(data_type, said.precision, said.scale, said.timezone != Some(false))
    }

    /// Returns a type with a size; what means nothing for the data type is left away.
    pub fn sized(data_type: DataType, precision: Option<u32>, scale: Option<u32>, is_zoned: bool) -> Self {
        let most = u32::from(DECIMAL_PRECISION);
        let precision = match data_type {
            DataType::Text | DataType::Binary => precision,
            // What databases have: bits are rounded up to bytes and words.
            DataType::Bigint => [8, 16, 32].into_iter().find(|bits| precision.is_some_and(|p| p <= *bits)),
            DataType::Decimal => precision.map(|p| p.clamp(1, most)).filter(|p| *p < most),
            DataType::Timestamp | DataType::Time => precision.filter(|p| *p < FRACTION_DIGITS),
            _ => None,
        };
        let scale = match data_type {
            DataType::Decimal => scale.unwrap_or(0).min(precision.unwrap_or(most)),
            _ => 0,
        };
        ColumnType { data_type, precision, scale, is_zoned: is_zoned || data_type != DataType::Timestamp }
    }

    /// Returns precision and scale of decimals.
    pub fn decimal_size(self) -> (u8, u8) {
        let digits = |n: u32| u8::try_from(n).unwrap_or(DECIMAL_PRECISION);
        (self.precision.map_or(DECIMAL_PRECISION, digits), digits(self.scale))
    }

    /// Returns the limit that a type other than decimal has: characters, bytes, bits, digits of a fraction.
    pub fn precision(self) -> Option<u32> {
        self.precision
    }

    /// Returns false for timestamps without a time zone.
    pub fn is_zoned(self) -> bool {
        self.is_zoned
    }

    /// Returns true when it holds every value of its data type.
    pub fn is_plain(self) -> bool {
        self.precision.is_none() && self.scale == 0
    }

    /// Returns the Arrow type that carries it in a package.
    pub fn arrow(self) -> ArrowType {
        match self.data_type {
            DataType::Decimal => {
                let (precision, scale) = self.decimal_size();
                ArrowType::Decimal128(precision, scale as i8) // at most 38
            }
            DataType::Timestamp if !self.is_zoned => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            other => other.arrow(),
        }
    }

    /// Returns true when a column of this type may become one of type `to` in place, with every value it can have. Nothing
    /// leads back. Whether every bigint keeps its value as a double is another question: see [`super::Column::exact_double`].
    pub fn widens_to(self, to: ColumnType) -> bool {
        if self.data_type != to.data_type {
            let holds = match to.data_type {
                DataType::Decimal => to.whole_digits() >= self.whole_digits(),
                _ => to.precision.is_none(),
            };
            return holds && self.data_type.widens_to(to.data_type);
        }
        match self.data_type {
            DataType::Decimal => self != to && to.scale >= self.scale && to.whole_digits() >= self.whole_digits(),
            _ => {
                self.is_zoned == to.is_zoned
                    && self.precision.is_some_and(|had| to.precision.is_none_or(|has| has > had))
            }
        }
    }

    /// Digits before the point.
    fn whole_digits(self) -> u32 {
        match (self.data_type, self.precision) {
            (DataType::Bigint, Some(8)) => 3,
            (DataType::Bigint, Some(16)) => 5,
            (DataType::Bigint, Some(32)) => 10,
            (DataType::Decimal, precision) => precision.unwrap_or(u32::from(DECIMAL_PRECISION)) - self.scale,
            _ => 19,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, is_zoned) = match text.strip_suffix(WITHOUT_ZONE) {
            Some(rest) => (rest, false),
            None => (text, true),
        };
        let (name, size) = match text.split_once('(') {
            Some((name, size)) => (name, size.strip_suffix(')')?),
            None => (text, ""),
        };
        let mut numbers = size.split(',').filter(|n| !n.is_empty()).map(|n| n.trim().parse().ok());
        let (precision, scale) = (numbers.next().flatten(), numbers.next().flatten());
        Some(ColumnType::sized(DataType::parse(name)?, precision, scale, is_zoned))
    }
}

const WITHOUT_ZONE: &str = " without time zone";

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.data_type.as_str())?;
        match (self.data_type, self.precision) {
            (DataType::Decimal, _) if !self.is_plain() => {
                let (precision, scale) = self.decimal_size();
                write!(f, "({precision},{scale})")?;
            }
            (_, Some(precision)) => write!(f, "({precision})")?,
            _ => {}
        }
        if self.is_zoned { Ok(()) } else { f.write_str(WITHOUT_ZONE) }
    }
}

impl Serialize for ColumnType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ColumnType::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("there is no type '{text}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::{Bigint, Binary, Decimal, Double, Text, Time, Timestamp};

    fn all() -> Vec<ColumnType> {
        let mut all =
            vec![ColumnType::sized(Timestamp, None, None, false), ColumnType::sized(Timestamp, Some(3), None, false)];
        for data_type in DataType::ALL {
            for (precision, scale) in [(None, None), (Some(3), Some(1)), (Some(20), Some(9)), (Some(38), Some(38))] {
                all.push(ColumnType::sized(data_type, precision, scale, true));
            }
        }
        all
    }

    #[test]
    fn what_is_written_is_read() {
        for it in all() {
            assert_eq!(ColumnType::parse(&it.to_string()), Some(it), "{it}");
        }
        assert_eq!(ColumnType::sized(Decimal, Some(10), Some(2), true).to_string(), "decimal(10,2)");
        assert_eq!(ColumnType::from(Decimal).to_string(), "decimal");
        assert_eq!(ColumnType::sized(Timestamp, Some(3), None, false).to_string(), "timestamp(3) without time zone");
        assert_eq!(ColumnType::sized(Bigint, Some(10), None, true).to_string(), "bigint(16)");
        assert!(ColumnType::parse("decimal(1").is_none() && ColumnType::parse("int").is_none());
    }

    #[test]
    fn nothing_widens_back_and_no_digit_is_lost() {
        for a in all() {
            for b in all() {
                assert!(!(a.widens_to(b) && b.widens_to(a)), "{a} {b}");
            }
        }
        let of = |t, p, s| ColumnType::sized(t, Some(p), Some(s), true);
        for (from, to, widens) in [
            (of(Decimal, 10, 2), of(Decimal, 12, 4), true),
            (of(Decimal, 10, 2), of(Decimal, 11, 4), false),
            (of(Text, 10, 0), of(Text, 20, 0), true),
            (of(Text, 10, 0), Text.into(), true),
            (Text.into(), of(Text, 10, 0), false),
            (Bigint.into(), of(Decimal, 28, 9), true),
            (Bigint.into(), of(Decimal, 20, 9), false),
            (of(Bigint, 16, 0), Bigint.into(), true),
            (of(Bigint, 16, 0), Double.into(), true),
            (of(Decimal, 10, 2), Text.into(), true),
            (of(Decimal, 10, 2), of(Text, 9, 0), false),
            (of(Time, 3, 0), Time.into(), true),
            (of(Binary, 3, 0), Binary.into(), true),
            (Timestamp.into(), ColumnType::sized(Timestamp, None, None, false), false),
        ] {
            assert_eq!(from.widens_to(to), widens, "{from} {to}");
        }
    }
}
