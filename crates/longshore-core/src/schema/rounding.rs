//! Columns of a destination that hold less than those of a load. Databases round what is put there and say nothing, so such
//! loads are refused. A value that is too large or too long is another matter: there the database itself refuses.

use super::{Column, ColumnType, DataType, FRACTION_DIGITS};
use crate::error::Error;

/// Decimal digits that every double keeps.
const DOUBLE_DIGITS: u8 = 15;

impl Column {
    /// Returns true when some value of this column would be another one in a column of type `there`, and no database would
    /// refuse it: digits behind the point go, a moment loses its time. False where that column becomes wider for the load.
    pub fn is_rounded_by(&self, there: ColumnType) -> bool {
        use DataType::{Bigint, Bool, Date, Decimal, Double, Time, Timestamp};
        let own = self.column_type();
        let digits = |t: ColumnType| t.precision().unwrap_or(FRACTION_DIGITS);
        let ((precision, scale), (_, scale_there)) = (own.decimal_size(), there.decimal_size());
        !self.outgrows(there)
            && match (own.data_type, there.data_type) {
                (Decimal, Decimal) => scale > scale_there,
                (Decimal, Bigint) => scale > 0,
                (Decimal, Double) => precision > DOUBLE_DIGITS,
                (Bigint, Double) => !self.exact_double,
                (Double, Decimal | Bigint) | (Timestamp, Date | Time) => true,
                (Timestamp, Timestamp) | (Time, Time) => digits(own) > digits(there),
                (own, Bool) => own != Bool,
                _ => false,
            }
    }

    /// Returns the error of a load whose values a column of the destination would round. `there` is that column's type in
    /// the destination's words, `known` in ours, `needed` what it would have to be.
    pub fn rounded(&self, there: &str, known: Option<ColumnType>, needed: &str) -> Error {
        let hint = known.map_or_else(String::new, |known| {
            format!(
                " or, if the pipeline has not loaded it yet, keep to what it holds (--hint '{}={}');",
                self.name,
                as_hint(known)
            )
        });
        Error::destination("a column of the table would round the load's values in silence")
            .with("column", &self.name)
            .with("there", there)
            .with("load", self.column_type())
            .hint(format!("make the column {needed} there;{hint} or load into another table or dataset"))
    }
}

/// Returns the type as the flag `--hint` spells it.
fn as_hint(column_type: ColumnType) -> String {
    let mut hint = column_type.data_type.to_string();
    if column_type.data_type == DataType::Decimal {
        let (precision, scale) = column_type.decimal_size();
        hint.push_str(&format!(":precision={precision}:scale={scale}"));
    } else if let Some(precision) = column_type.precision() {
        hint.push_str(&format!(":precision={precision}"));
    }
    if !column_type.is_zoned() {
        hint.push_str(":timezone=false");
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::{Bigint, Date, Decimal, Double, Text, Time, Timestamp};

    fn of(data_type: DataType, precision: u32, scale: u32) -> ColumnType {
        ColumnType::sized(data_type, Some(precision), Some(scale), true)
    }

    #[test]
    fn only_what_databases_round_in_silence_is_refused() {
        for (own, there, is_rounded) in [
            (Double.into(), of(Decimal, 6, 2), true),
            (of(Decimal, 10, 4), of(Decimal, 10, 2), true),
            (of(Decimal, 10, 2), of(Decimal, 6, 2), false),
            (of(Decimal, 10, 2), of(Decimal, 38, 9), false),
            (of(Decimal, 10, 2), Bigint.into(), true),
            (Decimal.into(), Bigint.into(), false),
            (of(Decimal, 15, 2), Double.into(), false),
            (of(Decimal, 16, 2), Double.into(), true),
            // It becomes a double.
            (Double.into(), of(Bigint, 32, 0), false),
            (Bigint.into(), of(Bigint, 32, 0), false),
            (Timestamp.into(), of(Timestamp, 3, 0), true),
            (of(Timestamp, 3, 0), Timestamp.into(), false),
            (Timestamp.into(), ColumnType::sized(Timestamp, None, None, false), false),
            (Timestamp.into(), Date.into(), true),
            (Time.into(), of(Time, 0, 0), true),
            (Text.into(), of(Text, 4, 0), false),
            (Text.into(), Double.into(), false),
        ] {
            assert_eq!(Column::of_type("c", own).is_rounded_by(there), is_rounded, "{own} {there}");
        }
    }

    #[test]
    fn whole_numbers_that_a_double_holds_are_not_rounded() {
        let exact = Column { exact_double: true, ..Column::data("n", Bigint) };
        assert!(!exact.is_rounded_by(Double.into()));
        assert!(Column::data("n", Bigint).is_rounded_by(Double.into()));
    }

    #[test]
    fn a_column_that_becomes_wider_rounds_nothing() {
        let mut grown = Column::of_type("n", of(Decimal, 6, 2));
        grown.grow_to(of(Decimal, 10, 4));
        assert!(!grown.is_rounded_by(of(Decimal, 6, 2)));
    }

    #[test]
    fn the_way_out_is_said() {
        let there = ColumnType::sized(Timestamp, Some(3), None, false);
        let error = Column::data("at", Timestamp).rounded("timestamp(3)", Some(there), "timestamptz");
        let hint = error.hint_text().unwrap_or_default();
        assert!(hint.contains("--hint 'at=timestamp:precision=3:timezone=false'"), "{hint}");
    }
}
