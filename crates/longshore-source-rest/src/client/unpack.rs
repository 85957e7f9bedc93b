//! Unpacking of answers by what they say they are, in whatever spelling, and by what they are.

use std::io::{self, Read};

/// What is asked for.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// Unpacks a body; `None`: it is larger than `limit`. What does not begin as its encoding does was not encoded, and what is
/// of an encoding that nobody here knows stays as it is.
pub(super) fn unpack(mut body: Vec<u8>, encodings: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    for encoding in encodings.rsplit(',').map(|name| name.trim().to_lowercase()) {
        let unpacked = match encoding.as_str() {
            _ if body.is_empty() => Some(Vec::new()),
            "gzip" | "x-gzip" if is_gzip(&body) => gzip(&body, limit)?,
            "zstd" if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
                bounded(zstd::Decoder::with_buffer(&body[..])?, Vec::new(), limit)?
            }
            // By the standard it is zlib's format; some send it without the frame.
            "deflate" if is_zlib(&body) => bounded(flate2::bufread::ZlibDecoder::new(&body[..]), Vec::new(), limit)?,
            "br" | "deflate" => {
                let unpacked = match encoding.as_str() {
                    "br" => bounded(brotli::Decompressor::new(&body[..], 64 << 10), Vec::new(), limit),
                    _ => bounded(flate2::bufread::DeflateDecoder::new(&body[..]), Vec::new(), limit),
                };
                match unpacked {
                    // These two have no mark at their beginning.
                    Err(_) if is_json(&body) => Some(body),
                    other => other?,
                }
            }
            _ => Some(body),
        };
        match unpacked {
            Some(unpacked) => body = unpacked,
            None => return Ok(None),
        }
    }
    Ok(Some(body))
}

/// All members; what follows the last of them means nothing.
fn gzip(body: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
    let (mut rest, mut out) = (body, Vec::new());
    while is_gzip(rest) {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        match bounded(&mut member, out, limit)? {
            Some(all) => out = all,
            None => return Ok(None),
        }
        rest = member.into_inner();
    }
    Ok(Some(out))
}

fn bounded(reader: impl Read, mut out: Vec<u8>, limit: u64) -> io::Result<Option<Vec<u8>>> {
    // One byte more than is allowed tells that there is more.
    let most = limit.saturating_sub(out.len() as u64).saturating_add(1);
    reader.take(most).read_to_end(&mut out)?;
    Ok((out.len() as u64 <= limit).then_some(out))
}

fn is_gzip(body: &[u8]) -> bool {
    body.starts_with(&[0x1f, 0x8b])
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

fn is_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start(), [b'{' | b'[', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"[{\"id\":1},{\"id\":2}]";

    fn gzipped(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    fn unpacked(body: Vec<u8>, encodings: &str) -> Vec<u8> {
        unpack(body, encodings, 1000).unwrap().unwrap()
    }

    #[test]
    fn encodings_are_known_in_any_spelling_and_number() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(TEXT).unwrap();
        let mut br = Vec::new();
        brotli::CompressorWriter::new(&mut br, 4096, 5, 20).write_all(TEXT).unwrap();
        let halves = |pack: fn(&[u8]) -> Vec<u8>| [pack(&TEXT[..7]), pack(&TEXT[7..])].concat();
        for (body, encodings) in [
            (gzipped(TEXT), "gzip"),
            (gzipped(TEXT), "GZIP"),
            (gzipped(TEXT), "x-gzip"),
            (halves(gzipped), "gzip"),
            ([gzipped(TEXT), vec![0; 20]].concat(), "gzip"),
            (gzipped(&gzipped(TEXT)), "gzip, gzip"),
            (halves(|text| zstd::encode_all(text, 1).unwrap()), "zstd"),
            (zstd::encode_all(&gzipped(TEXT)[..], 1).unwrap(), "gzip, zstd"),
            (br, "br"),
            (zlib.finish().unwrap(), "deflate"),
            (raw.finish().unwrap(), "deflate"),
            // They say so, and it is not true.
            (TEXT.to_vec(), "gzip"),
            (TEXT.to_vec(), "br"),
            (TEXT.to_vec(), "zstd"),
            (TEXT.to_vec(), "deflate"),
            (TEXT.to_vec(), "utf-8"),
            (TEXT.to_vec(), "identity"),
            (TEXT.to_vec(), ""),
        ] {
            assert_eq!(unpacked(body, encodings), TEXT, "{encodings}");
        }
        assert!(unpacked(Vec::new(), "gzip").is_empty());
    }

    #[test]
    fn what_is_cut_is_an_error_and_what_is_too_much_is_not_unpacked() {
        let zstd = zstd::encode_all(TEXT, 1).unwrap();
        let mut br = Vec::new();
        brotli::CompressorWriter::new(&mut br, 4096, 5, 20).write_all(&TEXT.repeat(9)).unwrap();
        for (body, encoding) in [(gzipped(TEXT), "gzip"), (zstd, "zstd"), (br, "br")] {
            for cut in 5..body.len() - 1 {
                assert!(unpack(body[..cut].to_vec(), encoding, 1000).is_err(), "{encoding} at {cut}");
            }
        }
        let mut wrong = gzipped(TEXT);
        let at = wrong.len() - 8;
        wrong[at] ^= 1;
        assert!(unpack(wrong, "gzip", 1000).is_err(), "the check sum");
        let large = vec![b' '; 1001];
        for (body, encoding) in [(gzipped(&large), "gzip"), (zstd::encode_all(&large[..], 1).unwrap(), "zstd")] {
            assert_eq!(unpack(body.clone(), encoding, 1000).unwrap(), None);
            assert_eq!(unpack(body, encoding, 1001).unwrap().unwrap().len(), 1001);
        }
    }
}
