use super::*;
use crate::package::{Counts, LoadId, Target};
use crate::schema::{
    Alias, AliasKind, Column, ColumnRole, DataType, DedupSort, Disposition, MergeStrategy, Schema, SchemaChange,
    SystemColumns, Table, WriteRules,
};
use serde_json::json;

/// What dlt 1.31 stored for a pipeline with a merged resource (cursor, child tables, a variant).
const OF_DLT: &str = include_str!("schema_of_dlt.json");
const STATE_OF_DLT: &str = include_str!("state_of_dlt.txt");
const DLT: SystemColumns = SystemColumns::Dlt;

fn merged() -> WriteRules {
    WriteRules { disposition: Disposition::Merge, primary_key: vec!["id".into()], ..WriteRules::default() }
}

fn schema(write: &WriteRules) -> Schema {
    let mut root = Table::new("orders", None);
    root.write = write.clone();
    root.columns = vec![
        Column::data("id", DataType::Bigint),
        Column { variant: true, ..Column::data("id__v_text", DataType::Text) },
        Column::data("much", DataType::Decimal),
        DLT.column(ColumnRole::LoadId),
        DLT.column(ColumnRole::RowId),
    ];
    root.aliases = vec![Alias { path: vec!["Id".into()], name: "id_x".into(), kind: AliasKind::Column }];
    let mut child = Table::new("orders__lines", Some("orders".into()));
    child.write = write.clone();
    child.columns = vec![
        Column::data("sku", DataType::Text),
        DLT.column(ColumnRole::ParentId),
        DLT.column(ColumnRole::ListIndex),
        DLT.column(ColumnRole::RowId),
    ];
    let mut schema = Schema::new("shop", DLT);
    schema.tables = vec![root, child];
    schema
}

fn manifest(schema: Schema, state: Option<Value>) -> Manifest {
    Manifest {
        format: 1,
        load_id: LoadId::from_micros(1_763_826_000_000_000, DLT),
        target: Target { pipeline: "shop_pipeline".into(), dataset: "d".into() },
        fence: Default::default(),
        drops: Vec::new(),
        empties: Vec::new(),
        resources: Vec::new(),
        change: SchemaChange::default(),
        schema,
        state,
        counts: Counts::default(),
        discards: Vec::new(),
        tables: Vec::new(),
        parts: Vec::new(),
    }
}

#[test]
fn a_schema_comes_back_as_it_was() {
    let compound = WriteRules {
        strategy: MergeStrategy::Upsert,
        primary_key: vec!["much".into(), "id".into()],
        hard_delete: Some("gone".into()),
        dedup_sort: Some(DedupSort { column: "id".into(), descending: true }),
        ..merged()
    };
    let scd2 = WriteRules { strategy: MergeStrategy::Scd2, primary_key: Vec::new(), ..merged() };
    let replaced = WriteRules { disposition: Disposition::Replace, ..WriteRules::default() };
    for write in [WriteRules::default(), replaced, merged(), compound, scd2] {
        let schema = schema(&write);
        let document = SchemaDocument::new(&schema, None);
        assert_eq!(from_document(&parse(&document.text).unwrap()).unwrap(), schema);
        let again = SchemaDocument::new(&schema, Some(&parse(&document.text).unwrap()));
        assert!(document.is_new && !again.is_new);
        assert_eq!((again.hash, again.version), (document.hash, 1));
    }
}

#[test]
fn what_dlt_stored_is_read_and_written_back_the_same() {
    let of_dlt = parse(OF_DLT).unwrap();
    let schema = from_document(&of_dlt).unwrap();
    let names: Vec<&str> = schema.tables.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["orders", "plain", "orders__tags", "orders__lines", "orders__lines__l"]);
    assert_eq!((&schema.tables[0].write, &schema.tables[4].write), (&merged(), &merged()));
    assert!(schema.tables[1].column("a__v_text").is_some_and(|c| c.variant));
    // The hash says that nothing at all differs, the order of columns included.
    let document = SchemaDocument::new(&schema, Some(&of_dlt));
    assert_eq!((document.hash.as_str(), document.is_new), (of_dlt["version_hash"].as_str().unwrap(), false));
}

