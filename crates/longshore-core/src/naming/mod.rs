//! dlt's `snake_case` naming convention: identifiers, paths, keys and table names.
//!
//! Source of the rules: `dlt/common/normalizers/naming/snake_case.py`, `naming.py` beside it and
//! `dlt/common/normalizers/json/helpers.py` (1.31.0). Lengths count characters (code points),
//! as Python's `len`; a maximum of 0 means unlimited, as in dlt.

mod shortening;

pub use shortening::{shorten, shorten_fragments, tag, variant_name};

use crate::error::{Error, Result};
use crate::values::python_chars::{digit_value, strip};

/// What separates the parts of a flattened column and of a nested table name.
pub const PATH_SEPARATOR: &str = "__";

/// The name of a JSON key that has no name of its own (dlt's `EMPTY_KEY_IDENTIFIER`).
pub const EMPTY_KEY: &str = "_empty";

/// The unshortened normalised form of one identifier (`normalize_identifier`).
///
/// `None` where dlt raises `ValueError`: `raw` is empty or only white space.
#[must_use]
pub fn normalize_identifier(raw: &str) -> Option<String> {
    let identifier = strip(raw);
    (!identifier.is_empty()).then(|| to_snake_case(identifier))
}

/// Checks the name of a pipeline, which becomes a folder's and a part of tables' names: letters, digits, `_`, `-` and
/// `.` inside.
///
/// # Errors
/// When it cannot be one.
pub fn check_pipeline_name(name: &str) -> Result<()> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(good) {
        return Err(Error::config(format!("'{name}' cannot name a pipeline"))
            .hint("use letters, digits, '_', '-' and '.', at most 100"));
    }
    Ok(())
}

/// The unshortened normalised form of a path (`normalize_path`, and `normalize_tables_path`,
/// which is the same for this convention).
///
/// Split on `__`, blank parts dropped, the others normalised and joined. Empty when no part is
/// left, as for `__`.
#[must_use]
pub fn normalize_path(raw: &str) -> String {
    normalize_path_within(raw, 0)
}

/// The normalised form of a path, shortened to `max_len` as dlt does it.
///
/// This is not always `shorten(&normalize_path(raw), raw, max_len)`: dlt shortens each part by
/// itself first, so a path of one part takes its tag from that part alone, without the white
/// space and the `__` around it.
#[must_use]
pub fn normalize_path_within(raw: &str, max_len: usize) -> String {
    let mut path = String::with_capacity(raw.len() + 4);
    for part in raw.split(PATH_SEPARATOR).map(strip).filter(|part| !part.is_empty()) {
        if !path.is_empty() {
            path.push_str(PATH_SEPARATOR);
        }
        path.push_str(&shorten(&to_snake_case(part), part, max_len));
    }
    shorten(&path, raw, max_len)
}

/// The unshortened column name of a JSON key: `normalize_path`, as dlt's JSON normaliser applies
/// with `use_break_path_on_normalize` (on by default).
///
/// An empty or blank key is `_empty`. A key of only `__` and white space has the empty name in
/// dlt: a scalar under it ends the pipeline, an object or list under it falls together with what
/// it is in. Here such a key is `_empty` too.
#[must_use]
pub fn normalize_key(raw: &str) -> String {
    normalize_key_within(raw, 0)
}

/// [`normalize_key`] shortened to `max_len`, see [`normalize_path_within`].
#[must_use]
pub fn normalize_key_within(raw: &str, max_len: usize) -> String {
    or_empty_key(normalize_path_within(raw, max_len))
}

/// The column of a field that is named with dots between its keys: `user.id` is `user__id`, as is `user__id` itself.
/// `None` when a key is blank.
#[must_use]
pub fn field_column(field: &str) -> Option<String> {
    let is_named = field.split('.').all(|key| !key.trim().is_empty());
    is_named.then(|| field.split('.').map(normalize_key).collect::<Vec<_>>().join(PATH_SEPARATOR))
}

/// The unshortened name of a table, or of a list's part of a nested table name
/// (`normalize_table_identifier`).
///
/// dlt gives a blank name the empty text: no table can be called that, and the elements of a list
/// under a blank key become rows of the parent's own table. Here it is `_empty`.
#[must_use]
pub fn normalize_table_name(raw: &str) -> String {
    normalize_table_name_within(raw, 0)
}

