//! A writer of compact JSON into a byte buffer, without a tree of values.

use std::io::Write;

/// Commas come by themselves: one is due unless the last byte opened something.
#[derive(Default)]
pub(crate) struct Json {
    pub(crate) buffer: Vec<u8>,
}

impl Json {
    /// Opens a record: an object with nothing before it that would need a comma.
    pub(crate) fn begin_record(&mut self) {
        self.buffer.push(b'{');
    }

    pub(crate) fn begin_object(&mut self) {
        self.comma();
        self.buffer.push(b'{');
    }

    pub(crate) fn end_object(&mut self) {
        self.buffer.push(b'}');
    }

    pub(crate) fn begin_list(&mut self) {
        self.comma();
        self.buffer.push(b'[');
    }

    pub(crate) fn end_list(&mut self) {
        self.buffer.push(b']');
    }

    /// A key without characters that need escapes.
    #[inline]
    pub(crate) fn key(&mut self, name: &str) {
        self.comma();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }

    /// A string, given in parts that are written as they are: they hold no raw quote, backslash or control
    /// character, or are escaped already.
    #[inline]
    pub(crate) fn string(&mut self, parts: &[&str]) {
        self.comma();
        self.buffer.push(b'"');
        for part in parts {
            self.buffer.extend_from_slice(part.as_bytes());
        }
        self.buffer.push(b'"');
    }

    /// A string of a prefix, a number padded with zeros to `width`, and a suffix.
    #[inline]
    pub(crate) fn numbered(&mut self, prefix: &str, number: u64, width: usize, suffix: &str) {
        self.comma();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(prefix.as_bytes());
        self.digits(number, width);
        self.buffer.extend_from_slice(suffix.as_bytes());
        self.buffer.push(b'"');
    }

    /// A string whose inside `write` appends to the buffer.
    #[inline]
    pub(crate) fn string_with(&mut self, write: impl FnOnce(&mut Json)) {
        self.comma();
        self.buffer.push(b'"');
        write(self);
        self.buffer.push(b'"');
    }

    #[inline]
    pub(crate) fn int(&mut self, value: i64) {
        self.comma();
        if value < 0 {
            self.buffer.push(b'-');
        }
        self.digits(value.unsigned_abs(), 1);
    }

    /// `scaled / 10^decimals` as the shortest text that has a point: 4510 with two decimals is `45.1`.
    #[inline]
    pub(crate) fn fixed(&mut self, scaled: i64, decimals: usize) {
        self.comma();
        if scaled < 0 {
            self.buffer.push(b'-');
        }
        self.digits(scaled.unsigned_abs(), decimals + 1);
        let point = self.buffer.len() - decimals;
        self.buffer.push(b'0');
        self.buffer.copy_within(point..point + decimals, point + 1);
        self.buffer[point] = b'.';
        let shortest = self.buffer.len() - (decimals - 1);
        while self.buffer.len() > shortest && self.buffer.last() == Some(&b'0') {
            self.buffer.pop();
        }
    }

    /// The shortest text that reads back as the same `f64`.
    pub(crate) fn float(&mut self, value: f64) {
        self.comma();
        write!(self.buffer, "{value:?}").expect("writing to memory");
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.comma();
        self.buffer.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn null(&mut self) {
        self.comma();
        self.buffer.extend_from_slice(b"null");
    }

    /// Bare digits, no comma before them.
    #[inline]
    pub(crate) fn digits(&mut self, mut number: u64, width: usize) {
        let mut text = [b'0'; 20];
        let mut at = text.len();
        while number >= 100 {
            at -= 2;
            text[at..at + 2].copy_from_slice(pair(number % 100));
            number /= 100;
        }
        if number >= 10 {
            at -= 2;
            text[at..at + 2].copy_from_slice(pair(number));
        } else if number > 0 {
            at -= 1;
            text[at] = b'0' + number as u8;
        }
        at = at.min(text.len() - width);
        self.buffer.extend_from_slice(&text[at..]);
    }

    #[inline]
    fn comma(&mut self) {
        if !matches!(self.buffer.last(), None | Some(b'{' | b'[' | b':')) {
            self.buffer.push(b',');
        }
    }
}

/// The two digits of a number below 100.
#[inline]
fn pair(number: u64) -> &'static [u8] {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut i = 0;
        while i < 100 {
            pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
            i += 1;
        }
        pairs
    };
    &PAIRS[number as usize]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a panic is how a test fails
mod tests {
    use super::Json;

    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        write(&mut json);
        String::from_utf8(json.buffer).unwrap()
    }

    #[test]
    fn fixed_point_numbers_are_as_short_as_they_can_be() {
        assert_eq!(written(|j| j.fixed(4510, 2)), "45.1");
        assert_eq!(written(|j| j.fixed(4500, 2)), "45.0");
        assert_eq!(written(|j| j.fixed(-7, 2)), "-0.07");
        assert_eq!(written(|j| j.fixed(-74_529_498, 6)), "-74.529498");
    }

    #[test]
    fn commas_stand_between_values_only() {
        let text = written(|j| {
            j.begin_record();
            j.key("a");
            j.begin_list();
            j.int(1);
            j.int(-20);
            j.begin_list();
            j.end_list();
            j.end_list();
            j.key("b");
            j.string(&["x{", "["]);
            j.key("c");
            j.float(1e21);
            j.end_object();
        });
        assert_eq!(text, r#"{"a":[1,-20,[]],"b":"x{[","c":1e21}"#);
    }
}
