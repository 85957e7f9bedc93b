use super::*;
use crate::normalize::{Offsets, Settings, TableBatch};
use crate::package::LoadId;
use crate::schema::Schema;
use arrow_array::types::Int32Type;
use arrow_array::{
    Decimal128Array, Float64Array, Int64Array, ListArray, StringArray, StructArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::pretty::pretty_format_batches;
use arrow_schema::{Field, Fields};
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
