//! The tape: a record's tokens in document order, each a kind and a byte range.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number without fraction and exponent.
    Integer,
    /// A number with fraction or exponent.
    Float,
    /// A string or key without backslashes; the range is what stands between the quotes.
    Text,
    /// A string or key with backslashes, raw.
    EscapedText,
    /// `{`; the nodes of its keys and values follow, alternating.
    Object,
    /// `[`; the nodes of its elements follow.
    Array,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// First byte, counted from the start of the buffer given to [`Tape::parse`].
    pub start: u32,
    /// Bytes of a scalar; for an object or array the number of nodes below it, at any depth.
    pub len: u32,
}

impl Node {
    /// Returns the bytes of a scalar.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// Why a record is not JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The offending byte, counted from the start of the buffer.
    pub offset: usize,
    /// What is wrong, in lower case.
    pub message: &'static str,
}

/// What is said of `NaN`, `Infinity` and `-Infinity`, which some programs write as if they were JSON.
pub const NOT_FINITE: &str = "NaN and Infinity are not JSON";

/// A reusable tape. Nesting is bounded by memory only: the reader keeps its own stack.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    open: Vec<u32>,
}

impl Tape {
    /// Returns a tape with room for so many tokens.
    pub fn with_capacity(nodes: usize) -> Tape {
        Tape { nodes: Vec::with_capacity(nodes), open: Vec::new() }
    }

    /// Returns the nodes of the last record; the first is the record itself.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the index of the node that follows the value at `index`.
    pub fn after(&self, index: usize) -> usize {
        let node = self.nodes[index];
        match node.kind {
            Kind::Object | Kind::Array => index + 1 + node.len as usize,
            _ => index + 1,
        }
    }

    /// Reads the value that begins at `start` (or after the white space there) and returns the
    /// offset behind it. Buffers of 4 GiB and more are refused.
    pub fn parse(&mut self, bytes: &[u8], start: usize) -> Result<usize, SyntaxError> {
        self.nodes.clear();
        self.open.clear();
        if bytes.len() >= u32::MAX as usize {
            return error(start, "a record of 4 GiB or more");
        }
        let at = skip_space(bytes, start);
        let end = self.document(bytes, at)?;
        match simdutf8::compat::from_utf8(&bytes[at..end]) {
            Ok(_) => Ok(end),
            Err(e) => error(at + e.valid_up_to(), "invalid UTF-8"),
        }
    }

    fn document(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, SyntaxError> {
        loop {
            let opened = self.nodes.len();
            at = self.value(bytes, at)?;
            if self.nodes[opened].kind == Kind::Object && self.nodes.len() == opened + 1 {
                at = skip_space(bytes, at);
                if bytes.get(at) != Some(&b'}') {
                    self.open.push(opened as u32);
                    at = self.key(bytes, at)?;
                    continue;
                }
                at += 1;
            } else if self.nodes[opened].kind == Kind::Array && self.nodes.len() == opened + 1 {
                at = skip_space(bytes, at);
                if bytes.get(at) != Some(&b']') {
                    self.open.push(opened as u32);
                    continue;
                }
                at += 1;
            }
            match self.separators(bytes, at)? {
                Next::Value(next) => at = next,
                Next::End(end) => return Ok(end),
            }
        }
    }

    /// Closes what ends here, and says whether another value follows.
    #[inline]
    fn separators(&mut self, bytes: &[u8], mut at: usize) -> Result<Next, SyntaxError> {
        loop {
            let Some(&open) = self.open.last() else { return Ok(Next::End(at)) };
            let is_object = self.nodes[open as usize].kind == Kind::Object;
            at = skip_space(bytes, at);
            match bytes.get(at) {
                Some(b',') if is_object => {
                    let at = skip_space(bytes, at + 1);
                    return Ok(Next::Value(self.key(bytes, at)?));
                }
                Some(b',') => return Ok(Next::Value(at + 1)),
                Some(b'}') if is_object => at += 1,
                Some(b']') if !is_object => at += 1,
                None if is_object => return error(at, "the input ends inside an object"),
                None => return error(at, "the input ends inside an array"),
                Some(_) if is_object => return error(at, "expected ',' or '}' after a value in an object"),
                Some(_) => return error(at, "expected ',' or ']' after a value in an array"),
            }
            self.nodes[open as usize].len = (self.nodes.len() - 1 - open as usize) as u32;
            self.open.pop();
        }
    }

    #[inline]
    fn key(&mut self, bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
        match bytes.get(at) {
            Some(b'"') => {}
            None => return error(at, "the input ends inside an object"),
            Some(_) => return error(at, "expected a key in double quotes"),
        }
        let at = skip_space(bytes, self.string(bytes, at + 1)?);
        match bytes.get(at) {
            Some(b':') => Ok(at + 1),
            _ => error(at, "expected ':' after a key"),
        }
    }

    #[inline]
    fn value(&mut self, bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
        let at = skip_space(bytes, at);
        match bytes.get(at) {
            Some(b'"') => self.string(bytes, at + 1),
            Some(b'-' | b'0'..=b'9') => self.number(bytes, at),
            Some(b'{') => Ok(self.push(Kind::Object, at, at, at + 1)),
            Some(b'[') => Ok(self.push(Kind::Array, at, at, at + 1)),
            Some(b't') => self.word(bytes, at, b"true", Kind::True),
            Some(b'f') => self.word(bytes, at, b"false", Kind::False),
            Some(b'n') => self.word(bytes, at, b"null", Kind::Null),
            Some(b'N' | b'I') => error(at, NOT_FINITE),
            Some(b']' | b'}' | b',' | b':') => error(at, "expected a value"),
            Some(b'\'') => error(at, "strings need double quotes"),
            Some(_) => error(at, "no JSON value begins like this"),
            None => error(at, "the input ends where a value should stand"),
        }
    }

    fn word(&mut self, bytes: &[u8], at: usize, word: &[u8], kind: Kind) -> Result<usize, SyntaxError> {
        let end = at + word.len();
        if bytes.get(at..end) == Some(word) && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
            return Ok(self.push(kind, at, end, end));
        }
        error(at, "expected true, false or null")
    }

