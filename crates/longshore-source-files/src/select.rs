//! The JSONPath of `--select`, compiled so that it can be followed in one pass.

use crate::error::{Error, Result};

/// A parsed path. Follow it from the root with `root` and `child`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    text: String,
    steps: Vec<Step>,
    /// Steps that match every child.
    any: u64,
    /// Steps behind `..`: they stay in force for everything below.
    deep: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Any,
    Key(Vec<u8>),
    Index(u64),
}

/// How a child is reached from its parent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Child<'a> {
    Key(&'a [u8]),
    Index(u64),
}

/// The steps that may come next below one value, one bit per step; the bit after the last
/// step says that the value itself is selected.
pub(crate) type Steps = u64;

impl Select {
    /// Parses `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*` and the same behind `..`.
    ///
    /// # Errors
    /// [`Error::Path`] for anything else; it marks the position.
    pub fn parse(path: &str) -> Result<Select> {
        let chars: Vec<char> = path.chars().collect();
        let mut parser = Parser { path, chars: &chars, at: 0 };
        if !parser.eat('$') {
            return Err(parser.fail("a path begins with $"));
        }
        let mut select = Select { text: path.to_owned(), steps: Vec::new(), any: 0, deep: 0 };
        while parser.at < chars.len() {
            let (deep, step) = parser.step()?;
            let bit = 1 << select.steps.len();
            select.deep |= if deep { bit } else { 0 };
            select.any |= if step == Step::Any { bit } else { 0 };
            select.steps.push(step);
            if select.steps.len() > 60 {
                return Err(parser.fail("a path has at most 60 steps, this one goes on"));
            }
        }
        Ok(select)
    }

    /// The path as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn root(&self) -> Steps {
        1
    }

    pub(crate) fn selects(&self, steps: Steps) -> bool {
        steps >> self.steps.len() & 1 == 1
    }

    /// Whether the path goes on with every child of a value that has `steps`.
    pub(crate) fn takes_all(&self, steps: Steps) -> bool {
        steps & self.any != 0
    }

    /// The steps in force below a child of a value that has `steps`.
    #[inline]
    pub(crate) fn child(&self, steps: Steps, child: Child<'_>) -> Steps {
        let mut next = (steps & self.any) << 1 | (steps & self.deep);
        let mut named = steps & !self.any;
        while named != 0 {
            let bit = named.trailing_zeros() as usize;
            named &= named - 1;
            let hit = match (self.steps.get(bit), child) {
                (Some(Step::Key(want)), Child::Key(key)) => want == key,
                (Some(Step::Index(want)), Child::Index(index)) => *want == index,
                _ => false,
            };
            next |= u64::from(hit) << (bit + 1);
        }
        next
    }

    /// The path of every element, used for inputs without a path whose top level is an array.
    pub(crate) fn elements() -> Select {
        Select { text: "$[*]".to_owned(), steps: vec![Step::Any], any: 1, deep: 0 }
    }
}

