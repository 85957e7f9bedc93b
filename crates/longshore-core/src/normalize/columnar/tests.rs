use super::*;
use crate::normalize::{FieldPath, Offsets, Settings, TableBatch};
use crate::package::LoadId;
use crate::schema::Schema;
use arrow_array::types::Int32Type;
use arrow_array::{
    BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray, StringArray,
    StructArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array, UnionArray,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::pretty::pretty_format_batches;
use arrow_schema::{Field, Fields, UnionFields};
use std::sync::Arc;

struct Loaded {
    shape: Shape,
    batches: Vec<TableBatch>,
}

fn load(settings: Settings, blocks: &[RecordBatch], before: &str) -> Loaded {
    let mut shape = Shape::new(Schema::new("t", settings.system), settings);
    let mut tape = Tape::default();
    let (load_id, mut offsets) = (LoadId::from_micros(1, SystemColumns::Native), Offsets::default());
    let mut batches = Vec::new();
    let input = RecordBytes { bytes: before.as_bytes(), records: None, pages: true };
    let mut add = |done: NormalizedBlock, shape: &Shape| {
        let first = done.reserve(&mut offsets);
        batches.extend(done.assemble(shape, &load_id, &first));
    };
    add(normalize(&mut shape, &mut tape, input, OnError::Fail).unwrap(), &shape);
    for block in blocks {
        let done = normalize_columns(&mut shape, &mut tape, block, OnError::Fail).unwrap();
        assert_eq!(done.read, block.num_rows() as u64);
        add(done, &shape);
    }
    Loaded { shape, batches }
}

impl Loaded {
    fn types(&self, table: &str) -> String {
        let table = self.shape.schema().table(table).unwrap();
        let data = table.columns.iter().filter(|c| c.role.is_none());
        data.map(|c| format!("{} {}", c.name, c.data_type)).collect::<Vec<_>>().join(", ")
    }

    fn values(&self, table: &str, column: &str) -> Vec<String> {
        let mut values = Vec::new();
        for batch in self.batches.iter().filter(|b| b.table.name == table) {
            let Some(array) = batch.rows.column_by_name(column) else { continue };
            let array = ArrayFormatter::try_new(array, &FormatOptions::new().with_null("-")).unwrap();
            values.extend((0..batch.rows.num_rows()).map(|i| array.value(i).to_string()));
        }
        values
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap()
}

fn settings(unnest: Unnest) -> Settings {
    Settings { unnest, ..Settings::new("t", SystemColumns::Native) }
}

fn nested() -> RecordBatch {
    let lists = vec![Some(vec![Some(1), Some(2)]), None, Some(vec![])];
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    let fields = Fields::from(vec![Field::new("a b", ArrowType::Utf8, true), Field::new("n", ArrowType::Int64, true)]);
    let parts: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("x\"y"), None, Some("z")])),
        Arc::new(Int64Array::from(vec![1, 2, 3])),
    ];
    let structs = StructArray::new(fields, parts, None);
    batch(vec![
        ("Id", Arc::new(Int64Array::from(vec![10, 11, 12]))),
        ("list", Arc::new(list)),
        ("Some Struct", Arc::new(structs)),
    ])
}

#[test]
fn plain_columns_go_over_with_their_types() {
    let rows = batch(vec![
        ("Id", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![Some(1_000), None]))),
        ("price", Arc::new(Decimal128Array::from(vec![7, 8]).with_precision_and_scale(9, 0).unwrap())),
        ("x", Arc::new(Float64Array::from(vec![f64::NAN, 0.5]))),
        ("nothing", arrow_array::new_null_array(&ArrowType::Null, 2)),
    ]);
    let loaded = load(settings(Unnest::Nothing), &[rows.clone(), rows], "");
    assert_eq!(loaded.types("t"), "id bigint, at timestamp, price decimal, x double");
    assert_eq!(loaded.values("t", "at"), ["1970-01-01T00:00:01Z", "-", "1970-01-01T00:00:01Z", "-"]);
    assert_eq!(loaded.values("t", "x"), ["NaN", "0.5", "NaN", "0.5"]);
    assert_eq!(loaded.batches.len(), 2);
}

#[test]
fn nested_columns_stay_json_unless_asked() {
    let loaded = load(settings(Unnest::Nothing), &[nested()], "");
    assert_eq!(loaded.types("t"), "id bigint, list json, some_struct json");
    assert_eq!(loaded.values("t", "list"), ["[1,2]", "-", "[]"]);
    assert_eq!(loaded.values("t", "some_struct")[0], r#"{"a b":"x\"y","n":1}"#);

    let loaded = load(settings(Unnest::All), &[nested()], "");
    assert_eq!(loaded.types("t"), "id bigint, some_struct__a_b text, some_struct__n bigint");
    assert_eq!(loaded.values("t__list", "value"), ["1", "2"]);
    assert_eq!(loaded.values("t", "some_struct__a_b"), ["x\"y", "-", "z"]);

    let loaded = load(settings(Unnest::Columns(vec!["list".to_owned()])), &[nested()], "");
    assert_eq!(loaded.types("t"), "id bigint, some_struct json");
    assert_eq!(loaded.values("t__list", "_parent_id").len(), 2);
    assert_eq!(loaded.values("t", "id"), ["10", "11", "12"]);
}

#[test]
fn what_no_type_holds_is_decided_value_by_value() {
    let rows = batch(vec![
        ("big", Arc::new(UInt64Array::from(vec![1, u64::MAX]))),
        ("price", Arc::new(Decimal128Array::from(vec![1250, 5]).with_precision_and_scale(9, 2).unwrap())),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![1_000, 1_001]))),
    ]);
    let loaded = load(settings(Unnest::Nothing), &[rows], "");
    let shown = pretty_format_batches(&[loaded.batches[0].rows.clone()]).unwrap().to_string();
    for value in ["18446744073709551615", "12.5", "0.05", "000001"] {
        assert!(shown.contains(value), "{value}\n{shown}");
    }
}