/// [`normalize_table_name`] shortened to `max_len`, see [`normalize_path_within`].
#[must_use]
pub fn normalize_table_name_within(raw: &str, max_len: usize) -> String {
    or_empty_key(normalize_path_within(raw, max_len))
}

fn or_empty_key(name: String) -> String {
    if name.is_empty() { EMPTY_KEY.to_owned() } else { name }
}

fn to_snake_case(identifier: &str) -> String {
    let mut name = break_words(&reduce_alphabet(identifier));
    if name.chars().next().is_some_and(|first| digit_value(first).is_some()) {
        name.insert(0, '_');
    }
    end_with_x_and_collapse(&name)
}

/// Only ASCII letters, digits and `_`: five signs have a stand-in, a run of others is one `_`.
fn reduce_alphabet(identifier: &str) -> String {
    let mut reduced = String::with_capacity(identifier.len());
    let mut in_run = false;
    for c in identifier.chars() {
        let kept = match c {
            '+' | '*' => Some('x'),
            '-' | '_' => Some('_'),
            '@' => Some('a'),
            '|' => Some('l'),
            _ if c.is_ascii_alphabetic() || digit_value(c).is_some() => Some(c),
            _ => None,
        };
        match kept {
            Some(kept) => reduced.push(kept),
            None if in_run => {}
            None => reduced.push('_'),
        }
        in_run = kept.is_none();
    }
    reduced
}

/// Lower case, with `_` before each capital that begins a word.
///
/// dlt does it in two passes of regular expressions: a capital before a small letter is split
/// from anything but `_`, then a capital after a small letter or ASCII digit is. What a match
/// consumes never hides another one (only small letters follow its capital), so one pass that
/// looks at both neighbours does the same. Nothing but ASCII has an upper case here, so ASCII
/// lower case is Python's `lower`.
fn break_words(reduced: &str) -> String {
    let mut broken = String::with_capacity(reduced.len() + 8);
    let mut previous: Option<char> = None;
    let mut rest = reduced.chars().peekable();
    while let Some(c) = rest.next() {
        if let Some(before) = previous.filter(|&before| before != '_')
            && c.is_ascii_uppercase()
        {
            let begins_word = rest.peek().is_some_and(char::is_ascii_lowercase);
            if begins_word || before.is_ascii_lowercase() || before.is_ascii_digit() {
                broken.push('_');
            }
        }
        broken.push(c.to_ascii_lowercase());
        previous = Some(c);
    }
    broken
}

