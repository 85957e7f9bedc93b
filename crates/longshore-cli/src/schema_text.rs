//! A schema as text: YAML, JSON, SQL, a diagram.

use crate::args::SchemaFormat;
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{DataType, Schema, TableChange};
use longshore_sql::{Dialect, create_table};

/// Returns the text, without a line break at its end.
pub(crate) fn text(schema: &Schema, dataset: &str, format: SchemaFormat) -> Result<String> {
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| Error::internal("the schema cannot be printed").source(e);
    let text = match format {
        SchemaFormat::Yaml => serde_yaml_ng::to_string(schema).map_err(|e| failed(e.into()))?,
        SchemaFormat::Json => serde_json::to_string_pretty(schema).map_err(|e| failed(e.into()))?,
        SchemaFormat::Sql => {
            let statements = schema.tables.iter().map(|t| format!("{};\n", create_table(&Standard, dataset, t)));
            statements.collect()
        }
        SchemaFormat::Mermaid => mermaid(schema),
    };
    Ok(text.trim_end().to_owned())
}

/// Standard SQL's types.
struct Standard;

impl Dialect for Standard {
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

/// An entity-relationship diagram in Mermaid's words.
fn mermaid(schema: &Schema) -> String {
    let mut out = String::from("erDiagram\n");
    for table in &schema.tables {
        out.push_str(&format!("    {} {{\n", table.name));
        for column in &table.columns {
            let key = if table.write.primary_key.contains(&column.name) { " PK" } else { "" };
            out.push_str(&format!("        {} {}{key}\n", column.data_type, column.name));
        }
        out.push_str("    }\n");
    }
    for table in &schema.tables {
        if let Some(parent) = &table.parent {
            out.push_str(&format!("    {parent} ||--o{{ {} : has\n", table.name));
        }
    }
    out
}

/// What a load changed, a line a table; empty when it changed nothing.
pub(crate) fn changes(manifest: &Manifest) -> Vec<String> {
    let line = |change: &TableChange| {
        let mut said: Vec<String> = change.columns.iter().map(|c| format!("+{} {}", c.name, c.data_type)).collect();
        said.extend(change.retyped.iter().map(|r| format!("{} {} -> {}", r.column, r.from, r.to)));
        let new = if change.is_new { " (new)" } else { "" };
        format!("{}{new}: {}", change.table, said.join(", "))
    };
    manifest.change.tables.iter().map(line).collect()
}
