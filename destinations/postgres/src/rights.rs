//! The rights that a load needs. They are asked for before anything is read, all together, so that an administrator can
//! give them at once.

use crate::catalog::{self, Kinds, Tables};
use crate::commit::{Change, changes};
use crate::session::Session;
use crate::staging::schema_name;
use longshore_core::destination::Opening;
use longshore_core::error::{Error, Result};
use longshore_core::schema::{MergeStrategy, SystemColumns, SystemTable, Table};
use longshore_sql::{identifier, literal, qualified};
use std::collections::BTreeMap;
use tokio_postgres::SimpleQueryRow;

/// What a load does with a table that is there.
struct Need {
    table: String,
    rights: Vec<&'static str>,
    /// It gets columns, or goes: only its owner can do that.
    changes: bool,
}

/// Refuses a load whose role lacks rights, as far as its tables are known.
pub(crate) async fn check(session: &Session, opening: &Opening, existing: &Tables) -> Result<()> {
    let changed = changes(existing, &opening.tables);
    let mut needs: Vec<Need> = own_tables(opening.system_columns);
    needs.extend(opening.tables.iter().map(|table| need_of(table, &changed)));
    let dropped = |table: &String| Need { table: table.clone(), rights: Vec::new(), changes: true };
    needs.extend(opening.drops.iter().map(dropped));
    // Child tables are known with their rows only; those that are there are likely to be the load's.
    let child = |table: &String| {
        let root = opening.tables.iter().find(|root| table.starts_with(&format!("{}__", root.name)))?;
        let is_known = needs.iter().any(|need| need.table == *table);
        (!is_known).then(|| Need { table: table.clone(), rights: rights_of(root), changes: false })
    };
    let children: Vec<Need> = existing.keys().filter_map(child).collect();
    refuse(session, &opening.target.dataset, &needs, &children).await
}

/// The same once all tables of a load are known: of those it did not know when it began, and those that get columns.
pub(crate) async fn check_rest(
    session: &Session,
    opening: &Opening,
    existing: &Tables,
    wanted: &[Table],
) -> Result<()> {
    let changed = changes(existing, wanted);
    let own = own_tables(opening.system_columns);
    let is_new = |t: &&Table| {
        let was_known =
            opening.tables.iter().any(|known| known.name == t.name) || own.iter().any(|o| o.table == t.name);
        existing.contains_key(&t.name) && (!was_known || changed.contains_key(t.name.as_str()))
    };
    let needs: Vec<Need> = wanted.iter().filter(is_new).map(|table| need_of(table, &changed)).collect();
    if needs.is_empty() { Ok(()) } else { refuse(session, &opening.target.dataset, &needs, &[]).await }
}

/// Says which rights are missing to read what earlier loads left, if that is why it cannot be read.
pub(crate) async fn check_reading(session: &Session, dataset: &str) -> Result<()> {
    let needs: Vec<Need> = [SystemColumns::Native, SystemColumns::Dlt].into_iter().flat_map(own_tables).collect();
    // Which tables the pipeline has loaded stands where it cannot be read.
    let mut others = catalog::tables(session, dataset, Kinds::Tables).await?;
    others.retain(|table, _| !needs.iter().any(|need| need.table == *table));
    let rights = vec!["INSERT"];
    let others = others.into_keys().map(|table| Need { table, rights: rights.clone(), changes: false });
    refuse(session, dataset, &needs, &others.collect::<Vec<_>>()).await
}

fn need_of(table: &Table, changed: &BTreeMap<&str, Change<'_>>) -> Need {
    Need {
        table: table.name.clone(),
        rights: rights_of(table),
        changes: matches!(changed.get(table.name.as_str()), Some(Change::Columns(..))),
    }
}

fn own_tables(system: SystemColumns) -> Vec<Need> {
    let need =
        |table| Need { table: system.table_name(table).to_owned(), rights: vec!["SELECT", "INSERT"], changes: false };
    [SystemTable::Loads, SystemTable::Schemas, SystemTable::State].map(need).into()
}

fn rights_of(table: &Table) -> Vec<&'static str> {
    let mut rights = vec!["INSERT"];
    if table.write.merges() {
        rights.push("SELECT");
        match table.write.strategy {
            MergeStrategy::InsertOnly => {}
            MergeStrategy::Scd2 => rights.push("UPDATE"),
            MergeStrategy::DeleteInsert | MergeStrategy::Upsert | MergeStrategy::Cdc => rights.push("DELETE"),
        }
    } else if table.write.replaces() {
        rights.push("DELETE");
    }
    rights
}

