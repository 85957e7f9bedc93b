//! Lists that are columns of their table (REPEATED RECORD) and no tables of their own.
//!
//! The package knows nothing of it: rows of such lists are staged like those of other child tables, and the commit puts them
//! into the rows they belong to. So types, names, variants and contracts are those of the child table, and other
//! destinations of the same load have that table.

use crate::names::identifier;
use crate::types::modern;
use longshore_core::error::{Error, Result};
use longshore_core::naming::{PATH_SEPARATOR, normalize_table_name};
use longshore_core::schema::{Column, ColumnRole, DataType, Schema, SystemColumns, Table};
use longshore_sql::validity_table;
use serde_json::Value;

/// What a user chose: names of child tables, of tables with all their lists, or everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nested {
    all: bool,
    tables: Vec<String>,
}

impl Nested {
    /// Reads paths: `orders.lines`, `orders__lines`, `orders` (all its lists) or `*`.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut nested = Nested::default();
        for path in paths.into_iter().map(str::trim).filter(|p| !p.is_empty()) {
            nested.all |= path == "*";
            let keys: Vec<String> = path.split('.').map(normalize_table_name).collect();
            nested.tables.push(keys.join(PATH_SEPARATOR));
        }
        nested
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.all && self.tables.is_empty()
    }

    /// True for a child table that is a column of the table above it. What is below such a list is in it too.
    fn holds(&self, tables: &[Table], table: &Table) -> bool {
        let Some(parent) = table.parent.as_deref() else { return false };
        let named = |name: &str| self.all || self.tables.iter().any(|t| t == name);
        let above = || tables.iter().find(|t| t.name == parent);
        named(&table.name) || above().is_some_and(|p| (p.is_root() && named(parent)) || self.holds(tables, p))
    }
}

/// A table as it stands in BigQuery.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub(crate) table: Table,
    /// Lists that are columns of it, by name.
    pub(crate) lists: Vec<(String, Shape)>,
    /// Names that such columns would have for lists that are tables.
    pub(crate) tables_below: Vec<String>,
}

impl Shape {
    /// A table without lists.
    pub(crate) fn plain(table: Table) -> Self {
        Shape { table, lists: Vec::new(), tables_below: Vec::new() }
    }

    /// Returns the tables that are made for a schema, the loader's own left out.
    pub(crate) fn of_schema(schema: &Schema, nested: &Nested) -> Result<Vec<Shape>> {
        let system = schema.system_columns;
        let wanted: Vec<Table> = schema.tables.iter().map(|t| validity_table(t, system)).collect();
        Shape::all(&wanted, nested, system)
    }

    /// Returns the tables that are made for those tables.
    pub(crate) fn all(tables: &[Table], nested: &Nested, system: SystemColumns) -> Result<Vec<Shape>> {
        let own: Vec<&Table> = tables.iter().filter(|t| !nested.holds(tables, t)).collect();
        if own.len() < tables.len() && system == SystemColumns::Dlt {
            return Err(Error::config("dlt knows no lists that are columns")
                .hint("leave 'nested' out, or load without --system-columns dlt"));
        }
        own.into_iter().map(|t| Shape::of(tables, nested, t)).collect()
    }

    fn of(tables: &[Table], nested: &Nested, table: &Table) -> Result<Shape> {
        let mut shape = Shape::plain(table.clone());
        if nested.is_empty() {
            shape.tables_below = tables.iter().filter(|t| is_child(t, table)).map(field_name).collect();
            return Ok(shape);
        }
        for child in tables.iter().filter(|t| is_child(t, table)) {
            let name = field_name(child);
            if !nested.holds(tables, child) {
                shape.tables_below.push(name);
                continue;
            }
            if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
                return Err(two_kinds(&name).with("table", &table.name));
            }
            shape.lists.push((name, Shape::of(tables, nested, child)?));
        }
        Ok(shape)
    }

    /// The lists in it at any depth, with the way to each.
    pub(crate) fn inner(&self) -> Vec<(Vec<&str>, &Shape)> {
        let mut found = Vec::new();
        for (name, list) in &self.lists {
            found.push((vec![name.as_str()], list));
            let below = list.inner().into_iter();
            found.extend(below.map(|(way, shape)| ([&[name.as_str()], way.as_slice()].concat(), shape)));
        }
        found
    }

    /// The table with a column for each list, for statements that name columns.
    pub(crate) fn with_lists(&self) -> Table {
        let mut table = self.table.clone();
        table.columns.extend(self.lists.iter().map(|(name, _)| Column::data(name, DataType::Json)));
        table
    }

    /// Columns that an element of the list has: the data's, and the place in the list.
    pub(crate) fn element_columns(&self) -> impl Iterator<Item = &Column> {
        self.table.columns.iter().filter(|c| matches!(c.role, None | Some(ColumnRole::ListIndex)))
    }
}

