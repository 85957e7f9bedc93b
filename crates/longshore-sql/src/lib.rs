//! SQL text from schemas: pure functions, used by SQL destinations only.
//!
//! A destination brings a [`Dialect`] (its type names); everything else here is common SQL.

mod answer;
mod ddl;
mod dialect;
mod merge;
mod quote;
mod records;
mod root_ids;

pub use answer::{AnswerColumn, describe, faithful, is_json};
pub use ddl::{
    add_column, create_schema, create_table, drop_table, growth, hinted, inexact_values, own_tables, repeated_values,
    system_table, widen_column,
};
pub use dialect::Dialect;
pub use merge::{Family, checks, merge, validity_table};
pub use quote::{identifier, literal, qualified};
pub use records::{DltQueries, load_records};
pub use root_ids::root_ids;