/// Refuses with the statements that give what is needed; of `others`, tables that may be the load's, for the reader to see.
async fn refuse(session: &Session, dataset: &str, needs: &[Need], others: &[Need]) -> Result<()> {
    let role = session.value("SELECT current_user").await?.unwrap_or_default();
    let (mut statements, makes_schema) = for_schemas(session, dataset, &identifier(&role)).await?;
    statements.extend(for_tables(session, dataset, needs, &identifier(&role)).await?);
    if statements.is_empty() {
        return Ok(());
    }
    let mut hint = format!("let an administrator run: {}", statements.join(" "));
    if makes_schema {
        hint.push_str(" (or GRANT CREATE ON DATABASE; the setting 'staging_schema' names another schema for staging)");
    }
    let others = for_tables(session, dataset, others, &identifier(&role)).await?;
    if !others.is_empty() {
        hint.push_str(&format!(" Those of the other tables there that are loaded need: {}", others.join(" ")));
    }
    Err(Error::destination("the role lacks rights that the load needs")
        .with("role", role)
        .with("dataset", dataset)
        .hint(hint))
}

/// Statements for the dataset's schema and the one of staging tables, and whether one of these has to be made.
async fn for_schemas(session: &Session, dataset: &str, role: &str) -> Result<(Vec<String>, bool)> {
    let (mut statements, mut makes_schema) = (Vec::new(), false);
    for schema in [dataset.to_owned(), schema_name(&session.engine.config, dataset)] {
        let name = literal(&schema);
        let sql = format!(
            "SELECT coalesce((SELECT CASE WHEN has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE') \
             THEN 'fine' ELSE 'there' END FROM pg_namespace WHERE nspname = {name}), \
             CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 'fine' ELSE 'missing' END)"
        );
        let found = session.value(&sql).await?;
        let schema = identifier(&schema);
        if found.as_deref() == Some("missing") {
            makes_schema = true;
            statements.push(format!("CREATE SCHEMA IF NOT EXISTS {schema};"));
        }
        if found.as_deref() != Some("fine") {
            statements.push(format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};"));
        }
    }
    Ok((statements, makes_schema))
}

/// Statements for tables that are there.
async fn for_tables(session: &Session, dataset: &str, needs: &[Need], role: &str) -> Result<Vec<String>> {
    // A right on some columns will do, where there is such a thing.
    let lacks = |right: &&str| match *right {
        "DELETE" => "NOT has_table_privilege(c.oid, 'DELETE')".to_owned(),
        right => format!("NOT has_any_column_privilege(c.oid, '{right}')"),
    };
    let asked = needs.iter().enumerate().map(|(i, need)| {
        let rights: Vec<String> = need.rights.iter().map(lacks).collect();
        let rights = if rights.is_empty() { "false".to_owned() } else { rights.join(" OR ") };
        format!(
            "SELECT {i}, {rights}, {} AND NOT pg_has_role(c.relowner, 'USAGE') FROM pg_class c \
             WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {}) AND c.relname = {} \
             AND c.relkind IN ('r', 'p', 'v', 'f')",
            need.changes,
            literal(dataset),
            literal(&need.table)
        )
    });
    let asked: Vec<String> = asked.collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let statement = |row: &SimpleQueryRow| {
        let need = needs.get(row.get(0)?.parse::<usize>().ok()?)?;
        match (row.get(1), row.get(2)) {
            (_, Some("t")) => Some(own(dataset, &need.table, role)),
            (Some("t"), _) => Some(grant(dataset, &need.table, &need.rights, role)),
            _ => None,
        }
    };
    Ok(session.rows(&asked.join(" UNION ALL ")).await?.iter().filter_map(statement).collect())
}

fn own(dataset: &str, table: &str, role: &str) -> String {
    format!("ALTER TABLE {} OWNER TO {role};", qualified(dataset, table))
}

fn grant(dataset: &str, table: &str, rights: &[&str], role: &str) -> String {
    format!("GRANT {} ON TABLE {} TO {role};", rights.join(", "), qualified(dataset, table))
}

/// Adds the statement that helps to a refusal of the server that came only with the rows: what a load needs of a table
/// may not be known before.
pub(crate) fn explained(error: Error, dataset: &str, table: &Table, role: &str) -> Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let role = identifier(role);
    let statement = if cause.contains("must be owner of") {
        own(dataset, &table.name, &role)
    } else if cause.contains("permission denied for table") {
        grant(dataset, &table.name, &rights_of(table), &role)
    } else {
        return error;
    };
    error.hint(format!("let an administrator run: {statement} Then run the same command again"))
}