#[test]
fn a_column_that_the_table_has_otherwise_is_coerced_or_a_variant() {
    let rows = batch(vec![
        ("a", Arc::new(Int64Array::from(vec![1, 2]))),
        ("b", Arc::new(StringArray::from(vec!["2020-01-01T00:00:00Z", "no time"]))),
    ]);
    let loaded = load(settings(Unnest::Nothing), &[rows], "{\"a\":\"text\",\"b\":\"2020-01-01T00:00:00Z\"}\n");
    assert_eq!(loaded.types("t"), "a text, b timestamp, b__v_text text");
    assert_eq!(loaded.values("t", "a"), ["text", "1", "2"]);
    assert_eq!(loaded.values("t", "b__v_text"), ["-", "no time"]);
}

#[test]
fn names_that_meet_keep_both_values() {
    let fields = Fields::from(vec![Field::new("b", ArrowType::Int64, true)]);
    let inner = StructArray::new(fields, vec![Arc::new(Int64Array::from(vec![3])) as ArrayRef], None);
    let rows = batch(vec![
        ("A", Arc::new(Int64Array::from(vec![1]))),
        ("a", Arc::new(Int64Array::from(vec![2]))),
        ("s__b", Arc::new(Int64Array::from(vec![4]))),
        ("s", Arc::new(inner)),
        ("_row_id", Arc::new(Int64Array::from(vec![5]))),
    ]);
    let loaded = load(settings(Unnest::All), &[rows], "");
    let shown = pretty_format_batches(&[loaded.batches[0].rows.clone()]).unwrap().to_string();
    for value in 1..=5 {
        assert!(shown.contains(&format!("| {value} ")), "{value}\n{shown}");
    }
}

#[test]
fn hints_of_one_column_change_nothing_of_the_others() {
    let rows = batch(vec![
        ("day", Arc::new(Date32Array::from(vec![Some(19_000), None]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![1_000, 2_000]))),
        ("text", Arc::new(StringArray::from(vec!["2020-01-01T00:00:00Z", "b"]))),
        ("bytes", Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b""]))),
        ("small", Arc::new(Float32Array::from(vec![0.1, 2.0]))),
        ("whole", Arc::new(Decimal128Array::from(vec![7, 8]).with_precision_and_scale(9, 0).unwrap())),
        ("list", Arc::new(nested().column(1).slice(0, 2))),
        ("part", Arc::new(nested().column(2).slice(0, 2))),
        ("never", arrow_array::new_null_array(&ArrowType::Int64, 2)),
    ]);
    let free = load(settings(Unnest::Nothing), std::slice::from_ref(&rows), "");
    let mut told = settings(Unnest::Nothing);
    told.rules.ignore = vec![FieldPath::parse("gone").unwrap()];
    let by_json = load(told, &[rows], "{\"later\":1}\n");
    let types = "day date, at timestamp, text text, bytes binary, small double, whole decimal, list json, part json, never bigint";
    assert_eq!(free.types("t"), types);
    assert_eq!(by_json.types("t"), format!("later bigint, {types}"));
    for column in ["day", "at", "text", "bytes", "small", "whole", "list", "part"] {
        assert_eq!(by_json.values("t", column)[..], free.values("t", column)[..], "{column}");
    }
}

#[test]
fn what_is_nested_stays_one_value_in_a_column_of_another_type() {
    let nested = nested();
    let lists = |name| batch(vec![(name, Arc::clone(nested.column(1)))]);
    let loaded = load(settings(Unnest::Nothing), &[lists("a"), lists("n")], "{\"a\":\"x\",\"n\":5}\n");
    assert_eq!(loaded.types("t"), "a text, n bigint, n__v_json json");
    assert_eq!(loaded.values("t", "a")[..4], ["x", "[1,2]", "-", "[]"]);
    assert!(loaded.shape.schema().table("t__a").is_none());
    // Records of JSON are unnested all the same.
    let mut shape = loaded.shape;
    let after = RecordBytes { bytes: b"{\"a\":[3]}\n", records: None, pages: true };
    normalize(&mut shape, &mut Tape::default(), after, OnError::Fail).unwrap();
    assert!(shape.schema().table("t__a").is_some());
}

#[test]
fn a_union_is_the_value_that_it_holds() {
    let fields = UnionFields::from_iter([
        (0, Arc::new(Field::new("n", ArrowType::Int64, true))),
        (1, Arc::new(Field::new("s", ArrowType::Utf8, true))),
    ]);
    let children: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1, 0, 0])), Arc::new(StringArray::from(vec![None, Some("b"), None]))];
    let union = UnionArray::try_new(fields, vec![0, 1, 1].into(), None, children).unwrap();
    let loaded = load(settings(Unnest::Nothing), &[batch(vec![("u", Arc::new(union))])], "");
    assert_eq!(loaded.values("t", "u"), ["1", "\"b\"", "-"]);
}

#[test]
fn unnesting_what_is_flat_is_told() {
    let asked = ["Id", "list", "Some Struct", "none"].map(str::to_owned).to_vec();
    let loaded = load(settings(Unnest::Columns(asked)), &[nested()], "");
    assert_eq!(loaded.shape.vain_unnests(), ["Id"]);
    assert_eq!(loaded.shape.unmet_paths(), ["none"]);
}
