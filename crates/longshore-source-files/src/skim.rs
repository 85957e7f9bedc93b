//! Finds the end of a JSON object or array at memory speed, 64 bytes a step.

/// How far a value has been walked; kept between buffers so a long value is read once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skim {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

/// What `Skim::run` met first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Skimmed {
    /// One past the bracket that closes the value.
    End(usize),
    /// A raw line feed inside a string, which valid JSON cannot hold.
    BrokenString(usize),
    /// The buffer ended first: call again with the bytes that follow.
    More,
}

/// One bit per byte of a 64-byte step, lowest bit first.
struct Marks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

impl Skim {
    /// Walks `buf[from..]`. A new walk must start at the opening bracket of the value.
    /// `LINES` turns on the check for line feeds in strings.
    pub(crate) fn run<const LINES: bool>(&mut self, buf: &[u8], from: usize) -> Skimmed {
        let rest = buf.get(from..).unwrap_or_default();
        let (steps, tail) = rest.as_chunks::<64>();
        for (index, step) in steps.iter().enumerate() {
            if let Some(found) = self.step::<LINES>(step, 64, from + index * 64) {
                return found;
            }
        }
        if tail.is_empty() {
            return Skimmed::More;
        }
        let mut padded = [b' '; 64];
        padded[..tail.len()].copy_from_slice(tail);
        self.step::<LINES>(&padded, tail.len(), buf.len() - tail.len()).unwrap_or(Skimmed::More)
    }

    #[inline(always)]
    fn step<const LINES: bool>(&mut self, bytes: &[u8; 64], len: usize, at: usize) -> Option<Skimmed> {
        let marks = mark(bytes);
        let escaped = self.escapes(marks.backslash, len);
        let mut inside = running_parity(marks.quote & !escaped);
        if self.in_string {
            inside = !inside;
        }
        self.in_string = inside >> 63 == 1;
        let open = marks.open & !inside;
        let close = marks.close & !inside;

        let mut end = None;
        let closed = u64::from(close.count_ones());
        if closed < self.depth {
            self.depth = self.depth - closed + u64::from(open.count_ones());
        } else {
            end = self.closing_bit(open, close);
        }
        if LINES {
            let feeds = pick(bytes, 0, b'\n') & inside;
            let bit = feeds.trailing_zeros() as usize;
            if feeds != 0 && end.is_none_or(|e| bit < e) {
                return Some(Skimmed::BrokenString(at + bit));
            }
        }
        end.map(|bit| Skimmed::End(at + bit + 1))
    }

    /// Counts brackets one by one; the bit of the one that brings the depth to nothing.
    fn closing_bit(&mut self, open: u64, close: u64) -> Option<usize> {
        let mut brackets = open | close;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            if open >> bit & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(bit as usize);
                }
            }
            brackets &= brackets - 1;
        }
        None
    }

    /// Bits of the bytes that follow an effective backslash; remembers one past the step's end.
    #[inline(always)]
    fn escapes(&mut self, backslash: u64, len: usize) -> u64 {
        if backslash == 0 && !self.escaped {
            return 0;
        }
        let mut escaped = u64::from(self.escaped);
        let mut left = backslash & !escaped;
        let mut carry = false;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            if bit == 63 {
                carry = true;
            } else {
                escaped |= 2 << bit;
                left &= !escaped;
            }
        }
        self.escaped = if len == 64 { carry } else { escaped >> len & 1 == 1 };
        escaped
    }
}

#[inline(always)]
fn mark(bytes: &[u8; 64]) -> Marks {
    Marks {
        quote: pick(bytes, 0, b'"'),
        backslash: pick(bytes, 0, b'\\'),
        // `[` and `]` differ from `{` and `}` by this one bit, and no other byte collides.
        open: pick(bytes, 0x20, b'{'),
        close: pick(bytes, 0x20, b'}'),
    }
}

/// Bits of the bytes equal to `wanted` after `| fold`. Written so that the compiler turns the
/// compare into vector instructions, and one multiplication adds up eight bytes of bits.
#[inline(always)]
fn pick(bytes: &[u8; 64], fold: u8, wanted: u8) -> u64 {
    const BIT: [u8; 64] = {
        let mut table = [0; 64];
        let mut i = 0;
        while i < 64 {
            table[i] = 1 << (i % 8);
            i += 1;
        }
        table
    };
    let mut hits = [0u8; 64];
    for i in 0..64 {
        hits[i] = if bytes[i] | fold == wanted { BIT[i] } else { 0 };
    }
    let mut mask = 0;
    for (i, eight) in hits.as_chunks::<8>().0.iter().enumerate() {
        let sum = u64::from_le_bytes(*eight).wrapping_mul(0x0101_0101_0101_0101) >> 56;
        mask |= sum << (i * 8);
    }
    mask
}

/// Bit n is set when an odd number of bits up to and including n is.
#[inline(always)]
fn running_parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result must not depend on where the buffer is cut.
    fn skim(text: &str) -> Skimmed {
        let bytes = text.as_bytes();
        let whole = Skim::default().run::<true>(bytes, 0);
        for cut in 1..bytes.len() {
            let mut skim = Skim::default();
            let mut found = skim.run::<true>(&bytes[..cut], 0);
            if found == Skimmed::More {
                found = skim.run::<true>(bytes, cut);
            }
            assert_eq!(found, whole, "cut at {cut} of {text}");
        }
        whole
    }

    #[test]
    fn ends_values_wherever_the_buffer_is_cut() {
        let long = format!(r#"{{"a":"{}\\","b":[{{}},[]]}} x"#, "\\\"]}".repeat(60));
        assert_eq!(skim("{}"), Skimmed::End(2));
        assert_eq!(skim("[[1],{\"]\":2}] ]"), Skimmed::End(13));
        assert_eq!(skim(&long), Skimmed::End(long.len() - 2));
        assert_eq!(skim(r#"["\\"]"#), Skimmed::End(6));
        assert_eq!(skim(r#"["\\\"]"#), Skimmed::More);
        assert_eq!(skim("{\"a\n\":1}"), Skimmed::BrokenString(3));
        assert_eq!(skim("{}\"\n\""), Skimmed::End(2));
    }

    #[test]
    fn a_million_levels_need_no_stack() {
        let deep = ["[".repeat(1_000_000), "]".repeat(1_000_000)].concat();
        let found = Skim::default().run::<false>(deep.as_bytes(), 0);
        assert_eq!(found, Skimmed::End(deep.len()));
    }
}
