//! A response's JSON: its bytes and the tape over them. Values are byte ranges, so numbers and texts stay as
//! they came, and what is not looked at costs nothing.

use longshore_core::json::{Kind, SyntaxError, Tape, unescape};
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

/// Levels that are gone through by recursion. Nobody's paths lead deeper, and an API may send any number of brackets.
pub(crate) const MOST_LEVELS: usize = 256;

/// A parsed document.
#[derive(Debug)]
pub(crate) struct Doc {
    pub(crate) bytes: Vec<u8>,
    tape: Tape,
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Val<'a> {
    doc: &'a Doc,
    at: usize,
}

impl Doc {
    /// Parses a document; nothing but white space may follow it.
    pub(crate) fn parse(mut bytes: Vec<u8>) -> Result<Doc, SyntaxError> {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        // There is a token for every eight bytes or so; a tape that grows is copied, and a large page's is large.
        let mut tape = Tape::with_capacity(bytes.len() / 8);
        let end = tape.parse(&bytes, 0)?;
        match bytes[end..].iter().position(|b| !b.is_ascii_whitespace()) {
            Some(more) => Err(SyntaxError { offset: end + more, message: "unexpected bytes behind the document" }),
            None => Ok(Doc { bytes, tape }),
        }
    }

    pub(crate) fn root(&self) -> Val<'_> {
        self.at(0)
    }

    pub(crate) fn at(&self, at: usize) -> Val<'_> {
        Val { doc: self, at }
    }
}

impl<'a> Val<'a> {
    /// Number of the value in the document, for [`Doc::at`].
    pub(crate) fn index(self) -> usize {
        self.at
    }

    pub(crate) fn kind(self) -> Kind {
        self.doc.tape.nodes()[self.at].kind
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    pub(crate) fn is_list(self) -> bool {
        self.kind() == Kind::Array
    }

    pub(crate) fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    fn is_text(self) -> bool {
        matches!(self.kind(), Kind::Text | Kind::EscapedText)
    }

    fn scalar(self) -> &'a [u8] {
        &self.doc.bytes[self.doc.tape.nodes()[self.at].range()]
    }

    fn past(self) -> usize {
        self.doc.tape.after(self.at)
    }