    #[inline]
    fn number(&mut self, bytes: &[u8], start: usize) -> Result<usize, SyntaxError> {
        let mut at = start + usize::from(bytes[start] == b'-');
        let digits = skip_digits(bytes, at);
        if digits == at {
            let is_infinite = bytes.get(at) == Some(&b'I');
            return error(at, if is_infinite { NOT_FINITE } else { "a number needs digits" });
        }
        if bytes[at] == b'0' && digits > at + 1 {
            return error(at, "a number cannot begin with 0");
        }
        at = digits;
        let mut kind = Kind::Integer;
        if bytes.get(at) == Some(&b'.') {
            kind = Kind::Float;
            let end = skip_digits(bytes, at + 1);
            if end == at + 1 {
                return error(end, "a number needs digits after the point");
            }
            at = end;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            kind = Kind::Float;
            at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let end = skip_digits(bytes, at);
            if end == at {
                return error(end, "a number needs digits after the exponent");
            }
            at = end;
        }
        Ok(self.push(kind, start, at, at))
    }

    /// Reads a string whose opening quote stands before `start`.
    #[inline]
    fn string(&mut self, bytes: &[u8], start: usize) -> Result<usize, SyntaxError> {
        let mut at = start;
        let mut kind = Kind::Text;
        loop {
            at = find_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => return Ok(self.push(kind, start, at, at + 1)),
                Some(b'\\') => {
                    kind = Kind::EscapedText;
                    at = check_escape(bytes, at)?;
                }
                Some(_) => return error(at, "a control character inside a string"),
                None => return error(at, "the input ends inside a string"),
            }
        }
    }

    #[inline]
    fn push(&mut self, kind: Kind, start: usize, end: usize, next: usize) -> usize {
        self.nodes.push(Node { kind, start: start as u32, len: (end - start) as u32 });
        next
    }
}

enum Next {
    Value(usize),
    End(usize),
}

fn error<T>(offset: usize, message: &'static str) -> Result<T, SyntaxError> {
    Err(SyntaxError { offset, message })
}

/// Returns the first offset from `at` on that is not JSON white space.
#[inline]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

#[inline]
fn skip_digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// Returns the offset of the next quote, backslash or control character, eight bytes at a time.
#[inline]
fn find_special(bytes: &[u8], mut at: usize) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest flagged byte is always a true one: a subtraction only borrows upwards.
    let zero_bytes = |x: u64| x.wrapping_sub(LOW) & !x & HIGH;
    while let Some(chunk) = bytes.get(at..).and_then(|b| b.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let found = control | zero_bytes(word ^ (LOW * b'"' as u64)) | zero_bytes(word ^ (LOW * b'\\' as u64));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&b| b >= 0x20 && b != b'"' && b != b'\\') {
        at += 1;
    }
    at
}

fn check_escape(bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => error(at, "\\u needs four hexadecimal digits"),
        },
        Some(_) => error(at, "an unknown escape in a string"),
        None => error(at, "the input ends inside a string"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(usize, Vec<Kind>), SyntaxError> {
        let mut tape = Tape::default();
        let end = tape.parse(text.as_bytes(), 0)?;
        Ok((end, tape.nodes().iter().map(|n| n.kind).collect()))
    }

    #[test]
    fn keeps_tokens_in_document_order_and_stops_behind_the_value() {
        use Kind::*;
        let (end, kinds) = parse(r#" {"a": [1, -2.5e3, {}], "b\n": null} {"next":1}"#).unwrap();
        assert_eq!(end, 36);
        assert_eq!(kinds, [Object, Text, Array, Integer, Float, Object, EscapedText, Null]);
    }

    #[test]
    fn containers_know_their_length() {
        let mut tape = Tape::default();
        tape.parse(br#"[[],[1,[2]],{"a":{}}]"#, 0).unwrap();
        assert_eq!(tape.after(0), tape.nodes().len());
        assert_eq!(tape.after(1), 2);
        assert_eq!(tape.after(2), 6);
    }

    #[test]
    fn says_where_and_what_is_wrong() {
        for (text, offset) in [
            ("{\"a\":1,}", 7),
            ("{\"a\" 1}", 5),
            ("[1 2]", 3),
            ("{\"a\":\"x\ny\"}", 7),
            ("01", 0),
            ("-", 1),
            ("1.", 2),
            ("1e", 2),
            ("nul", 0),
            ("\"\\x\"", 1),
            ("\"\\u12g4\"", 1),
            ("", 0),
            ("{", 1),
            ("[", 1),
            ("[1,", 3),
            ("NaN", 0),
            ("{1:2}", 1),
            ("\"abc", 4),
            ("truex", 0),
            ("'a'", 0),
        ] {
            assert_eq!(parse(text).map_err(|e| e.offset), Err(offset), "{text}");
        }
        for text in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(parse(text).map_err(|e| e.message), Err(NOT_FINITE), "{text}");
        }
        let mut tape = Tape::default();
        assert_eq!(tape.parse(b"\"ab\xff\"", 0).map_err(|e| e.offset), Err(3));
    }

    #[test]
    fn a_hundred_thousand_levels_do_not_overflow_the_stack() {
        let text = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(parse(&text).unwrap().0, 200_000);
    }
}
