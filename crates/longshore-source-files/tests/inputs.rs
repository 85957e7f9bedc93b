//! Files as they come: compressed, cut off, misnamed, several.
#![allow(clippy::unwrap_used)] // a helper that cannot go on has found a flaw

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use longshore_source_files::{BlockReader, Error, Input, Options, Result};

const TEXT: &str = "{\"a\":1}\n{\"a\":2}\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

thread_local! {
    /// Gone when the test, and with it its thread, is over.
    static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap();
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.with(|folder| folder.path().join(name));
    fs::write(&path, bytes).unwrap();
    path
}

fn text(inputs: Vec<Input>, block_bytes: usize) -> Result<String> {
    let options = Options { block_bytes, ..Options::default() };
    let mut reader = BlockReader::new(inputs, options);
    let pool = reader.pool();
    let mut all = Vec::new();
    while let Some(block) = reader.next_block()? {
        all.extend_from_slice(&block.bytes);
        pool.recycle(block.bytes);
    }
    let stats = reader.progress().stats();
    assert_eq!(stats.inputs_done, stats.inputs);
    assert_eq!(stats.text_bytes, all.len() as u64);
    if let Some(total) = stats.total_raw_bytes {
        assert_eq!(stats.raw_bytes, total);
    }
    Ok(String::from_utf8(all).unwrap())
}

#[test]
fn the_content_tells_the_format() {
    let members = [gzip(b"{\"a\":1}\n{\"a\""), gzip(b""), gzip(b":2}\n")].concat();
    let frames = [zstd(b"{\"a\":1}\n{\"a\""), zstd(b":2}\n")].concat();
    let skippable = [b"\x50\x2A\x4D\x18\x03\0\0\0abc".as_slice(), &zstd(TEXT.as_bytes())].concat();
    for (name, bytes) in [
        ("plain.json.gz", TEXT.as_bytes().to_vec()),
        ("gzip.json.zst", gzip(TEXT.as_bytes())),
        ("padded.json.gz", [gzip(TEXT.as_bytes()), vec![0; 1000]].concat()),
        ("members.txt", members),
        ("zstd.json.gz", zstd(TEXT.as_bytes())),
        ("frames", frames),
        ("skippable.json", skippable),
    ] {
        for block in [1, 7, 64, 4 << 20] {
            let found = text(vec![Input::path(file(name, &bytes))], block);
            assert_eq!(found.unwrap(), TEXT, "{name} {block}");
            let drip = Input::reader(name, common::Drip(bytes.clone(), 0));
            assert_eq!(text(vec![drip], block).unwrap(), TEXT, "{name} {block}");
        }
    }
}

#[test]
fn nothing_cut_off_is_taken_as_whole() {
    let long: String = TEXT.repeat(5000);
    for (format, bytes) in [("gzip", gzip(long.as_bytes())), ("zstd", zstd(long.as_bytes()))] {
        for cut in [4, 5, 12, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
            let input = Input::path(file(&format!("cut-{format}"), &bytes[..cut]));
            let error = text(vec![input], 1000).unwrap_err();
            let message = error.to_string();
            assert!(matches!(error, Error::Truncated { .. }), "{format} {cut}: {error:?}");
            assert!(message.contains(&format!("after {cut} compressed bytes")), "{message}");
        }
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 8].fill(0xA5);
        let error = text(vec![Input::path(file("damaged", &damaged))], 1000).unwrap_err();
        // Damage in the right place looks like a length, and then the rest looks cut off.
        let told = matches!(error, Error::Corrupt { .. } | Error::Truncated { .. });
        assert!(told, "{format}: {error:?}");
    }
}

#[test]
fn damage_is_not_said_to_be_where_nobody_looked() {
    let random = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let long: String = (0..20_000).map(|i| format!("{{\"a\":{}}}\n", random(i))).collect();
    let mut bytes = gzip(long.as_bytes());
    bytes[300..400].fill(0xFF);
    match text(vec![Input::path(file("early", &bytes))], 4 << 20).unwrap_err() {
        Error::Corrupt { compressed, .. } => {
            assert!((300..bytes.len() as u64 / 2).contains(&compressed), "{compressed} of {}", bytes.len());
        }
        other => panic!("{other:?}"),
    }
    // What was unpacked before the end is counted, also where one read asked for more.
    let bytes = gzip(long.as_bytes());
    match text(vec![Input::path(file("half", &bytes[..bytes.len() / 2]))], 4 << 20).unwrap_err() {
        Error::Truncated { at, .. } => assert!(at > long.len() as u64 / 4, "{at} of {}", long.len()),
        other => panic!("{other:?}"),
    }
    let behind = [gzip(TEXT.as_bytes()), b"\0\0junk that is no member".to_vec()].concat();
    assert!(matches!(text(vec![Input::path(file("behind", &behind))], 1000), Err(Error::Corrupt { .. })));
}

#[test]
fn compressed_twice_is_said() {
    for (name, bytes, said) in [
        ("a.gz", gzip(&zstd(TEXT.as_bytes())), "zstd inside its gzip; take the outer one off first: gzip -dc a.gz"),
        ("a.zst", zstd(&gzip(TEXT.as_bytes())), "gzip inside its zstd; take the outer one off first: zstd -dc a.zst"),
    ] {
        let error = text(vec![Input::reader(name, common::Drip(bytes, 0))], 64).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn inputs_follow_one_another() {
    let first = file("n1.json", b"{\"a\":1}");
    let empty = file("n2.json", b"");
    let last = file("n3.json", b"\n[1,2]");
    let inputs = [first, empty, last].map(Input::path).into();
    let mut reader = BlockReader::new(inputs, Options::default());
    let mut seen = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        seen.push((block.source.index, block.sequence, block.line));
    }
    assert_eq!(seen, [(0, 0, 1), (2, 1, 1)]);
}

#[test]
fn says_what_cannot_be_read() {
    for (bytes, expected) in [
        (b"\xFF\xFE{\0".as_slice(), "UTF-16"),
        (b"{\0\"\0", "UTF-16LE"),
        (b"\0a\0,", "UTF-16BE"),
        (b"\xFF\xFE\0\0{\0\0\0", "UTF-32"),
        (b"i\0\0\0", "UTF-32LE"),
        (&gzip(b"\xFE\xFF\0{"), "UTF-16"),
    ] {
        let error = text(vec![Input::path(file("wide", bytes))], 1000).unwrap_err();
        assert!(matches!(error, Error::NotUtf8 { encoding, .. } if encoding == expected), "{error}");
        assert!(error.to_string().ends_with(&format!("iconv -f {expected} -t UTF-8")), "{error}");
    }
    let gone = text(vec![Input::path("/nowhere/at/all.json")], 1000).unwrap_err();
    assert!(gone.to_string().starts_with("cannot open /nowhere/at/all.json: "), "{gone}");
}
