//! The shortening of names that are longer than a destination takes.
//!
//! Source of the rules: `shorten_identifier`, `_compute_tag`, `_trim_and_tag` and
//! `shorten_fragments` in `dlt/common/normalizers/naming/naming.py` (1.31.0). Lengths count
//! characters (code points), as Python's `len`; a maximum of 0 means unlimited.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha3::Shake128;
use sha3::digest::{ExtendableOutput, Update, XofReader};

use super::PATH_SEPARATOR;
use crate::values::python_chars::is_blank;

/// `name`, or if it is longer than `max_len` characters its beginning, a [`tag`] of `tag_source`
/// and its end, together exactly `max_len` characters (`shorten_identifier`).
///
/// Below 6 characters, where dlt fails an assertion, the answer is the beginning of the tag.
#[must_use]
pub fn shorten(name: &str, tag_source: &str, max_len: usize) -> String {
    // Bytes are never fewer than characters, so the cheap test goes first.
    if max_len == 0 || name.len() <= max_len {
        return name.to_owned();
    }
    let length = name.chars().count();
    if length <= max_len {
        return name.to_owned();
    }
    let tag = tag(tag_source);
    let Some(kept) = max_len.checked_sub(TAG_LEN) else {
        return tag.chars().take(max_len).collect();
    };
    let head = name.chars().take(kept.div_ceil(2));
    let tail = name.chars().skip(length - kept / 2);
    head.chain(tag.chars()).chain(tail).collect()
}

/// The 6 characters that stand for `source` in a shortened name (`_compute_tag`): four bytes of
/// SHAKE128 in base64, lower case, with `/` as `a` and `+` as `b`.
#[must_use]
pub fn tag(source: &str) -> String {
    let mut digest = [0_u8; TAG_BYTES];
    let mut hash = Shake128::default();
    hash.update(source.as_bytes());
    hash.finalize_xof().read(&mut digest);
    let encoded = STANDARD_NO_PAD.encode(digest);
    encoded.replace('/', "a").replace('+', "b").to_ascii_lowercase()
}

/// Normalised `fragments` joined with `__` and shortened to `max_len` (`shorten_fragments`).
///
/// Blank fragments are dropped. The tag comes from the joined, unshortened path. Empty when no
/// fragment is left (dlt: `None` for no fragments at all).
#[must_use]
pub fn shorten_fragments(fragments: &[&str], max_len: usize) -> String {
    let mut path = String::with_capacity(fragments.iter().map(|part| part.len() + 2).sum());
    for part in fragments.iter().filter(|part| !is_blank(part)) {
        if !path.is_empty() {
            path.push_str(PATH_SEPARATOR);
        }
        path.push_str(part);
    }
    if max_len == 0 || path.len() <= max_len {
        return path;
    }
    shorten(&path, &path, max_len)
}

/// The name of the column that takes the values of `column` which do not fit its type:
/// `<column>__v_<type_name>`, shortened to `max_len` (`VARIANT_FIELD_FORMAT`).
#[must_use]
pub fn variant_name(column: &str, type_name: &str, max_len: usize) -> String {
    shorten_fragments(&[column, &format!("v_{type_name}")], max_len)
}

const TAG_BYTES: usize = 4;
const TAG_LEN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "a_very_long_column_name_that_exceeds_sixty_three_characters_by_some_margin_yes";

    #[test]
    fn long_paths_are_shortened_once() {
        let nested = ["parent_object", "child_object_value_long"];
        assert_eq!(shorten_fragments(&nested, 30), "parent_objecdcvxyat_value_long");
        // The expectation of the reference: a variant of the already shortened column.
        let variant = variant_name("a_very_long_c5fjagame_for_test", "text", 30);
        assert!(variant.starts_with("a_very_long_") && variant.ends_with("__v_text"));
        let table = ["my_table_name", "list_with_long_name"];
        assert_eq!(shorten_fragments(&table, 30), "my_table_name25ktwth_long_name");
        let child = ["my_table_name", "list_with_long_name", "nested_list_long_name"];
        assert_eq!(shorten_fragments(&child, 30), "my_table_namt2cbrqst_long_name");
        assert_eq!(variant_name("col", "text", 0), "col__v_text");
        assert_eq!(shorten_fragments(&["", " "], 30), "");
    }

    #[test]
    fn lengths_are_characters() {
        assert_eq!(shorten("٣٣٣", "x", 3), "٣٣٣");
        assert_eq!(shorten("٣٣٣٣٣٣٣٣٣", "x", 8).chars().count(), 8);
        assert_eq!(shorten(LONG, LONG, 6), "k9ur9g");
        assert_eq!(shorten(LONG, LONG, 4), "k9ur");
    }
}
