//! Names as parts of paths, and the folders that are the destination's own.

use std::fmt::Write;

/// Longest name that is kept whole in a path: file systems take 255 bytes a name, stores 1024 a key, and
/// some stand-ins for stores only some 180.
const LONGEST: usize = 96;

/// Returns a name as one part of a path: letters, digits, `_` and `-` of any script as they are, the rest
/// (and a leading point) percent-encoded; long names cut, with a hash. A name that the destination's own
/// folders have is changed too.
pub(crate) fn path_safe(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        let plain = c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '+' | '=') || (c == '.' && i > 0);
        if plain && !(i == 0 && OWN_FOLDERS.contains(&name)) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "%{byte:02X}"); // writing to a String cannot fail
            }
        }
    }
    if out.len() > LONGEST {
        let mut cut = LONGEST - 34;
        while !out.is_char_boundary(cut) {
            cut -= 1;
        }
        out.truncate(cut);
        let hash = hex_hash(name);
        let _ = write!(out, "-{}", &hash[..32]);
    }
    out
}

/// Folders of the destination's own in a dataset.
pub(crate) const MANIFESTS: &str = "_manifests";
pub(crate) const PENDING: &str = "_manifests/pending";
pub(crate) const STAGING: &str = "_staging";
pub(super) const OWN_FOLDERS: [&str; 2] = [MANIFESTS, STAGING];
/// Folders of loads, schemas and states, by both names.
pub(super) const RECORDS: [&str; 6] =
    ["_loads", "_schemas", "_state", "_dlt_loads", "_dlt_version", "_dlt_pipeline_state"];

/// Returns 40 small hexadecimal digits that stand for a text.
pub(crate) fn hex_hash(text: &str) -> String {
    let hash = longshore_core::hash::content_hash(text.as_bytes());
    hash.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths() {
        assert_eq!(path_safe("größe"), "größe");
        assert_eq!(path_safe("../a/b"), "%2E.%2Fa%2Fb");
        assert_eq!(path_safe("_manifests"), "%5Fmanifests");
        let (a, b) = (path_safe(&("n".repeat(300) + "a")), path_safe(&("n".repeat(300) + "b")));
        assert!(a.len() <= LONGEST && a != b, "{a}");
    }
}
