//! Gzip as gzip(1) reads it: members one behind another, and zeros behind the last, with which tapes and some stores fill a
//! block.

use flate2::bufread::GzDecoder;
use std::io::{BufRead, Read, Result};

/// The text of all members.
pub(crate) struct Members<R> {
    /// `None` behind the last member.
    current: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(crate) fn new(packed: R) -> Self {
        Members { current: Some(GzDecoder::new(packed)) }
    }

    /// Where the compressed bytes come from; `None` when all are read.
    pub(crate) fn packed(&self) -> Option<&R> {
        self.current.as_ref().map(GzDecoder::get_ref)
    }

    /// Goes on to the next member, if there is one.
    fn next_member(&mut self) -> Result<()> {
        let Some(ended) = &mut self.current else { return Ok(()) };
        let is_more = skip_zeros(ended.get_mut())?;
        let packed = self.current.take().map(GzDecoder::into_inner);
        self.current = packed.filter(|_| is_more).map(GzDecoder::new);
        Ok(())
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        while let Some(member) = &mut self.current {
            let n = member.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

/// Returns false when there was nothing else.
fn skip_zeros(packed: &mut impl BufRead) -> Result<bool> {
    loop {
        let bytes = packed.fill_buf()?;
        let (len, zeros) = (bytes.len(), bytes.iter().take_while(|b| **b == 0).count());
        packed.consume(zeros);
        if zeros < len || len == 0 {
            return Ok(len > 0);
        }
    }
}
