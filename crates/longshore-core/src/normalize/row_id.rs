//! Row identifiers, the 14 characters of `_dlt_id`, and the hashing behind them.
//!
//! A nested row's id is dlt's (`get_nested_row_hash` in `dlt/common/normalizers/json/helpers.py`,
//! `digest128` in `dlt/common/utils.py`): a hash of its parent's id, its table and its place in
//! the list. dlt draws the id of a root row at random; here it is a hash too, so that the same
//! load gives the same ids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha3::Shake128;
use sha3::digest::{ExtendableOutput, Update, XofReader};

/// The length of an id in characters, all of them ASCII.
pub const ROW_ID_LEN: usize = 14;

/// dlt's id of row `list_idx` (from 0) of the nested table `table` under the row `parent_id`:
/// base64 without `=` of 10 bytes of SHAKE128 over `<parent_id>_<table>_<list_idx>`.
#[must_use]
pub fn nested_row_id(parent_id: &str, table: &str, list_idx: u64) -> String {
    let mut id = String::with_capacity(ROW_ID_LEN);
    write_nested_row_id(&mut id, parent_id, table, list_idx);
    id
}

/// Appends [`nested_row_id`] to `out`; allocates only if `out` lacks the room.
pub fn write_nested_row_id(out: &mut String, parent_id: &str, table: &str, list_idx: u64) {
    write_id(out, &[parent_id, table], "_", list_idx);
}

/// The id of row `row` (from 0) of the root table `table` in the load `load_id`.
///
/// Ours: the form of dlt's ids, but the same for the same three arguments. They are hashed with
/// NUL between them, so neither two different triples nor a nested row share the hashed text
/// (names and load ids hold no NUL).
#[must_use]
pub fn root_row_id(load_id: &str, table: &str, row: u64) -> String {
    let mut id = String::with_capacity(ROW_ID_LEN);
    write_root_row_id(&mut id, load_id, table, row);
    id
}

/// Appends [`root_row_id`] to `out`; allocates only if `out` lacks the room.
pub fn write_root_row_id(out: &mut String, load_id: &str, table: &str, row: u64) {
    write_id(out, &[load_id, table], "\0", row);
}

/// dlt's hash of a text (`digest128` in `dlt/common/utils.py`): root rows of tables that are merged by key or
/// kept in versions have it as their id, of their key or of the whole record.
#[must_use]
pub fn text_id(text: &[u8]) -> String {
    let mut hash = Shake128::default();
    hash.update(text);
    let mut digest = [0_u8; ID_BYTES];
    hash.finalize_xof().read(&mut digest);
    let mut id = String::with_capacity(ROW_ID_LEN);
    push_base64(&mut id, digest);
    id
}

const ID_BYTES: usize = 10;

fn write_id(out: &mut String, names: &[&str; 2], separator: &str, index: u64) {
    let mut hash = Shake128::default();
    for name in names {
        hash.update(name.as_bytes());
        hash.update(separator.as_bytes());
    }
    let mut digits = [0_u8; 20];
    hash.update(decimal(index, &mut digits));
    let mut digest = [0_u8; ID_BYTES];
    hash.finalize_xof().read(&mut digest);
    push_base64(out, digest);
}

fn push_base64(out: &mut String, digest: [u8; ID_BYTES]) {
    let mut encoded = [0_u8; ROW_ID_LEN];
    // Cannot fail: 10 bytes are 14 characters, and base64 is ASCII.
    let written = STANDARD_NO_PAD.encode_slice(digest, &mut encoded).unwrap_or(0);
    out.push_str(std::str::from_utf8(&encoded[..written]).unwrap_or_default());
}

/// The decimal digits of `value`, written at the end of `buffer`: 20 digits hold any `u64`.
fn decimal(mut value: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    for place in buffer.iter_mut().rev() {
        // The cast is exact: the remainder is below ten.
        *place = b'0' + (value % 10) as u8;
        value /= 10;
        start -= 1;
        if value == 0 {
            break;
        }
    }
    &buffer[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_id_is_the_one_dlt_computes() {
        assert_eq!(nested_row_id("parent", "t__l", 0), "uxWb6dg6v/+spA");
    }

    #[test]
    fn a_key_and_a_record_have_the_ids_dlt_computes() {
        let pairs = [
            (r#"{"id":1}"#, "z5jIxXIbUnmbKw"),
            (r#"{"id":2}"#, "M6/KlLzJ2FeV/w"),
            (r#"{"a":"x","b":1}"#, "t8htE3Gr5XylGw"),
            (r#"{"id":1,"v":1}"#, "LUMPmT/OVz+TPg"),
        ];
        for (text, id) in pairs {
            assert_eq!(text_id(text.as_bytes()), id, "{text}");
        }
    }

    #[test]
    fn ids_are_appended() {
        let mut out = String::from("x");
        write_nested_row_id(&mut out, "parent", "t__l", 0);
        assert_eq!(out, "xuxWb6dg6v/+spA");
    }

    #[test]
    fn root_ids_are_reproducible_and_differ() {
        let id = root_row_id("1704067200.5", "t", 12);
        assert_eq!(id.len(), ROW_ID_LEN);
        assert_eq!(id, root_row_id("1704067200.5", "t", 12));
        let others = [
            root_row_id("1704067200.5", "t", 1),
            root_row_id("1704067200.5", "t_1", 2),
            root_row_id("1704067200.5_t", "1", 2),
            nested_row_id("1704067200.5", "t", 12),
        ];
        assert!(others.iter().all(|other| *other != id));
    }

    #[test]
    fn every_index_has_its_digits() {
        let mut buffer = [0_u8; 20];
        for value in [0, 9, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(decimal(value, &mut buffer), value.to_string().as_bytes());
        }
    }
}