/// A list and a value under one name.
pub(crate) fn two_kinds(name: &str) -> Error {
    Error::destination("a field is a list in some records and a single value in others, and a column can only be one")
        .with("column", name)
        .hint("take the list out of 'nested' and load into another dataset: as a table it stands beside the column")
}

fn is_child(table: &Table, of: &Table) -> bool {
    table.parent.as_deref() == Some(of.name.as_str())
}

/// `lines` for the table `orders__lines`.
fn field_name(child: &Table) -> String {
    let parent = child.parent.as_deref().unwrap_or_default();
    let rest = child.name.strip_prefix(parent).and_then(|rest| rest.strip_prefix(PATH_SEPARATOR));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(&child.name).to_owned()
}

/// Writes the query of a table's rows with their lists.
pub(crate) struct Fold<'a> {
    pub(crate) system: SystemColumns,
    /// Returns the query of a table's staged rows, if it has any.
    pub(crate) rows: &'a dyn Fn(&Table) -> Result<Option<String>>,
}

impl Fold<'_> {
    /// Returns the query; `None` when the table has no rows. Lists without rows are left out.
    pub(crate) fn query(&self, shape: &Shape, fields: &[Value]) -> Result<Option<String>> {
        let Some(rows) = (self.rows)(&shape.table)? else { return Ok(None) };
        let row_id = self.column(ColumnRole::RowId);
        let (mut columns, mut joins) = (String::new(), String::new());
        for (i, (name, list)) in shape.lists.iter().enumerate() {
            let Some(field) = fields.iter().find(|f| f["name"].as_str() == Some(name)) else { continue };
            let Some(items) = self.items(list, field)? else { continue };
            let name = identifier(name);
            columns.push_str(&format!(", l{i}.items AS {name}"));
            joins.push_str(&format!(" LEFT JOIN ({items}) l{i} ON l{i}.parent = t.{row_id}"));
        }
        Ok(Some(format!("SELECT t.*{columns} FROM ({rows}) t{joins}")))
    }

    /// The query of a list's elements by their parents.
    fn items(&self, list: &Shape, field: &Value) -> Result<Option<String>> {
        let fields = field["fields"].as_array().map_or(&[][..], |f| f);
        let Some(rows) = self.query(list, fields)? else { return Ok(None) };
        // Type for type and in the order of the column: BigQuery compares records by position.
        let part = |f: &Value| {
            let name = f["name"].as_str().unwrap_or_default();
            let is_list = f["mode"].as_str() == Some("REPEATED");
            let is_there = match is_list {
                true => list.lists.iter().any(|(n, l)| n == name && matches!((self.rows)(&l.table), Ok(Some(_)))),
                false => list.element_columns().any(|c| c.name.eq_ignore_ascii_case(name)),
            };
            let name = identifier(name);
            match is_there {
                true => format!("e.{name} AS {name}"),
                false => format!("CAST(NULL AS {}) AS {name}", sql_type(f)),
            }
        };
        let parts: Vec<String> = fields.iter().map(part).collect();
        let (parent, place) = (self.column(ColumnRole::ParentId), self.column(ColumnRole::ListIndex));
        Ok(Some(format!(
            "SELECT e.{parent} AS parent, ARRAY_AGG(STRUCT({}) ORDER BY e.{place}) AS items FROM ({rows}) e GROUP BY e.{parent}",
            parts.join(", ")
        )))
    }

    fn column(&self, role: ColumnRole) -> String {
        identifier(&self.system.column(role).name)
    }
}

/// The query that counts a list's elements in a table with its lists.
pub(crate) fn count(from: &str, way: &[&str]) -> String {
    let mut joins = String::new();
    let mut last = "t".to_owned();
    for (i, name) in way.iter().enumerate() {
        joins.push_str(&format!(", UNNEST({last}.{}) AS a{i}", identifier(name)));
        last = format!("a{i}");
    }
    format!("SELECT COUNT(*) FROM {from} AS t{joins}")
}

/// A column's type as SQL spells it.
pub(crate) fn sql_type(field: &Value) -> String {
    let kind = modern(field["type"].as_str().unwrap_or_default());
    let kind = match field["fields"].as_array() {
        Some(fields) => {
            let parts = fields
                .iter()
                .map(|f| format!("{} {}", identifier(f["name"].as_str().unwrap_or_default()), sql_type(f)));
            format!("STRUCT<{}>", parts.collect::<Vec<_>>().join(", "))
        }
        None => match (field["precision"].as_str(), field["scale"].as_str()) {
            (Some(precision), scale) => format!("{kind}({precision}, {})", scale.unwrap_or("0")),
            _ => kind.to_owned(),
        },
    };
    if field["mode"].as_str() == Some("REPEATED") { format!("ARRAY<{kind}>") } else { kind }
}
