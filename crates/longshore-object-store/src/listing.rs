//! Listings with keys that `object_store` has no path for: `a//b`, `/a`, `a/../b`, control characters, and the `a/` by which
//! consoles show a folder. One of them would end a whole listing as an error, or stand in it under another key's name, so they
//! are taken out of the answer before it is read, and told to who wants to know.

use object_store::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The keys that listings had and that cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Unreadable(Arc<Mutex<Vec<String>>>);

impl Unreadable {
    /// Returns them in the order they came in.
    pub fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes such objects out of a listing of S3's, Google's or Azure's; `None` when there are none in it.
    pub(crate) fn take_from(&self, xml: &str) -> Option<String> {
        let (item, key) = if xml.contains("<Blob>") { ("Blob", "Name") } else { ("Contents", "Key") };
        let (open, close) = (format!("<{item}>"), format!("</{item}>"));
        let mut out = String::new();
        let (mut kept, mut at) = (0, 0);
        while let Some(start) = xml[at..].find(&open).map(|n| at + n) {
            let Some(end) = xml[start..].find(&close).map(|n| start + n + close.len()) else { break };
            at = end;
            let object = &xml[start..end];
            let Some(name) = text_of(object, key).map(unescape).filter(|name| !is_readable(name)) else { continue };
            let is_folder =
                name.ends_with('/') && ["Size", "Content-Length"].iter().any(|s| text_of(object, s) == Some("0"));
            if !is_folder {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            }
            out.push_str(&xml[kept..start]);
            kept = end;
        }
        (kept > 0).then(|| out + &xml[kept..])
    }
}

fn is_readable(key: &str) -> bool {
    Path::parse(key).is_ok_and(|path| path.as_ref() == key)
}

fn text_of<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    let start = xml.find(&format!("<{tag}>"))? + tag.len() + 2;
    let len = xml[start..].find('<')?;
    Some(&xml[start..start + len])
}

/// The text of XML without its references; one that is none stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        out.push_str(before);
        let known = behind.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        match known {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = behind;
            }
        }
    }
    out + rest
}

fn character(name: &str) -> Option<char> {
    let number = |digits: &str, base| u32::from_str_radix(digits, base).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#')? {
            hex if hex.starts_with(['x', 'X']) => number(&hex[1..], 16),
            digits => number(digits, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_a_path_are_taken_out_and_told() {
        let object = |key: &str, size: u8| format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>");
        let good = object("a/b &amp; c.json", 1) + &object("a/%2F.json", 1);
        let bad = ["a//b.json", "/a.json", "a/../b.json", "a/b&#x9;c.json", "a&amp;b/"].map(|key| object(key, 1));
        let xml = format!("<List>{}{good}{}{}</List>", object("a/", 0), bad.join("\n"), object("z", 1));
        let unreadable = Unreadable::default();
        assert_eq!(
            unreadable.take_from(&xml).unwrap(),
            format!("<List>{good}{}{}</List>", "\n".repeat(4), object("z", 1))
        );
        assert_eq!(unreadable.keys(), ["a//b.json", "/a.json", "a/../b.json", "a/b\tc.json", "a&b/"]);
        assert!(unreadable.take_from(&format!("<List>{good}</List>")).is_none());
        let azure = "<Blobs><Blob><Name>a//b</Name></Blob><Blob><Name>a/b</Name></Blob></Blobs>";
        assert_eq!(unreadable.take_from(azure).unwrap(), "<Blobs><Blob><Name>a/b</Name></Blob></Blobs>");
    }
}
