//! Contracts, type conflicts, shapes by path and limits, as data.

use super::*;
use crate::package::DiscardCount;
use crate::schema::{Conflict, Contract, ContractMode, DataType, Schema, SystemColumns};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType as ArrowType;
use proptest::prelude::*;

/// A pipeline's loads, block by block.
struct Loads {
    schema: Schema,
    shape: Option<Shape>,
    batches: Vec<TableBatch>,
    discards: Vec<DiscardCount>,
    rejects: Vec<String>,
    /// Records read, discarded and rejected.
    counts: (u64, u64, u64),
}

impl Loads {
    fn new(system: SystemColumns) -> Self {
        let schema = Schema::new("p", system);
        Loads { schema, shape: None, batches: vec![], discards: vec![], rejects: vec![], counts: (0, 0, 0) }
    }

    /// Begins a load by these settings.
    fn load(&mut self, settings: Settings) -> &mut Self {
        self.shape = Some(Shape::new(self.schema.clone(), settings));
        self
    }

    fn block(&mut self, records: &str) -> Result<(), BadRecord> {
        let shape = self.shape.as_mut().expect("a load was begun");
        let bytes = RecordBytes { bytes: records.as_bytes(), records: None, pages: true };
        let mut done = normalize(shape, &mut Tape::default(), bytes, OnError::Fail)?;
        let rejects = std::mem::take(&mut done.rejects);
        self.rejects.extend(rejects.iter().map(|b| format!("{} <- {}", &records[b.range.clone()], b.reason())));
        let (read, discarded, rejected) = &mut self.counts;
        *read += done.read;
        *discarded += done.discarded;
        *rejected += rejects.len() as u64;
        for lost in &done.discards {
            DiscardCount::add(&mut self.discards, &lost.table, lost.rows, lost.values);
        }
        let load_id = LoadId::from_micros(1_577_836_800_000_000, SystemColumns::Native);
        self.batches.extend(done.assemble(shape, &load_id, &Offsets::default()));
        self.schema = shape.schema().clone();
        Ok(())
    }

    fn rows(&self, table: &str) -> usize {
        self.batches.iter().filter(|b| b.table.name == table).map(|b| b.rows.num_rows()).sum()
    }

    fn columns(&self, table: &str) -> Vec<(String, DataType)> {
        let columns = self.schema.table(table).map_or(&[][..], |t| &t.columns);
        columns.iter().filter(|c| c.role.is_none()).map(|c| (c.name.clone(), c.data_type)).collect()
    }

    /// The batches of a table with the types the columns have at the end.
    fn cast(&self, table: &str) -> Vec<RecordBatch> {
        let whole = self.schema.table(table).expect("a known table");
        let own = self.batches.iter().filter(|b| b.table.name == table);
        own.map(|b| cast_batch(&b.rows, whole).expect("every value keeps its value")).collect()
    }
}

fn settings(system: SystemColumns, rules: SchemaRules) -> Settings {
    Settings { rules, ..Settings::new("t", system) }
}

fn contract(text: &str) -> SchemaRules {
    SchemaRules { contract: Some(Contract::parse(text).unwrap()), ..SchemaRules::default() }
}

fn policy(policy: Conflict) -> SchemaRules {
    SchemaRules { on_type_conflict: Some(policy), can_widen: true, ..SchemaRules::default() }
}

const KNOWN: &str = r#"{"id":1,"l":[{"a":1}]}"#;
const NEW: &str = r#"{"id":2,"q":1,"l":[{"a":2,"z":1},{"a":3}],"m":[1,2]}
{"id":"x","l":[{"a":4}]}
{"id":3,"l":[{"a":"y"}]}
{"id":4,"l":[{"a":5}]}"#;

