//! Reads the names of members on the way of a path.

use memchr::memchr2;

use super::{FaultKind, State, Stop, Walker};
use crate::select::Child;
use crate::skim::Skimmed;
use crate::value::Value;

impl Walker {
    pub(super) fn name(&mut self, byte: u8, buf: &[u8], eof: bool) -> Option<Stop> {
        if byte != b'"' {
            return Some(self.fault(FaultKind::Stray("a name in quotes")));
        }
        let start = self.pos + 1;
        let end = match memchr2(b'"', b'\\', &buf[start..]) {
            Some(n) if buf[start + n] == b'"' => start + n,
            // `run` finds the closing quote itself, so an end is at least one byte further.
            _ => match Value::begin(b'"').run::<true>(buf, self.pos, eof) {
                Skimmed::End(end) => end - 1,
                Skimmed::More if !eof => return Some(Stop::More),
                Skimmed::More => return Some(self.fault(FaultKind::Ended)),
                Skimmed::BrokenString(at) => {
                    self.pos = at;
                    return Some(self.fault(FaultKind::BrokenString));
                }
            },
        };
        let steps = self.frames.last().map_or(0, |frame| frame.steps);
        let name = &buf[start..end];
        let steps = if name.contains(&b'\\') {
            let plain = unescape(name);
            self.select.child(steps, Child::Key(&plain))
        } else {
            self.select.child(steps, Child::Key(name))
        };
        self.pos = end + 1;
        self.state = State::Colon(steps);
        None
    }
}

/// A name without its escapes. What is no valid escape is left out: it then matches nothing a
/// path can say, and the parser is not asked.
fn unescape(name: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(name);
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        let unit = match chars.next() {
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD)
            }
            Some(c @ ('"' | '\\' | '/')) => c as u16,
            _ => 0xFFFD,
        };
        units.push(unit);
    }
    String::from_utf16_lossy(&units).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes() {
        for (name, expected) in [
            (r#"a\\b\"\/\n"#, "a\\b\"/\n"),
            (r"\u00e9\uD83D\ude00", "\u{e9}\u{1F600}"),
            (r"\u12\q\", "\u{FFFD}\u{FFFD}"),
        ] {
            let found = unescape(name.as_bytes());
            assert_eq!(String::from_utf8(found).as_deref(), Ok(expected));
        }
    }
}