/// Each trailing `_` becomes `x`, other runs of `_` become one.
fn end_with_x_and_collapse(name: &str) -> String {
    let body = name.trim_end_matches('_');
    let mut ended = String::with_capacity(name.len());
    for c in body.chars() {
        if c != '_' || !ended.ends_with('_') {
            ended.push(c);
        }
    }
    ended.extend(std::iter::repeat_n('x', name.len() - body.len()));
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs and what `normalize_identifier` makes of them, obtained by running dlt.
    const IDENTIFIERS: &str = "\
        Id=id userID=user_id UserID=user_id userId=user_id HTTPResponse=http_response \
        HTTPResponseCode2xx=http_response_code2xx parseXMLFile=parse_xml_file A=a AB=ab aB=a_b \
        ABc=a_bc ABcD=a_bc_d aBCdE=a_b_cd_e iPhone=i_phone eBay2Go=e_bay2_go X1Y2Z3=x1_y2_z3 \
        OAuth2Token=o_auth2_token IPv6Address=i_pv6_address isOK=is_ok \
        MyTable__SubTable=my_table_sub_table __leading=_leading trailing_=trailingx \
        trailing__=trailingxx trailing___=trailingxxx a__b=a_b a___b=a_b _=x __=xx ___=xxx \
        1abc=_1abc 123=_123 9Lives=_9_lives 1stPlace=_1st_place 0x1F=_0x1_f +1=x1 -1=_1 \
        a+b=axb a*b=axb a-b=a_b a@b=aab a|b=alb a+-b=ax_b a.b=a_b a/b=a_b a:b=a_b \
        user@example.com=useraexample_com C++=cxx C#=cx 50%=_50x $price=_price price$=pricex \
        #=x !!!=x %=x %%=x -=x @=a |=l [x]=_xx (x)=_xx \"q\"=_qx x[0]=x_0x ends-=endsx \
        ends--=endsxx --start=_start naïve=na_ve Größe=gr_e ÄÖÜ=x 日本語=x имя=x é=x 😀=x x日本=xx \
        日本x=_x a😀b=a_b ﬁle=_le ٣abc=_٣abc _dlt_id=_dlt_id __dlt_id=_dlt_id";

    fn identifiers() -> impl Iterator<Item = (&'static str, &'static str)> {
        let spaced = [("a b", "a_b"), ("a\tb", "a_b"), (" a b ", "a_b")];
        IDENTIFIERS.split_whitespace().filter_map(|pair| pair.rsplit_once('=')).chain(spaced)
    }

    #[test]
    fn identifiers_are_normalised_as_dlt_does() {
        for (raw, expected) in identifiers() {
            assert_eq!(normalize_identifier(raw).as_deref(), Some(expected), "{raw:?}");
        }
        assert_eq!(normalize_identifier(""), None);
        assert_eq!(normalize_identifier(" \u{1f}\u{3000}"), None);
    }

    #[test]
    fn paths_differ_from_identifiers_only_at_double_underscores() {
        for (raw, expected) in identifiers().filter(|(raw, _)| !raw.contains("__")) {
            assert_eq!(normalize_path(raw), expected, "{raw:?}");
        }
        let paths = [
            ("MyTable__SubTable", "my_table__sub_table"),
            ("__leading", "leading"),
            ("trailing__", "trailing"),
            ("trailing___", "trailing__x"),
            ("a__b", "a__b"),
            ("a___b", "a___b"),
            ("__", ""),
            ("___", "x"),
            ("__dlt_id", "dlt_id"),
            (" ", ""),
        ];
        for (raw, expected) in paths {
            assert_eq!(normalize_path(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_nameless_key_is_empty_key() {
        for raw in ["", " ", "__", " __\t"] {
            assert_eq!(normalize_key(raw), EMPTY_KEY, "{raw:?}");
            assert_eq!(normalize_table_name(raw), EMPTY_KEY, "{raw:?}");
        }
        assert_eq!(normalize_key("userId"), "user_id");
    }

    const LONG: &str = "a_very_long_column_name_that_exceeds_sixty_three_characters_by_some_margin_yes";

    #[test]
    fn long_identifiers_are_shortened_as_dlt_does() {
        let camel = "SomeVeryLongCamelCaseIdentifierWhichWillBeTurnedIntoSnakeCaseAndThenBeShortened";
        let path = "ParentTableNameWithManyWords__ChildTableNameWithManyWords__GrandChildName";
        let sixty_four = "x".repeat(64);
        let with_tag = format!("{}e0hf6w{}", "x".repeat(29), "x".repeat(28));
        let pairs = [
            (LONG, 63, "a_very_long_column_name_that_k9ur9gharacters_by_some_margin_yes"),
            (LONG, 30, "a_very_long_k9ur9ge_margin_yes"),
            (LONG, 20, "a_very_k9ur9ggin_yes"),
            (&sixty_four, 63, &with_tag),
            (camel, 63, "some_very_long_camel_case_idesveofwe_case_and_then_be_shortened"),
            (path, 63, "parent_table_name_with_many_wk9au9amany_words__grand_child_name"),
            ("a_very_long_column_name_for_test", 30, "a_very_long_c5fjagame_for_test"),
        ];
        for (raw, max_len, expected) in pairs {
            assert_eq!(normalize_path_within(raw, max_len), expected, "{raw:?} {max_len}");
        }
    }

    #[test]
    fn the_tag_of_one_part_ignores_what_surrounds_it() {
        let plain = normalize_key_within(LONG, 30);
        assert_eq!(normalize_key_within(&format!(" __{LONG} "), 30), plain);
    }
}