/// Rows of `t`, `t__l`, `t__m`; rows and values discarded; records discarded and rejected: what dlt 1.31 was seen to do.
#[test]
fn every_entity_in_every_mode() {
    for system in [SystemColumns::Native, SystemColumns::Dlt] {
        for (text, rows, lost, records) in [
            ("evolve", (5, 6, 2), (0, 0), (0, 0)),
            ("tables=discard_row", (5, 6, 0), (2, 0), (0, 0)),
            ("tables=discard_value", (5, 6, 0), (2, 0), (0, 0)),
            ("tables=reject", (4, 4, 0), (0, 0), (0, 1)),
            ("columns=discard_row", (4, 4, 0), (1, 0), (1, 0)),
            ("columns=discard_value", (5, 6, 2), (0, 2), (0, 0)),
            ("columns=reject", (4, 4, 0), (0, 0), (0, 1)),
            ("data_type=discard_row", (4, 4, 2), (2, 0), (1, 0)),
            ("data_type=discard_value", (5, 6, 2), (0, 2), (0, 0)),
            ("data_type=reject", (3, 4, 2), (0, 0), (0, 2)),
        ] {
            let mut loads = Loads::new(system);
            loads.load(settings(system, SchemaRules::default())).block(KNOWN).unwrap();
            loads.load(settings(system, contract(text))).block(NEW).unwrap();
            let found = (loads.rows("t"), loads.rows("t__l"), loads.rows("t__m"));
            assert_eq!(found, rows, "{text} {system:?}");
            let sum = |of: fn(&DiscardCount) -> u64| loads.discards.iter().map(of).sum::<u64>();
            assert_eq!((sum(|d| d.rows), sum(|d| d.values)), lost, "{text} {system:?}");
            assert_eq!((loads.counts.1, loads.counts.2), records, "{text} {system:?}");
            assert_eq!(loads.counts.0, 5);
        }
    }
}

#[test]
fn a_frozen_schema_refuses_and_says_where() {
    for (text, message) in [
        ("tables=freeze", "'t__m' would be (m)"),
        ("columns=freeze", "'q' would be (q)"),
        ("data_type=freeze", "a text value does not fit the bigint column 'id' of 't' (id)"),
        ("freeze", "'q' would be (q)"),
    ] {
        let mut loads = Loads::new(SystemColumns::Native);
        loads.load(settings(SystemColumns::Native, SchemaRules::default())).block(KNOWN).unwrap();
        let bad = loads.load(settings(SystemColumns::Native, contract(text))).block(NEW).unwrap_err();
        assert!(bad.reason().contains(message), "{text}: {}", bad.reason());
        assert!(NEW[bad.range].starts_with("{\"id\":"), "{text}");
    }
}

