//! A load's own records: its row in the table of loads, the schema, the state.

use crate::quote::{literal, qualified};
use longshore_core::package::{Manifest, Target};
use longshore_core::schema::{SystemColumns, SystemTable};

/// Returns the statements that record a load, for databases with `now()`, `md5` and `left`. They belong into the load's
/// own transaction, behind its rows.
pub fn load_records(target: &Target, manifest: &Manifest) -> Vec<String> {
    let system = manifest.schema.system_columns;
    let table = |t| qualified(&target.dataset, system.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let pipeline = literal(&target.pipeline);
    let (load_id, hash) = (literal(manifest.load_id.as_str()), literal(&manifest.schema.hash()));
    let schema = literal(&manifest.schema.to_json());
    let now = "now()";
    let rows: u64 = manifest.tables.iter().map(|t| t.rows).sum();
    let counts = manifest.counts;
    let state = manifest.state.as_ref().map(|s| literal(&s.to_string()));
    let mut statements = Vec::new();
    match system {
        SystemColumns::Native => {
            statements.push(format!("INSERT INTO {schemas} SELECT {hash}, {pipeline}, {load_id}, {now}, {schema} WHERE NOT EXISTS (SELECT 1 FROM {schemas} WHERE schema_hash = {hash} AND pipeline = {pipeline})"));
            statements.push(format!(
                "INSERT INTO {loads} VALUES ({load_id}, {pipeline}, {hash}, {}, {}, {rows}, 0, {now})",
                counts.read, counts.rejected
            ));
            statements
                .extend(state.map(|s| format!("INSERT INTO {states} VALUES ({pipeline}, {load_id}, {now}, {s})")));
        }
        SystemColumns::Dlt => {
            statements.push(format!("INSERT INTO {schemas} SELECT (SELECT coalesce(max(version), 0) + 1 FROM {schemas} WHERE schema_name = {pipeline}), 11, {now}, {pipeline}, {hash}, {schema} WHERE NOT EXISTS (SELECT 1 FROM {schemas} WHERE version_hash = {hash} AND schema_name = {pipeline})"));
            statements.push(format!("INSERT INTO {loads} VALUES ({load_id}, {pipeline}, 0, {now}, {hash})"));
            statements.extend(state.map(|s| format!("INSERT INTO {states} SELECT (SELECT coalesce(max(version), 0) + 1 FROM {states} WHERE pipeline_name = {pipeline}), 4, {pipeline}, {s}, {now}, NULL, {load_id}, left(md5({load_id} || {s}), 14)")));
        }
    }
    statements
}
