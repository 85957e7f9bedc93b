//! What must hold for any input; called by `fuzz/` for a long time and by `tests/fuzz_short.rs` in
//! every test run. Each panics when it does not hold.

use longshore_core::json::Tape;
use longshore_core::naming;
use longshore_core::normalize::{Offsets, OnError, RecordBytes, Settings, Shape, normalize};
use longshore_core::package::LoadId;
use longshore_core::schema::{Schema, SystemColumns};

/// Reads any bytes as JSON records, in both modes: nothing panics, root rows and rejects add up to
/// the records read, and all batches have their tables' columns.
pub fn json(bytes: &[u8]) {
    for system in [SystemColumns::Native, SystemColumns::Dlt] {
        let mut shape = Shape::new(Schema::new("fuzz", system), Settings::new("t", system));
        let block = RecordBytes { bytes, records: None, pages: true };
        let Ok(block) = normalize(&mut shape, &mut Tape::default(), block, OnError::Reject) else {
            panic!("an error although bad records are rejected");
        };
        let (read, rejected) = (block.read, block.rejects.len() as u64);
        assert!(
            block.rejects.iter().all(|r| r.range.start < r.range.end && r.range.end <= bytes.len()),
            "a reject outside the input"
        );
        let batches = block.assemble(&shape, &LoadId::from_micros(1, system), &Offsets::default());
        let roots: usize = batches.iter().filter(|b| b.table.parent.is_none()).map(|b| b.rows.num_rows()).sum();
        assert_eq!(roots as u64 + rejected, read, "records were lost or doubled");
    }
}

/// Names any text: nothing panics, a name normalised again stays, and shortening keeps its limit.
pub fn naming(text: &str) {
    if let Some(name) = naming::normalize_identifier(text) {
        assert!(!name.is_empty());
    }
    let key = naming::normalize_key(text);
    assert!(!key.is_empty(), "a key without a name");
    assert_eq!(naming::normalize_key(&key), key, "a name that changes when it is normalised again");
    for max in [6, 20, 63] {
        assert!(naming::shorten(&key, text, max).chars().count() <= max);
    }
}
