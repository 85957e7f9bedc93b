//! What stands in a load's way in a dataset: things that are no tables and have the names of tables to be made, and columns
//! that take no values of the load's types. Known before rows travel, and not taken for another session's doing.

use crate::catalog::Tables;
use crate::session::Session;
use crate::types::PostgresDialect;
use longshore_core::error::{Error, Result};
use longshore_core::schema::Table;
use longshore_sql::{Dialect, identifier, literal, qualified};

/// Refuses tables whose names something else has: a sequence, an index, a type, or a view or foreign table that takes no rows.
pub(crate) async fn check_names<'a>(
    session: &Session,
    dataset: &str,
    tables: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let names: Vec<String> = tables.map(literal).collect();
    if names.is_empty() {
        return Ok(());
    }
    let (names, schema) = (names.join(", "), literal(dataset));
    // Rows are copied: a view takes them by a trigger only (68: INSTEAD OF INSERT), a foreign table where its wrapper does
    // (8: INSERT). An array's type makes way by itself.
    let sql = format!(
        "SELECT c.relname, CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view' \
         WHEN 'c' THEN 'type' WHEN 'f' THEN 'foreign table' ELSE 'index' END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {schema} AND c.relname IN ({names}) AND (c.relkind IN ('S', 'm', 'c', 'i', 'I') \
         OR c.relkind = 'f' AND pg_relation_is_updatable(c.oid, false) & 8 = 0 \
         OR c.relkind = 'v' AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 68 = 68)) \
         UNION ALL SELECT t.typname, 'type' FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
         WHERE n.nspname = {schema} AND t.typname IN ({names}) AND t.typrelid = 0 AND t.typcategory <> 'A' LIMIT 1"
    );
    let found = session.rows(&sql).await?;
    let Some((name, kind)) = found.first().and_then(|row| Some((row.get(0)?, row.get(1)?))) else { return Ok(()) };
    let rename = format!("ALTER {} {} RENAME TO …", kind.to_uppercase(), qualified(dataset, name));
    Err(Error::destination(format!("a {kind} has the name of the table"))
        .with("table", name)
        .with("dataset", dataset)
        .hint(format!("rename it ({rename}), or load into another table or dataset")))
}

/// Refuses a table that is there and has a column of a type that takes no values of the load's, as the server says of the
/// statement that would fill it.
pub(crate) async fn check_types(session: &Session, dataset: &str, existing: &Tables, table: &Table) -> Result<()> {
    let Some(there) = existing.get(&table.name) else { return Ok(()) };
    let foreign = |name: &str| there.iter().find(|c| c.name == name && c.column_type.is_none());
    for column in &table.columns {
        let Some(found) = foreign(&column.name) else { continue };
        let (into, name) = (qualified(dataset, &table.name), identifier(&column.name));
        let data_type = PostgresDialect.sized_type_name(column.column_type());
        let sql = format!("EXPLAIN INSERT INTO {into} ({name}) SELECT NULL::{data_type} WHERE false");
        if let Err(e) = session.batch(&sql).await
            && e.to_string().contains("values do not fit")
        {
            // Anything has a text; what else it may become is the reader's to say.
            let using = if data_type == "text" { format!("{name}::text") } else { "…".to_owned() };
            return Err(Error::destination("a column of the table has a type that the loader's values do not fit")
                .with("table", &table.name)
                .with("column", &column.name)
                .with("type", &found.type_name)
                .hint(format!(
                    "change it (ALTER TABLE {into} ALTER COLUMN {name} TYPE {data_type} USING {using}), or load into another table or dataset"
                )));
        }
    }
    Ok(())
}