    /// Elements of a list, or nothing.
    pub(crate) fn elements(self) -> impl Iterator<Item = Val<'a>> {
        let (mut next, end) = if self.is_list() { (self.at + 1, self.past()) } else { (0, 0) };
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let value = self.doc.at(next);
                next = value.past();
                value
            })
        })
    }

    /// Keys and values of an object, or nothing.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Val<'a>, Val<'a>)> {
        let (mut next, end) = if self.is_object() { (self.at + 1, self.past()) } else { (0, 0) };
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let (key, value) = (self.doc.at(next), self.doc.at(next + 1));
                next = value.past();
                (key, value)
            })
        })
    }

    /// The value of a key; of keys that come twice the last, as Python has it.
    pub(crate) fn get(self, key: &str) -> Option<Val<'a>> {
        self.entries().filter(|(k, _)| k.is_key(key)).last().map(|(_, v)| v)
    }

    fn is_key(self, key: &str) -> bool {
        match self.kind() {
            Kind::Text => self.scalar() == key.as_bytes(),
            _ => self.text().is_some_and(|t| t == key),
        }
    }

    /// A text, unescaped; `None` for other kinds.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::Text => Some(String::from_utf8_lossy(self.scalar())),
            Kind::EscapedText => {
                let mut out = Vec::new();
                unescape(self.scalar(), &mut out);
                Some(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
            }
            _ => None,
        }
    }

    /// A text, or a number or truth value as it is written; `None` for null, lists and objects.
    pub(crate) fn plain(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::Null | Kind::Object | Kind::Array => None,
            Kind::Text | Kind::EscapedText => self.text(),
            _ => Some(String::from_utf8_lossy(self.scalar())),
        }
    }

    /// A whole number, also where it is written as a text.
    pub(crate) fn whole(self) -> Option<u64> {
        let text = self.plain()?;
        text.trim().parse().ok().or_else(|| text.trim().strip_suffix(".0")?.parse().ok())
    }

    /// A truth value, also where it is written as a text.
    pub(crate) fn truth(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => longshore_core::values::python_text::str2bool(&self.text()?),
        }
    }

    /// True where Python takes the value for true.
    pub(crate) fn is_truthy(self) -> bool {
        match self.kind() {
            Kind::Null | Kind::False => false,
            Kind::True => true,
            Kind::Text | Kind::EscapedText => !self.scalar().is_empty(),
            Kind::Integer | Kind::Float => self.scalar().iter().any(|b| matches!(b, b'1'..=b'9')),
            Kind::Object | Kind::Array => self.past() > self.at + 1,
        }
    }

    /// Where the value's bytes stand in the document, quotes and brackets included.
    pub(crate) fn range(self) -> Range<usize> {
        let node = self.doc.tape.nodes()[self.at];
        let start = node.start as usize - usize::from(self.is_text());
        if !(self.is_list() || self.is_object()) {
            return start..node.range().end + usize::from(self.is_text());
        }
        // The end of the last value inside, then as many brackets as end with it.
        let (nodes, past) = (self.doc.tape.nodes(), self.past());
        let last = self.doc.at(past - 1);
        let is_open =
            |i: &usize| matches!(nodes[*i].kind, Kind::Object | Kind::Array) && self.doc.tape.after(*i) == past;
        let mut closing = (self.at..past).filter(is_open).count();
        let mut end = match last.kind() {
            Kind::Object | Kind::Array => nodes[past - 1].start as usize + 1,
            _ => last.range().end,
        };
        while closing > 0 {
            closing -= usize::from(matches!(self.doc.bytes[end], b'}' | b']'));
            end += 1;
        }
        start..end
    }

    /// The value as it is written.
    pub(crate) fn raw(self) -> &'a [u8] {
        &self.doc.bytes[self.range()]
    }

    /// The value as it is written, as text.
    pub(crate) fn raw_text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.raw())
    }

    /// The value as a tree; long numbers lose digits, so only for looking at. Null stands for what is deeper than
    /// [`MOST_LEVELS`], and for numbers that are too large.
    pub(crate) fn to_value(self) -> Value {
        // Not all JSON is a value there: 128 levels at most, and no 1e999.
        serde_json::from_slice(self.raw()).unwrap_or_else(|_| self.down_to(MOST_LEVELS))
    }

    fn down_to(self, levels: usize) -> Value {
        match self.kind() {
            Kind::Array | Kind::Object if levels == 0 => Value::Null,
            Kind::Array => self.elements().map(|element| element.down_to(levels - 1)).collect(),
            Kind::Object => {
                let below = |value: Val<'_>| value.down_to(levels - 1);
                self.entries().map(|(key, value)| (key.text().unwrap_or_default(), below(value))).collect()
            }
            _ => serde_json::from_slice(self.raw()).unwrap_or(Value::Null),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_bytes_they_came_in() {
        let text = r#" {"a": [1, {"b": [ ] }, "x\"y" ] , "n": 12345678901234567890.10, "e": {} , "t":true} "#;
        let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
        let a = doc.root().get("a").unwrap();
        assert_eq!(a.raw_text(), r#"[1, {"b": [ ] }, "x\"y" ]"#);
        let parts: Vec<String> = a.elements().map(|v| v.raw_text().into_owned()).collect();
        assert_eq!(parts, ["1", r#"{"b": [ ] }"#, r#""x\"y""#]);
        assert_eq!(doc.root().get("n").unwrap().raw_text(), "12345678901234567890.10");
        assert_eq!(doc.root().get("e").unwrap().raw_text(), "{}");
        assert_eq!(doc.root().raw_text(), text.trim());
        assert_eq!(a.elements().last().unwrap().text().unwrap(), "x\"y");
    }

    #[test]
    fn what_follows_the_document_is_an_error() {
        assert!(Doc::parse(b"{} {}".to_vec()).is_err());
        assert!(Doc::parse(b"{\"a\":".to_vec()).is_err());
    }
}
