//! Records of the cases about writing, read back from their three tables: `{"id":…,"v":…,"l":[{"n":…,"m":[…]}]}`.

use super::place::Place;
use crate::rows::Rows;
use longshore_core::Result;
use longshore_core::schema::{ColumnRole, SystemColumns};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Returns the records of table `t`, as JSON texts, sorted, after checking that no child row is without its parent
/// and its root.
pub(super) async fn records(at: &Place, system: SystemColumns) -> Result<Vec<String>> {
    records_of(at, system, &Fields::default()).await
}

/// The same with fields whose types change.
pub(super) async fn records_with(at: &Place, fields: &Fields) -> Result<Vec<String>> {
    records_of(at, SystemColumns::Native, fields).await
}

/// Fields of the records beside the usual ones, whose values may stand in variant columns or have become text.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) names: Vec<String>,
}

impl Fields {
    pub(super) fn of(names: &[&str]) -> Self {
        Fields { names: names.iter().map(|n| (*n).to_owned()).collect() }
    }
}

async fn records_of(at: &Place, system: SystemColumns, fields: &Fields) -> Result<Vec<String>> {
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(at.site.read(at.site.dataset(), table).await?.unwrap_or_default());
    }
    Ok(put_together(tables, system, fields))
}

/// The same through the destination's own query: for cases that look very often.
pub(super) async fn records_by_query(at: &Place, fields: &Fields) -> Result<Vec<String>> {
    let destination = at.open().await?;
    let there: Vec<String> = destination.tables(at.site.dataset()).await?.into_iter().map(|t| t.table).collect();
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(match there.iter().any(|t| t == table) {
            true => {
                Rows::from_batches(&destination.query(at.site.dataset(), &format!("SELECT * FROM {table}")).await?)?
            }
            false => Rows::default(),
        });
    }
    Ok(put_together(tables, SystemColumns::Native, fields))
}

const TABLES: [&str; 3] = ["t", "t__l", "t__l__m"];

fn put_together(tables: Vec<Rows>, system: SystemColumns, fields: &Fields) -> Vec<String> {
    let mut tables = tables.into_iter();
    let mut next = || tables.next().unwrap_or_default();
    let (roots, names) = (next(), Names::of(system));
    let mut lists = children("t__l", next(), &names, &roots);
    let mut inner = children("t__l__m", next(), &names, &lists.rows);
    let mut texts = Vec::new();
    for (id, row) in by_id(&roots, &names) {
        let mut elements = Vec::new();
        for (child, element) in lists.of.remove(&id).unwrap_or_default() {
            let values = inner.of.remove(&child).unwrap_or_default();
            let m: Vec<Value> = values.into_iter().map(|(_, row)| field(&inner.rows, &row, "value")).collect();
            elements.push(json!({ "n": field(&lists.rows, &element, "n"), "m": m }));
        }
        let [id, v] = ["id", "v"].map(|column| field(&roots, &row, column));
        let mut record = json!({ "id": id, "v": v, "l": elements });
        for name in &fields.names {
            record[name] = varied(&roots, &row, name);
        }
        texts.push(record.to_string());
    }
    assert!(lists.of.is_empty(), "rows of t__l whose parents are not there: {:?}", lists.of);
    assert!(inner.of.is_empty(), "rows of t__l__m whose parents are not there: {:?}", inner.of);
    texts.sort();
    texts
}

/// Asserts which records there are, written one after the other; a record without `v` or `l` has null and none.
pub(super) async fn check(at: &Place, system: SystemColumns, expect: &str) -> Result<()> {
    let expect = serde_json::Deserializer::from_str(expect).into_iter::<Value>();
    let mut expect: Vec<String> =
        expect.map(|record| whole(&record.expect("a case writes its records as JSON")).to_string()).collect();
    expect.sort();
    assert_eq!(records(at, system).await?, expect);
    Ok(())
}

/// The record with all its fields.
pub(super) fn whole(record: &Value) -> Value {
    let element = |e: &Value| json!({ "n": e["n"], "m": e["m"].as_array().cloned().unwrap_or_default() });
    let list: Vec<Value> = record["l"].as_array().map(|l| l.iter().map(element).collect()).unwrap_or_default();
    json!({ "id": record["id"], "v": record["v"], "l": list })
}

/// The record with all its fields, and those beside them.
pub(super) fn whole_with(record: &Value, fields: &Fields) -> Value {
    let mut all = whole(record);
    for name in &fields.names {
        all[name] = plain(&record[name]);
    }
    all
}

/// The value of a field, from its column or one beside it.
fn varied(rows: &Rows, row: &[Value], name: &str) -> Value {
    let of_field = |c: &String| c == name || c.strip_prefix(name).is_some_and(|rest| rest.starts_with("__v_"));
    let at: Vec<usize> = (0..rows.columns.len()).filter(|&i| of_field(&rows.columns[i]) && !row[i].is_null()).collect();
    assert!(at.len() < 2, "a record has '{name}' twice: {row:?}");
    at.first().map_or(Value::Null, |&i| plain(&row[i]))
}

/// A number as its shortest digits and a truth value in small letters, whatever column has them.
fn plain(value: &Value) -> Value {
    let text = match value {
        Value::Null => return Value::Null,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.as_str() {
        "True" => "true".into(),
        "False" => "false".into(),
        number => number.strip_suffix(".0").unwrap_or(number).into(),
    }
}

struct Names {
    row_id: String,
    parent_id: String,
    root_id: String,
    position: String,
}

impl Names {
    fn of(system: SystemColumns) -> Self {
        let name = |role| system.column(role).name;
        Names {
            row_id: name(ColumnRole::RowId),
            parent_id: name(ColumnRole::ParentId),
            root_id: name(ColumnRole::RootId),
            position: name(ColumnRole::ListIndex),
        }
    }
}

struct Children {
    rows: Rows,
    /// Rows with their ids by parent, in list order.
    of: HashMap<String, Vec<(String, Vec<Value>)>>,
}

fn children(table: &str, rows: Rows, names: &Names, parents: &Rows) -> Children {
    let parent_ids: HashMap<String, Vec<Value>> = by_id(parents, names).into_iter().collect();
    let mut of: HashMap<String, Vec<(String, Vec<Value>)>> = HashMap::new();
    for (id, row) in by_id(&rows, names) {
        let parent = field(&rows, &row, &names.parent_id).to_string();
        if let (true, Some(above)) = (rows.columns.contains(&names.root_id), parent_ids.get(&parent)) {
            let of_parent = if parents.columns.contains(&names.root_id) { &names.root_id } else { &names.row_id };
            let root = field(&rows, &row, &names.root_id);
            assert_eq!(root, field(parents, above, of_parent), "a row of {table} has another root than its parent");
        }
        of.entry(parent).or_default().push((id, row));
    }
    for list in of.values_mut() {
        list.sort_by_key(|(_, row)| field(&rows, row, &names.position).as_i64());
        let places: Vec<Option<i64>> =
            list.iter().map(|(_, row)| field(&rows, row, &names.position).as_i64()).collect();
        let expect: Vec<Option<i64>> = (0..list.len() as i64).map(Some).collect();
        assert_eq!(places, expect, "a list of {table} has holes or twins");
    }
    Children { rows, of }
}

fn by_id(rows: &Rows, names: &Names) -> Vec<(String, Vec<Value>)> {
    rows.rows.iter().map(|row| (field(rows, row, &names.row_id).to_string(), row.clone())).collect()
}

fn field(rows: &Rows, row: &[Value], column: &str) -> Value {
    rows.columns.iter().position(|c| c == column).map_or(Value::Null, |i| row[i].clone())
}
