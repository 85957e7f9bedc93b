//! Reading JSON: one record's bytes become a flat tape, with nothing converted and nothing lost.
//!
//! A tape keeps byte ranges of strings and numbers, so that a number is read once, as what its
//! column needs, and a number longer than any machine type is still there digit by digit. That, and
//! going on after a bad record, is why this is not one of the well-known parsers.

mod escape;
mod tape;
mod text;

pub use escape::unescape;
pub use tape::{Kind, NOT_FINITE, Node, SyntaxError, Tape};
pub use text::{write_as_dlt, write_compact, write_sorted_as_dlt};

/// U+FEFF in UTF-8: some programs begin a text with it, and files that were joined have it in the middle, before a value.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