#[test]
fn a_new_table_adds_its_columns_in_its_first_load() {
    let two = r#"{"id":1,"l":[{"a":1},{"a":2,"b":3}]} {"id":2,"x":1}"#;
    let names = |loads: &Loads, table: &str| loads.columns(table).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
    // In dlt a child table has the columns of its first row.
    for (system, child) in [(SystemColumns::Native, vec!["a", "b"]), (SystemColumns::Dlt, vec!["a"])] {
        let mut loads = Loads::new(system);
        loads.load(settings(system, contract("columns=discard_value"))).block(two).unwrap();
        assert_eq!(
            (names(&loads, "t"), names(&loads, "t__l")),
            (vec!["id".into(), "x".into()], child.iter().map(|c| (*c).to_owned()).collect())
        );
        loads.load(settings(system, contract("columns=discard_value"))).block(r#"{"id":3,"y":1}"#).unwrap();
        assert_eq!(names(&loads, "t"), ["id", "x"]);
    }
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(settings(SystemColumns::Native, contract("tables=discard_row"))).block("{\"a\":1} {\"a\":2}").unwrap();
    assert_eq!((loads.counts, loads.schema.tables.len()), ((2, 2, 0), 0));
}

#[test]
fn contracts_of_child_tables_hold_below_them() {
    let mut rules = contract("columns=freeze");
    rules.table_contracts = vec![(FieldPath::parse("l").unwrap(), Contract::parse("discard_value").unwrap())];
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(settings(SystemColumns::Native, SchemaRules::default())).block(KNOWN).unwrap();
    loads.load(settings(SystemColumns::Native, rules)).block(r#"{"id":2,"l":[{"a":2,"z":1,"m":[1]}]}"#).unwrap();
    assert_eq!(
        loads.discards,
        [
            DiscardCount { table: "t__l".into(), rows: 0, values: 1 },
            DiscardCount { table: "t__l__m".into(), rows: 1, values: 0 }
        ]
    );
}

#[test]
fn rejected_records_are_whole_and_have_their_reason() {
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(settings(SystemColumns::Native, SchemaRules::default())).block(KNOWN).unwrap();
    loads.load(settings(SystemColumns::Native, contract("reject")));
    loads.block("[ {\"id\":2,\"l\":[{\"a\":1},{\"b\":[]}, {\"b\":2}]} , \"text\" , {\"id\":3} , {\"q\":1} ]").unwrap();
    let records: Vec<&str> = loads.rejects.iter().map(|r| r.split(" <- ").next().unwrap()).collect();
    assert_eq!(records, ["{\"id\":2,\"l\":[{\"a\":1},{\"b\":[]}, {\"b\":2}]}", "\"text\"", "{\"q\":1}"]);
    assert_eq!((loads.rows("t"), loads.rows("t__l")), (2, 1));
}

#[test]
fn whole_numbers_become_wider_where_every_value_stays_what_it_is() {
    for (first, second, v) in [
        ("9007199254740992", "0.5", vec![("v", DataType::Double)]),
        ("9007199254740993", "0.5", vec![("v", DataType::Bigint), ("v__v_double", DataType::Double)]),
        ("1", "18446744073709551616", vec![("v", DataType::Decimal)]),
        ("0.5", "9007199254740993", vec![("v", DataType::Double), ("v__v_bigint", DataType::Bigint)]),
        ("1", "0.1234567890123456789012", vec![("v", DataType::Bigint), ("v__v_text", DataType::Text)]),
        ("true", "1", vec![("v", DataType::Bool), ("v__v_bigint", DataType::Bigint)]),
    ] {
        for several in [false, true] {
            let mut loads = Loads::new(SystemColumns::Native);
            loads.load(settings(SystemColumns::Native, policy(Conflict::Widen)));
            let (a, b) = (format!("{{\"v\":{first}}}"), format!("{{\"v\":{second}}}"));
            if several {
                loads.block(&a).unwrap();
                loads.load(settings(SystemColumns::Native, policy(Conflict::Widen))).block(&b).unwrap();
            } else {
                loads.block(&format!("{a}{b}")).unwrap();
            }
            let v: Vec<(String, DataType)> = v.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect();
            assert_eq!(loads.columns("t"), v, "{first} {second}");
        }
    }
}

#[test]
fn a_destination_that_cannot_widen_gets_variants() {
    for (policy, column) in
        [(Conflict::Widen, "v__v_double"), (Conflict::Text, "v__v_text"), (Conflict::Json, "v__v_json")]
    {
        let rules = SchemaRules { on_type_conflict: Some(policy), ..SchemaRules::default() };
        let mut loads = Loads::new(SystemColumns::Native);
        loads.load(settings(SystemColumns::Native, rules)).block("{\"v\":1} {\"v\":0.5}").unwrap();
        assert_eq!(loads.columns("t")[1].0, column);
    }
}

#[test]
fn a_named_type_stays_and_a_hint_says_what_becomes_of_others() {
    let mut named = settings(SystemColumns::Native, SchemaRules { can_widen: true, ..SchemaRules::default() });
    named.add_hint("v=bigint").unwrap();
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(named).block("{\"v\":1} {\"v\":0.5}").unwrap();
    assert_eq!(loads.columns("t").len(), 2);
    let mut rejecting = settings(SystemColumns::Native, SchemaRules::default());
    rejecting.add_hint("v=bigint:on_type_conflict=reject").unwrap();
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(rejecting).block("{\"v\":1,\"w\":1} {\"v\":0.5} {\"v\":2,\"w\":\"x\"}").unwrap();
    assert_eq!((loads.columns("t").len(), loads.rows("t"), loads.rejects.len()), (3, 2, 1));
}

#[test]
fn paths_are_left_out_or_flattened() {
    let rules = SchemaRules {
        ignore: vec![FieldPath::parse("secret").unwrap(), FieldPath::parse("l.x").unwrap()],
        flatten: vec![FieldPath::parse("at").unwrap()],
        ..SchemaRules::default()
    };
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(settings(SystemColumns::Native, rules));
    loads.block(r#"{"secret":{"a":[1]},"l":[{"x":1,"y":2}],"at":[1.5,{"z":2},[3]]}"#).unwrap();
    let names: Vec<String> = loads.columns("t").into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["at___0", "at___1__z"]);
    let tables: Vec<&str> = loads.schema.tables.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(tables, ["t", "t__l", "t__at___2"]);
    assert_eq!(loads.columns("t__l").len(), 1);
}

#[test]
fn elements_become_columns_in_their_order() {
    let rules = SchemaRules { flatten: vec![FieldPath::parse("l").unwrap()], ..SchemaRules::default() };
    let mut loads = Loads::new(SystemColumns::Native);
    let mut hinted = settings(SystemColumns::Native, rules);
    hinted.add_hint("l.1.x=text").unwrap();
    loads.load(hinted).block(r#"{"l":[{"x":1,"y":{"z":1}},{"x":2},{"x":3}]}"#).unwrap();
    let columns = loads.columns("t");
    let columns: Vec<(&str, DataType)> = columns.iter().map(|(name, of)| (name.as_str(), *of)).collect();
    let (number, text) = (DataType::Bigint, DataType::Text);
    assert_eq!(columns, [("l___0__x", number), ("l___0__y__z", number), ("l___1__x", text), ("l___2__x", number)]);
}

/// What dlt 1.31 was seen to do: a column's type decides, and no longer the hint of an earlier load.
#[test]
fn a_json_column_takes_what_is_nested_in_later_loads_too() {
    for system in [SystemColumns::Native, SystemColumns::Dlt] {
        let mut json = settings(system, SchemaRules::default());
        for path in ["v", "o.w", "l.z", "é"] {
            json.json_columns.push(FieldPath::parse(path).unwrap());
        }
        let mut loads = Loads::new(system);
        loads.load(json).block(r#"{"v":{"a":1},"o":{"w":[1]},"l":[{"z":1}],"é":{"a":1}}"#).unwrap();
        let before = loads.schema.clone();
        loads.load(settings(system, SchemaRules::default()));
        loads.block(r#"{"v":[1,{"b":2}],"o":{"w":{"c":1}},"l":[{"z":[3]}],"é":[1]}"#).unwrap();
        assert_eq!(loads.schema, before, "{system:?}");
        let last = |table: &str, column: &str| {
            let rows = &loads.batches.iter().rfind(|b| b.table.name == table).unwrap().rows;
            rows.column_by_name(column).unwrap().as_string::<i32>().value(0).to_owned()
        };
        assert_eq!((last("t", "v"), last("t", "o__w")), (r#"[1,{"b":2}]"#.into(), r#"{"c":1}"#.into()));
        assert_eq!((last("t__l", "z"), last("t", "x")), ("[3]".into(), "[1]".into()));
    }
}

/// Blocks that know of the change and blocks that do not would differ.
#[test]
fn a_column_that_becomes_json_within_a_load_takes_nothing_nested_in_it() {
    let mut loads = Loads::new(SystemColumns::Native);
    loads.load(settings(SystemColumns::Native, policy(Conflict::Json)));
    loads.block("{\"v\":1} {\"v\":\"x\"}").unwrap();
    loads.block("{\"v\":{\"a\":1}}").unwrap();
    let names: Vec<String> = loads.columns("t").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["v", "v__a"]);
    loads.load(settings(SystemColumns::Native, policy(Conflict::Json)));
    loads.block("{\"v\":{\"b\":1}} {\"v\":[2]}").unwrap();
    assert_eq!((loads.columns("t").len(), loads.schema.tables.len()), (2, 1));
}

#[test]
fn limits_name_the_path() {
    let few = |tables, columns| SchemaRules { max_tables: tables, max_columns: columns, ..SchemaRules::default() };
    for (rules, input, message) in [
        (few(2, 100), r#"{"a":[1],"b":{"c":[1]}}"#, "more than 2 tables: 't__b__c' is one too many (b.c)"),
        (few(9, 3), r#"{"a":1,"b":2,"c":3,"d":{"e":4}}"#, "more than 3 columns: 'd__e' is one too many (d.e)"),
    ] {
        let bad =
            Loads::new(SystemColumns::Native).load(settings(SystemColumns::Native, rules)).block(input).unwrap_err();
        assert!(bad.reason().contains(message), "{}", bad.reason());
    }
}

#[test]
fn fields_that_must_be_there_are_asked_for() {
    let mut strict = settings(SystemColumns::Native, SchemaRules::default());
    strict.add_hint("id=bigint:not_null:name=number").unwrap();
    strict.add_hint("l.sku=text:not_null").unwrap();
    for (input, fine) in [
        (r#"{"id":1,"l":[{"sku":"a"}]}"#, true),
        (r#"{"x":1}"#, false),
        (r#"{"id":null}"#, false),
        (r#"{"id":1,"l":[{"sku":"a"},{"x":1}]}"#, false),
    ] {
        let mut loads = Loads::new(SystemColumns::Native);
        assert_eq!(loads.load(strict.clone()).block(input).is_ok(), fine, "{input}");
        if fine {
            assert_eq!(loads.columns("t")[0].0, "number");
            assert!(loads.load(settings(SystemColumns::Native, SchemaRules::default())).block("{\"x\":1}").is_err());
        }
    }
}

/// The text of the one value a row has in a column and its variants.
fn only_value(columns: &[(String, DataType, ArrayRef)], row: usize) -> Option<(DataType, String)> {
    let mut found = columns.iter().filter(|(_, _, array)| array.is_valid(row));
    let (_, data_type, array) = found.next()?;
    assert!(found.next().is_none(), "a value stands in two columns");
    let text = match array.data_type() {
        ArrowType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        ArrowType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
        ArrowType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row).to_string(),
        ArrowType::Boolean => array.as_boolean().value(row).to_string(),
        _ => array.as_string::<i32>().value(row).to_owned(),
    };
    Some((*data_type, text))
}

fn is_same(put: &str, (data_type, got): &(DataType, String)) -> bool {
    let plain = put.trim_matches('"');
    match data_type {
        DataType::Text if put == "true" => got == "True",
        DataType::Text | DataType::Json if put.starts_with('"') => got.trim_matches('"') == plain,
        // A whole number is the same as the double that holds it, digit by digit.
        _ if put.contains(['.', 'e']) => got.parse::<f64>() == put.parse::<f64>(),
        DataType::Double => got.parse::<f64>().is_ok_and(|d| d as i128 == put.parse::<i128>().unwrap_or(i128::MIN)),
        _ => got == plain || (got.ends_with(".0") && got.trim_end_matches(".0") == plain),
    }
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (-5i64..5).prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => Just("9007199254740993".to_owned()),
        1 => Just("18446744073709551616".to_owned()),
        2 => (-8i32..8).prop_map(|n| format!("{:?}", f64::from(n) / 4.0)),
        1 => Just("true".to_owned()),
        1 => "[a-z]{0,3}".prop_map(|text| format!("\"{text}\"")),
        1 => Just("null".to_owned()),
    ]
}

proptest! {
    #[test]
    fn values_come_back_under_every_policy(
        blocks in prop::collection::vec(prop::collection::vec(scalar(), 0..6), 1..6),
        chosen in 0usize..4,
    ) {
        let chosen = [Conflict::Variant, Conflict::Widen, Conflict::Text, Conflict::Json][chosen];
        let mut loads = Loads::new(SystemColumns::Native);
        for block in &blocks {
            loads.load(settings(SystemColumns::Native, policy(chosen)));
            loads.block(&block.iter().map(|v| format!("{{\"v\":{v}}}")).collect::<String>()).unwrap();
        }
        let put: Vec<&String> = blocks.iter().flatten().collect();
        let mut got = Vec::new();
        if loads.schema.table("t").is_some() {
            for batch in loads.cast("t") {
                let columns: Vec<_> = loads.columns("t").into_iter().filter_map(|(name, data_type)| {
                    let array = std::sync::Arc::clone(batch.column_by_name(&name)?);
                    Some((name, data_type, array))
                }).collect();
                got.extend((0..batch.num_rows()).map(|row| only_value(&columns, row)));
            }
        }
        prop_assert_eq!(put.len(), got.len());
        for (put, got) in put.into_iter().zip(&got) {
            match got {
                None => prop_assert_eq!(put, "null"),
                Some(got) => prop_assert!(is_same(put, got), "{} {:?}", put, got),
            }
        }
    }

    #[test]
    fn counts_add_up_under_policies_that_discard(
        records in prop::collection::vec((scalar(), prop::collection::vec(scalar(), 0..3)), 0..12),
        mode in 0usize..3,
    ) {
        let mode = [ContractMode::DiscardRow, ContractMode::DiscardValue, ContractMode::Reject][mode];
        let rules = SchemaRules { contract: Some(Contract::all(mode)), ..SchemaRules::default() };
        let mut loads = Loads::new(SystemColumns::Native);
        loads.load(settings(SystemColumns::Native, SchemaRules::default())).block("{\"v\":1,\"l\":[1]}").unwrap();
        let text: String = records.iter().map(|(v, l)| format!("{{\"v\":{v},\"l\":[{}]}}", l.join(","))).collect();
        loads.load(settings(SystemColumns::Native, rules)).block(&text).unwrap();
        let (read, discarded, rejected) = loads.counts;
        prop_assert_eq!(read, records.len() as u64 + 1);
        prop_assert_eq!(loads.rows("t") as u64, read - discarded - rejected);
        let lost: u64 = loads.discards.iter().filter(|d| d.table == "t").map(|d| d.rows).sum();
        prop_assert_eq!(lost, discarded);
        prop_assert_eq!(loads.columns("t").len() + loads.columns("t__l").len(), 2);
    }
}

#[test]
fn columns_of_hints_are_made_without_values_but_no_keys_and_nothing_a_contract_bars() {
    let hints = [("never", DataType::Date), ("k", DataType::Bigint), ("a.b", DataType::Text), ("n", DataType::Double)];
    let hints: Vec<_> = hints.iter().map(|(path, t)| (FieldPath::parse(path).unwrap(), *t)).collect();
    let mut keyed = settings(SystemColumns::Dlt, SchemaRules::default());
    keyed.hints = hints.clone();
    keyed.write.primary_key = vec!["k".to_owned()];
    let mut loads = Loads::new(SystemColumns::Dlt);
    loads.load(keyed).block(r#"{"n": 1}"#).unwrap();
    assert_eq!(loads.shape.as_mut().unwrap().make_unmet_columns(), ["never"]);
    let mut plain = settings(SystemColumns::Dlt, SchemaRules::default());
    plain.hints = hints.clone();
    let mut loads = Loads::new(SystemColumns::Dlt);
    loads.load(plain.clone()).block(r#"{"n": 1}"#).unwrap();
    let shape = loads.shape.as_mut().unwrap();
    assert_eq!(shape.unmet_paths(), ["never", "k", "a.b"]);
    assert_eq!(shape.make_unmet_columns(), ["never", "k"]);
    assert!(shape.make_unmet_columns().is_empty() && shape.unmet_paths() == ["a.b"]);
    loads.schema = shape.schema().clone();
    let columns = loads.columns("t");
    assert!(columns.contains(&("never".to_owned(), DataType::Date)), "{columns:?}");

    // A resource without records makes nothing, and a table that is there only what its contract lets it.
    let mut none = Loads::new(SystemColumns::Dlt);
    assert!(none.load(plain.clone()).shape.as_mut().unwrap().make_unmet_columns().is_empty());
    plain.hints.push((FieldPath::parse("late").unwrap(), DataType::Text));
    plain.rules = contract("columns=freeze");
    loads.load(plain).block(r#"{"n": 2}"#).unwrap();
    assert!(loads.shape.as_mut().unwrap().make_unmet_columns().is_empty());
}
