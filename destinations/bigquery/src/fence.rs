//! What makes overlapping commits of one pipeline collide: a row that each of them changes.
//!
//! A transaction reads the tables as they were when it began, and rows that two transactions add to one table do not collide; what they change
//! or remove does (<https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency>). Of two commits that only add, both would
//! find that no other has loaded. So each changes this row before anything else: BigQuery cancels one of the two, and its next try
//! sees what the other has loaded. Each pipeline has a table of its own for it, since it is whole tables that collide.

use crate::error::Failure;
use crate::names::qualified;
use crate::query::{Query, rows};
use crate::stage::Place;
use crate::{staging, tables};
use reqwest::Method;
use serde_json::{Value, json};

/// How long the table lives, and goes on living whenever half of that is over: no transaction lasts that long.
const LIFETIME_HOURS: u64 = 30 * 24;
const LIFETIME_MS: u64 = LIFETIME_HOURS * 3_600_000;

/// Returns the statement that changes the row.
pub(crate) fn statement(load: &Place) -> String {
    format!("UPDATE {} SET commits = commits + 1 WHERE TRUE", qualified(&load.staging.dataset, &name(load)))
}

/// Makes the table with its row where it is missing.
pub(crate) async fn ensure(load: &Place) -> Result<(), Failure> {
    let (api, dataset, name) = (&load.api, &load.staging.dataset, name(load));
    let Some(found) = tables::find(api, dataset, &name).await? else { return make(load, &name).await };
    let now = tables::now_ms();
    if ends_soon(&found, now) {
        let body = json!({"expirationTime": (now + LIFETIME_MS).to_string()});
        api.call(Method::PATCH, &tables::path(dataset, &name), Some(&body)).await?;
    }
    Ok(())
}

/// In one statement, so that there is no table without its row.
async fn make(load: &Place, name: &str) -> Result<(), Failure> {
    let table = qualified(&load.staging.dataset, name);
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {table} OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {LIFETIME_HOURS} HOUR)) AS SELECT 0 AS commits"
    );
    let query = Query { sql, location: Some(load.staging.location.clone()), ..Query::default() };
    match rows(&load.api, &query).await {
        // Another run was faster.
        Err(Failure::Refused(refusal)) if refusal.message.contains("Already Exists") => Ok(()),
        answer => answer.map(drop),
    }
}

fn name(load: &Place) -> String {
    staging::key("commits", &[&load.opening.target.pipeline, &load.opening.target.dataset])
}

fn ends_soon(found: &Value, now: u64) -> bool {
    let ends = found["expirationTime"].as_str().and_then(|ms| ms.parse::<u64>().ok());
    ends.is_some_and(|ends| ends < now + LIFETIME_MS / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_use_goes_on_living() {
        let now = 1_800_000_000_000;
        let ends = |ms: u64| json!({"expirationTime": ms.to_string()});
        assert!(ends_soon(&ends(now + LIFETIME_MS / 2 - 1), now) && ends_soon(&ends(now - 1), now));
        assert!(!ends_soon(&ends(now + LIFETIME_MS), now) && !ends_soon(&json!({}), now));
    }
}
