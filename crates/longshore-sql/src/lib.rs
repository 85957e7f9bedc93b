//! SQL text from schemas: pure functions, used by SQL destinations only.
//!
//! A destination brings a [`Dialect`] (its type names); everything else here is common SQL.

mod ddl;
mod dialect;
mod quote;
mod records;

pub use ddl::{add_column, create_schema, create_table, system_table};
pub use dialect::Dialect;
pub use quote::{identifier, literal, qualified};
pub use records::load_records;
