//! A schema as text: YAML, JSON, SQL, a diagram.

use crate::args::SchemaFormat;
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{ColumnType, DataType, Schema, TableChange};
use longshore_sql::{Dialect, create_schema, create_table, hinted};

/// Returns the text, without a line break at its end.
pub(crate) fn text(schema: &Schema, dataset: &str, format: SchemaFormat) -> Result<String> {
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| Error::internal("the schema cannot be printed").source(e);
    let text = match format {
        SchemaFormat::Yaml => serde_yaml_ng::to_string(schema).map_err(|e| failed(e.into()))?,
        SchemaFormat::Json => serde_json::to_string_pretty(schema).map_err(|e| failed(e.into()))?,
        SchemaFormat::Sql => {
            let mut statements = vec![create_schema(&Standard, dataset)];
            for table in &schema.tables {
                statements.push(create_table(&Standard, dataset, table));
                statements.extend(table.columns.iter().flat_map(|c| hinted(&Standard, dataset, &table.name, c)));
            }
            statements.into_iter().map(|s| format!("{s};\n")).collect()
        }
        SchemaFormat::Mermaid => mermaid(schema),
    };
    Ok(text.trim_end().to_owned())
}

/// Standard SQL's types.
struct Standard;

impl Dialect for Standard {
    fn sized_type_name(&self, column_type: ColumnType) -> String {
        match (column_type.data_type, column_type.precision()) {
            (DataType::Decimal, _) => {
                let (precision, scale) = column_type.decimal_size();
                format!("DECIMAL({precision},{scale})")
            }
            (DataType::Bigint, Some(..=16)) => "SMALLINT".to_owned(),
            (DataType::Bigint, Some(_)) => "INTEGER".to_owned(),
            (DataType::Text | DataType::Binary, Some(n)) => {
                format!("{}({n})", self.type_name(column_type.data_type))
            }
            (DataType::Time, Some(n)) => format!("TIME({n})"),
            (DataType::Timestamp, precision) => {
                let digits = precision.map_or(String::new(), |n| format!("({n})"));
                format!("TIMESTAMP{digits} {} TIME ZONE", if column_type.is_zoned() { "WITH" } else { "WITHOUT" })
            }
            (data_type, _) => self.type_name(data_type).to_owned(),
        }
    }

    fn makes_indexes(&self) -> bool {
        true
    }

    fn makes_comments(&self) -> bool {
        true
    }

    fn type_name(&self, data_type: DataType) -> &'static str {
        match data_type {
            DataType::Text => "VARCHAR",
            DataType::Bigint => "BIGINT",
            DataType::Double => "DOUBLE PRECISION",
            DataType::Bool => "BOOLEAN",
            DataType::Timestamp => "TIMESTAMP WITH TIME ZONE",
            DataType::Json => "JSON",
            DataType::Decimal => "DECIMAL(38,0)",
            DataType::Binary => "VARBINARY",
            DataType::Date => "DATE",
            DataType::Time => "TIME",
        }
    }
}

/// An entity-relationship diagram in Mermaid's words. Names of tables are quoted, because `end`, `one` and others mean
/// something there.
fn mermaid(schema: &Schema) -> String {
    let mut out = String::from("erDiagram\n");
    for table in &schema.tables {
        out.push_str(&format!("    \"{}\" {{\n", table.name));
        for column in &table.columns {
            // Child tables are written by the rules of their root, and have no key of their own.
            let key = if table.is_root() && table.write.primary_key.contains(&column.name) { " PK" } else { "" };
            let name = attribute(&column.name, key);
            out.push_str(&format!("        {} {name}\n", column.data_type));
        }
        out.push_str("    }\n");
    }
    for table in &schema.tables {
        if let Some(parent) = &table.parent {
            out.push_str(&format!("    \"{parent}\" ||--o{{ \"{}\" : has\n", table.name));
        }
    }
    out
}

/// A column's name and its key. An attribute cannot be quoted, nor be called as the words for keys are: such a name stands
/// in the comment.
fn attribute(name: &str, key: &str) -> String {
    match name {
        "pk" | "fk" | "uk" => format!("{name}_{key} \"{name}\""),
        _ => format!("{name}{key}"),
    }
}

/// What a load changed, a line a table; empty when it changed nothing.
pub(crate) fn changes(manifest: &Manifest) -> Vec<String> {
    let line = |change: &TableChange| {
        let mut said: Vec<String> = change.columns.iter().map(|c| format!("+{} {}", c.name, c.column_type())).collect();
        said.extend(change.retyped.iter().map(|r| format!("{} {} -> {}", r.column, r.from, r.to)));
        said.extend(change.hinted.iter().map(|h| format!("{} hinted", h.column)));
        let new = if change.is_new { " (new)" } else { "" };
        format!("{}{new}: {}", change.table, said.join(", "))
    };
    manifest.change.tables.iter().map(line).collect()
}
