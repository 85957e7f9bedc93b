//! What one SQL database writes differently from another.

use longshore_core::schema::DataType;

/// The particulars of a database's SQL.
pub trait Dialect {
    /// Returns the column type that holds that data type.
    fn type_name(&self, data_type: DataType) -> &'static str;
}