#[test]
fn validity_columns_stay_out_of_the_schema_when_a_table_is_written_otherwise() {
    let scd2 = WriteRules { strategy: MergeStrategy::Scd2, primary_key: Vec::new(), ..merged() };
    let mut before = parse(&SchemaDocument::new(&schema(&scd2), None).text).unwrap();
    for write in [WriteRules::default(), merged(), scd2] {
        let schema = schema(&write);
        let document = SchemaDocument::new(&schema, Some(&before));
        before = parse(&document.text).unwrap();
        assert_eq!(from_document(&before).unwrap(), schema);
        assert!(before["tables"]["orders"]["columns"].get("_dlt_valid_to").is_some(), "dlt knows what is there");
        let again = SchemaDocument::new(&schema, Some(&before));
        assert_eq!((again.is_new, again.hash), (false, document.hash));
    }
}

#[test]
fn a_change_makes_a_version_that_names_the_ones_before() {
    let of_dlt = parse(OF_DLT).unwrap();
    let mut schema = from_document(&of_dlt).unwrap();
    schema.tables[1].columns.push(Column::data("more", DataType::Bool));
    schema.tables.retain(|t| !t.name.starts_with("orders"));
    let document = SchemaDocument::new(&schema, Some(&of_dlt));
    let written = parse(&document.text).unwrap();
    assert_eq!((document.version, document.is_new), (3, true));
    assert_eq!(written["previous_hashes"][0], of_dlt["version_hash"]);
    assert!(written["tables"].get("orders__tags").is_none() && written["tables"].get("_dlt_loads").is_some());
    assert_eq!(written["normalizers"]["json"]["config"]["propagation"]["tables"], json!({}));
}

#[test]
fn a_state_of_dlt_goes_on() {
    let before = decode_state(STATE_OF_DLT).unwrap();
    assert_eq!(schema_names(Some(&before), "shop_pipeline"), ["shop"]);
    let state = state_of(&before).unwrap();
    assert_eq!(
        state["sources"]["shop"]["resources"]["orders"]["incremental"]["at"]["last_value"],
        "2024-01-02T00:00:00Z"
    );
    let made = |state| {
        StateDocument::new(&manifest(schema(&merged()), state), Some(before.clone()), "dlt.destinations.duckdb")
    };
    // dlt's own hash: nothing changed.
    assert_eq!(made(None).unwrap(), None);
    assert_eq!(made(Some(state)).unwrap(), None);
    let next = made(Some(json!({"sources": {"shop": {}}}))).unwrap().unwrap();
    let document = decode_state(&next.text).unwrap();
    assert_eq!((next.version, &document["_version_hash"]), (2, &json!(next.hash)));
    assert_eq!(document["default_schema_name"], "shop");
}

#[test]
fn states_of_every_shape_come_back() {
    for state in
        [json!({}), json!({"cursor": 1}), json!({"sources": {}}), json!({"sources": {}, "more": 1}), json!([1])]
    {
        let made = StateDocument::new(&manifest(schema(&merged()), Some(state.clone())), None, "d").unwrap().unwrap();
        assert_eq!(state_of(&decode_state(&made.text).unwrap()), Some(state));
    }
    let none = StateDocument::new(&manifest(schema(&merged()), None), None, "d").unwrap().unwrap();
    assert_eq!(state_of(&decode_state(&none.text).unwrap()), None);
}

#[test]
fn schemas_are_named_as_dlt_names_them() {
    for (pipeline, name) in
        [("shop_pipeline", "shop"), ("shop", "shop"), ("My-Shop", "my_shop"), ("_pipeline", "_pipeline")]
    {
        assert_eq!(schema_name(pipeline), name);
    }
}
