//! What merging asks of records: keys that are there, hashes that tell versions apart.

use super::*;
use crate::schema::{ColumnRole, Disposition, MergeStrategy, Schema, SystemColumns, WriteRules};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use std::sync::Arc;

fn merge(strategy: MergeStrategy, key: &[&str]) -> Settings {
    let primary_key = key.iter().map(|k| (*k).to_owned()).collect();
    let write = WriteRules { disposition: Disposition::Merge, strategy, primary_key, ..WriteRules::default() };
    Settings { write, ..Settings::new("t", SystemColumns::Native) }
}

fn by_key(key: &[&str]) -> Settings {
    merge(MergeStrategy::DeleteInsert, key)
}

fn block(shape: &mut Shape, records: &str, on_error: OnError) -> Result<NormalizedBlock, BadRecord> {
    let bytes = RecordBytes { bytes: records.as_bytes(), records: None, pages: true };
    normalize(shape, &mut Tape::default(), bytes, on_error)
}

fn refused(settings: Settings, records: &str) -> Option<(usize, Cause)> {
    let mut shape = Shape::new(Schema::new("p", SystemColumns::Native), settings);
    let bad = block(&mut shape, records, OnError::Fail).err()?;
    let Fault::Schema(violation) = bad.fault else { panic!("it is JSON") };
    Some((bad.range.start, violation.cause))
}

#[test]
fn a_record_to_be_merged_has_its_whole_key() {
    let records = "{\"id\":1,\"o\":{\"n\":1}}\n{\"o\":{\"n\":2}}";
    assert_eq!(refused(by_key(&["id"]), records), Some((21, Cause::NoKey)));
    assert_eq!(refused(by_key(&["o__n"]), records), None);
    assert_eq!(refused(by_key(&["o__n", "id"]), records), Some((21, Cause::NoKey)));
    assert_eq!(refused(by_key(&["idd"]), records), Some((0, Cause::NoKey)));
    assert_eq!(refused(by_key(&["id"]), "{\"id\":null}"), Some((0, Cause::NoKey)));
    // A key that has gone to another column is no key any more.
    assert_eq!(refused(by_key(&["id"]), "{\"id\":1}\n{\"id\":\"x\"}"), Some((9, Cause::NoKey)));
    // The loader's own columns are always there.
    assert_eq!(refused(by_key(&["_row_id"]), records), None);
    // A group is a key where records meet what is there by it alone.
    let grouped = |strategy, key: &[&str]| {
        let mut settings = merge(strategy, key);
        settings.write.merge_key = vec!["day".to_owned()];
        refused(settings, "{\"id\":1,\"day\":1}\n{\"id\":2,\"day\":null}")
    };
    assert_eq!(grouped(MergeStrategy::DeleteInsert, &[]), Some((17, Cause::NoKey)));
    assert_eq!(grouped(MergeStrategy::Scd2, &[]), Some((17, Cause::NoKey)));
    assert_eq!(grouped(MergeStrategy::DeleteInsert, &["id"]), None);
    assert_eq!(grouped(MergeStrategy::Cdc, &["id"]), None);
    // Who does not merge needs no key.
    let mut append = by_key(&["id"]);
    append.write.disposition = Disposition::Append;
    assert_eq!(refused(append, records), None);
}

#[test]
fn a_key_of_another_type_is_said_to_be_one() {
    let said = |records: &str| {
        let mut shape = Shape::new(Schema::new("p", SystemColumns::Native), by_key(&["id"]));
        let bad = block(&mut shape, records, OnError::Fail).expect_err("it has no key");
        let Fault::Schema(violation) = bad.fault else { panic!("it is JSON") };
        (violation.to_string(), violation.hint())
    };
    let (other, hint) = said("{\"id\":1}\n{\"id\":\"x\"}");
    assert!(other.contains("value is text, which does not fit the bigint column"), "{other}");
    assert!(hint.contains("--hint FIELD=text"), "{hint}");
    // The row before had a value beside the column; this one has none at all.
    let (none, hint) = said("{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":\"x\"}\n{\"n\":1}");
    assert!(none.contains("has no value of it"), "{none}");
    assert!(hint.contains("choose a key"), "{hint}");
}

#[test]
fn records_without_their_key_are_kept_aside_like_malformed_ones() {
    let mut shape = Shape::new(Schema::new("p", SystemColumns::Native), by_key(&["id"]));
    let done = block(&mut shape, "{\"id\":1}\n{\"l\":[1]}\n{\"id\":2}", OnError::Reject).unwrap();
    assert_eq!((done.read, done.rejects.len()), (3, 1));
    let reason = done.rejects[0].reason();
    assert!(reason.contains("in the key") && reason.contains("'id'"), "{reason}");
}

#[test]
fn a_key_that_comes_as_a_whole_column_is_one() {
    let columns = |ids: Vec<Option<i64>>| {
        let names: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; ids.len()]));
        let ids: ArrayRef = Arc::new(Int64Array::from(ids));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("name", names, true)]).unwrap()
    };
    let mut shape = Shape::new(Schema::new("p", SystemColumns::Native), by_key(&["id"]));
    let mut load = |ids| normalize_columns(&mut shape, &mut Tape::default(), &columns(ids), OnError::Fail);
    let done = load(vec![Some(1), Some(2)]).unwrap();
    assert_eq!(done.rows.tables()[0].whole.len(), 2, "it is not looked at value by value");
    assert!(load(vec![Some(1), None]).is_err());
}

/// Hashes of the rows of a load.
fn hashes(schema: &mut Schema, settings: Settings, records: &str) -> Vec<String> {
    let mut shape = Shape::new(schema.clone(), settings);
    let done = block(&mut shape, records, OnError::Fail).unwrap();
    let batches = done.assemble(&shape, &LoadId::from_micros(1, SystemColumns::Native), &Offsets::default());
    *schema = shape.schema().clone();
    let hash = schema.table("t").and_then(|t| t.system(ColumnRole::RowHash)).expect("the table has hashes");
    let of = |b: &TableBatch| b.rows.column_by_name(&hash.name).expect("so has the batch").as_string::<i32>().clone();
    batches
        .iter()
        .filter(|b| b.table.is_root())
        .flat_map(|b| of(b).iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_table_of_versions_has_hashes_however_it_is_written() {
    let mut schema = Schema::new("p", SystemColumns::Native);
    let versions = hashes(&mut schema, merge(MergeStrategy::Scd2, &[]), "{\"id\":1,\"l\":[1]}");
    let mut replace = by_key(&[]);
    replace.write.disposition = Disposition::Replace;
    for settings in [Settings::new("t", SystemColumns::Native), by_key(&["id"]), replace] {
        assert_eq!(hashes(&mut schema, settings, "{\"l\":[1],\"id\":1}"), versions);
    }
    // A field of that name finds another column, and is not lost.
    hashes(&mut schema, Settings::new("t", SystemColumns::Native), "{\"id\":2,\"_row_hash\":\"x\"}");
    assert!(schema.table("t").unwrap().column("_row_hash_source").is_some());
}
