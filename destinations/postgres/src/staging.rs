//! Staging tables: where they stand, how they are named, and which of them nobody will ever commit.
//!
//! They stand in a schema of their own, so that nobody sees them among the dataset's tables, and are named after their
//! load: `l<load id>_<key>_<number>`. While a load lives, its session holds an advisory lock on the key: a table whose
//! key can be locked belongs to a load that is dead.

use crate::config::Config;
use crate::session::Session;
use crate::types::PostgresDialect;
use longshore_core::destination::Opening;
use longshore_core::error::Result;
use longshore_core::hash::content_hash;
use longshore_sql::{create_schema, literal, qualified};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::debug;

/// Longest name PostgreSQL keeps, in bytes.
pub(crate) const MAX_NAME: usize = 63;

/// The staging tables of one load.
#[derive(Debug)]
pub(crate) struct Staging {
    pub(crate) schema: String,
    prefix: String,
    key: i64,
    made: AtomicU32,
}

impl Staging {
    /// Locks a new key and makes the schema where it is missing.
    pub(crate) async fn begin(session: &Session, opening: &Opening) -> Result<Self> {
        let dataset = &opening.target.dataset;
        let schema = schema_name(&session.engine.config, dataset);
        // Another one for each try: the session of an earlier try may still hold its own.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let key = lock_key(&[&opening.target.pipeline, opening.load_id.as_str(), &format!("{now} {}", session.pid)]);
        let digits = opening.load_id.as_str().replace('.', "_");
        let staging = Staging { schema, prefix: format!("l{digits}_{key:016x}_"), key, made: AtomicU32::new(0) };
        staging.lock(session).await?;
        make_schema(session, &staging.schema).await?;
        sweep(session, &staging.schema).await?;
        Ok(staging)
    }

    /// Takes the lock that says that the load lives, also for a session that takes over.
    pub(crate) async fn lock(&self, session: &Session) -> Result<()> {
        session.execute(&format!("SELECT pg_advisory_lock({})", self.key)).await.map(drop)
    }

    /// Returns a name for another table.
    pub(crate) fn next_name(&self) -> String {
        format!("{}{}", self.prefix, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Drops the load's tables.
    pub(crate) async fn drop_tables(&self, session: &Session) -> Result<()> {
        let tables = tables(session, &self.schema).await?;
        let own: Vec<String> = tables.into_iter().filter(|t| t.starts_with(&self.prefix)).collect();
        drop_each(session, &self.schema, &own).await
    }
}

/// The schema that staging tables stand in.
pub(crate) fn schema_name(config: &Config, dataset: &str) -> String {
    config.staging_schema.clone().unwrap_or_else(|| default_schema(dataset))
}

/// `<dataset>_staging`, as dlt names it; made shorter where that is too long.
fn default_schema(dataset: &str) -> String {
    let name = format!("{dataset}_staging");
    if name.len() <= MAX_NAME {
        return name;
    }
    let mut end = MAX_NAME - 16;
    while !dataset.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{:06x}_staging", &dataset[..end], lock_key(&[dataset]) & 0xff_ffff)
}

/// A number for PostgreSQL's advisory locks.
pub(crate) fn lock_key(parts: &[&str]) -> i64 {
    let hash = content_hash(format!("longshore {parts:?}").as_bytes());
    hash.bytes().fold(0i64, |key, byte| key.wrapping_mul(1_099_511_628_211).wrapping_add(i64::from(byte))) & i64::MAX
}

/// Makes a schema; asks first, because `IF NOT EXISTS` needs the right to make it even where it exists.
pub(crate) async fn make_schema(session: &Session, schema: &str) -> Result<()> {
    let exists = format!("SELECT count(*) > 0 FROM pg_namespace WHERE nspname = {}", literal(schema));
    if session.holds(&exists).await? {
        return Ok(());
    }
    match session.batch(&create_schema(&PostgresDialect, schema)).await {
        // Another session was faster.
        Err(_) if session.holds(&exists).await? => Ok(()),
        made => made.map_err(|e| e.with("schema", schema)),
    }
}

/// Drops what dead loads of any pipeline left in the schema.
async fn sweep(session: &Session, schema: &str) -> Result<()> {
    let tables = tables(session, schema).await?;
    let mut keys: Vec<i64> = tables.iter().filter_map(|t| key_of(t)).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        // Our own session would get its own lock once more; it has no tables yet.
        if !session.holds(&format!("SELECT pg_try_advisory_lock({key})")).await? {
            continue; // that load lives
        }
        let dead: Vec<String> = tables.iter().filter(|t| key_of(t) == Some(key)).cloned().collect();
        debug!(schema, tables = dead.len(), "removing what a dead load left");
        let dropped = drop_each(session, schema, &dead).await;
        session.execute(&format!("SELECT pg_advisory_unlock({key})")).await?;
        if let Err(e) = dropped {
            debug!(schema, error = %e, "what a dead load left stays for now"); // another role's, or still locked
        }
    }
    Ok(())
}

fn key_of(table: &str) -> Option<i64> {
    let (rest, number) = table.strip_prefix('l')?.rsplit_once('_')?;
    let (digits, key) = rest.rsplit_once('_')?;
    let is_ours = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let is_ours = is_ours && key.len() == 16 && number.bytes().all(|b| b.is_ascii_digit());
    is_ours.then(|| i64::from_str_radix(key, 16).ok()).flatten()
}

async fn tables(session: &Session, schema: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relkind = 'r' AND c.relname ~ '^l[0-9_]+_[0-9a-f]{{16}}_[0-9]+$'",
        literal(schema)
    );
    Ok(session.rows(&sql).await?.iter().filter_map(|r| r.get(0)).map(str::to_owned).collect())
}

/// Each by itself, and patient only for a moment: somebody's backup may hold a lock.
async fn drop_each(session: &Session, schema: &str, tables: &[String]) -> Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    session.batch("SET lock_timeout = '5s'").await?;
    let mut outcome = Ok(());
    for table in tables {
        outcome = outcome.and(session.batch(&format!("DROP TABLE IF EXISTS {}", qualified(schema, table))).await);
    }
    session.batch("SET lock_timeout = 0").await?;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_lock_to_ask_for() {
        assert_eq!(key_of("l1763826000000001_00000000000000ff_12"), Some(255));
        assert_eq!(key_of("l1763826000_000001_00000000000000ff_0"), Some(255));
        assert!(
            key_of("lots_00000000000000ff_0").is_none() && key_of("l1_ff_0").is_none() && key_of("orders").is_none()
        );
    }

    #[test]
    fn long_datasets_have_a_staging_schema_of_their_own() {
        let (a, b) = (default_schema(&format!("{}a", "ä".repeat(31))), default_schema(&format!("{}b", "ä".repeat(31))));
        assert!(a != b && a.len() <= MAX_NAME && a.ends_with("_staging"), "{a} {b}");
    }
}