struct Parser<'a> {
    path: &'a str,
    chars: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn step(&mut self) -> Result<(bool, Step)> {
        if self.eat('[') {
            return Ok((false, self.bracket()?));
        }
        if !self.eat('.') {
            return Err(self.fail("expected . or ["));
        }
        let deep = self.eat('.');
        if deep && self.eat('[') {
            return Ok((true, self.bracket()?));
        }
        if self.eat('*') {
            return Ok((deep, Step::Any));
        }
        Ok((deep, Step::Key(self.name()?)))
    }

    fn name(&mut self) -> Result<Vec<u8>> {
        let start = self.at;
        while let Some(c) = self.peek() {
            if matches!(c, '.' | '[') {
                break;
            }
            let plain = c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | '#');
            if !plain || (c == '@' && self.at != start) {
                return Err(self.fail("this character needs quotes, as in ['odd key'],"));
            }
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fail("expected a name or *"));
        }
        let name: String = self.chars[start..self.at].iter().collect();
        Ok(name.into_bytes())
    }

    /// What stands between `[` and `]`.
    fn bracket(&mut self) -> Result<Step> {
        let step = match self.peek() {
            Some('*') => {
                self.at += 1;
                Step::Any
            }
            Some(quote @ ('\'' | '"')) => Step::Key(self.quoted(quote)?),
            Some('0'..='9') => Step::Index(self.index()?),
            Some('-') => return Err(self.fail("an index from the end is not supported")),
            Some('?') => return Err(self.fail("a filter is not supported")),
            Some('(') => return Err(self.fail("a script is not supported")),
            Some(':') => return Err(self.fail("a slice is not supported")),
            _ => return Err(self.fail("expected *, a number or a quoted name")),
        };
        match self.peek() {
            Some(']') => self.at += 1,
            Some(',') => return Err(self.fail("a union is not supported")),
            Some(':') => return Err(self.fail("a slice is not supported")),
            _ => return Err(self.fail("expected ]")),
        }
        Ok(step)
    }

    fn quoted(&mut self, quote: char) -> Result<Vec<u8>> {
        self.at += 1;
        let mut name = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == quote {
                return Ok(name.into_bytes());
            }
            let c = if c == '\\' {
                let next = self.peek().ok_or_else(|| self.fail("expected a character after \\"))?;
                if !matches!(next, '\\' | '\'' | '"' | '/') {
                    return Err(self.fail("only \\\\, \\' and \\\" can be escaped; write the character itself,"));
                }
                self.at += 1;
                next
            } else {
                c
            };
            name.push(c);
        }
        Err(self.fail("the quoted name is not closed"))
    }

    fn index(&mut self) -> Result<u64> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let next = value.checked_mul(10).and_then(|v| v.checked_add(digit.into()));
            let Some(next) = next else {
                self.at = start;
                return Err(self.fail("the index is too large"));
            };
            value = next;
            self.at += 1;
        }
        Ok(value)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let hit = self.peek() == Some(c);
        self.at += usize::from(hit);
        hit
    }

    fn fail(&self, reason: &'static str) -> Error {
        Error::Path { path: self.path.to_owned(), at: self.at + 1, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_cannot_do_and_where() {
        for (path, at, reason) in [
            ("data", 1, "begins with $"),
            ("", 1, "begins with $"),
            ("$data", 2, "expected . or ["),
            ("$.data[?(@.x)]", 8, "filter"),
            ("$.data[1:2]", 9, "slice"),
            ("$.data[:2]", 8, "slice"),
            ("$['a','b']", 6, "union"),
            ("$[-1]", 3, "from the end"),
            ("$.a.", 5, "expected a name"),
            ("$.a b", 4, "needs quotes"),
            ("$['a", 5, "not closed"),
            ("$[99999999999999999999]", 3, "too large"),
        ] {
            let error = Select::parse(path).unwrap_err();
            let Error::Path { at: found, .. } = error else { panic!("{error}") };
            assert_eq!(found, at, "{path}");
            assert!(error.to_string().contains(reason), "{path}: {error}");
        }
    }

    #[test]
    fn follows_steps() {
        let select = Select::parse("$.a..b[2]").unwrap();
        let a = select.child(select.root(), Child::Key(b"a"));
        let x = select.child(a, Child::Key(b"x"));
        let b = select.child(x, Child::Key(b"b"));
        assert!(select.selects(select.child(b, Child::Index(2))));
        assert!(!select.selects(select.child(b, Child::Index(1))));
        assert_eq!(select.child(select.root(), Child::Key(b"b")), 0);
    }

    #[test]
    fn takes_odd_names() {
        for path in ["$['odd key'][*]", "$[\"odd key\"].*", "$.größe", "$['it\\'s']", "$"] {
            assert_eq!(Select::parse(path).unwrap().as_str(), path);
        }
    }
}
