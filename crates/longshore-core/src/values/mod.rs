//! Values and their texts: which texts dlt takes for a timestamp, a number or a truth value.
//!
//! Everything here is pure: text in, value out, no configuration and no clock. The rules are
//! those of dlt 1.31 (and, below it, of pendulum 3 and Python 3.11), proved by
//! `tests/differential/values_by_dlt.py` against `tests/values_as_dlt.rs`.
//!
//! * [`iso_timestamp`]: text as a timestamp, date or time, and a timestamp as text.
//! * [`python_text`]: `int()`, `float()`, `str2bool` and `repr(float)` ([`python_text::float_repr`]).
//! * [`python_chars`]: what Python counts as white space and as a digit.
//! * [`json_text`]: the escaping of a JSON string.
//! * [`civil_from_days`]: the calendar.

pub use calendar::civil_from_days;

pub mod iso_timestamp;
pub mod json_text;
pub mod python_chars;
pub mod python_text;

mod calendar;
mod common_datetime;
mod float_text;
mod iso_parser;
