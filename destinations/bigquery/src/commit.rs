//! The commit: one script with one transaction brings all staged rows, the load's record, schema and state.
//!
//! Tables and columns are made before it, since no transaction of BigQuery's may change a table of the dataset; that is only ever
//! more, and may be repeated. The script is a job whose id is made from the load: a second process that commits the same load
//! finds the job. It looks for the load's record first, so that even another job would change nothing, and collides with that of
//! another load of the pipeline (`fence`).

use crate::error::Failure;
use crate::nested::Shape;
use crate::query::{Answer, rows_of_job};
use crate::script::{Script, Text};
use crate::stage::{Inner, Place, StagedRows};
use crate::steps::{Context, in_one_file};
use crate::tables::Ensured;
use crate::units::units;
use crate::{fence, jobs, read, tables};
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::destination::{CommitOutcome, rejects_table};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Manifest, TableCount};
use longshore_core::schema::SystemTable;
use longshore_sql::system_table;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::{debug, info};

/// Jobs that this run tries again. What earlier runs tried does not count: their cause may be gone.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Commits what was staged and says what came of it.
pub(crate) async fn commit(load: &mut Inner, manifest: &Manifest) -> Result<CommitOutcome> {
    let staged = load.finish_staging().await?;
    let load = &load.place;
    let target = &load.opening.target;
    if read::has_load(&load.api, target, &manifest.load_id).await? {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
    let shapes = shapes(load, manifest, &staged)?;
    let there = ensure_tables(load, manifest, &shapes).await?;
    fence::ensure(load).await.map_err(|f| Error::from(f).with("dataset", &load.staging.dataset))?;
    let documents = read::documents(&load.api, &load.opening, manifest).await?;
    let gone = gone(load, manifest).await?;
    let alike = in_one_file(manifest, &staged);
    let context = Context { load, manifest, there: &there, documents: documents.as_ref() };
    let units = |staged| units(manifest, &shapes, staged, &there, &gone);
    let steps = context.steps(units(&staged), &units(&alike))?;
    let mut counted = BTreeMap::new();
    for (script, text) in context.scripts(&steps)? {
        let tables: Vec<&StagedRows> = script.step.iter().flat_map(|unit| &unit.staged).copied().collect();
        match run(&script, text, &tables).await? {
            Outcome::Committed(rows) => counted.extend(tables.iter().map(|s| s.table.clone()).zip(rows)),
            Outcome::Already if script.is_last => return Ok(CommitOutcome::AlreadyCommitted),
            // An earlier try has done this step.
            Outcome::Already => counted.extend(tables.iter().map(|s| (s.table.clone(), s.rows))),
        }
    }
    debug!(load_id = %manifest.load_id, "committed");
    // They are empty: what stays is nothing but a name.
    for table in &gone {
        if let Err(failure) = tables::remove(&load.api, &target.dataset, table).await {
            info!(?failure, table, "an empty table could not be removed");
        }
    }
    let count =
        |t: &TableCount| TableCount { table: t.table.clone(), rows: counted.get(&t.table).copied().unwrap_or(0) };
    Ok(CommitOutcome::Committed(manifest.tables.iter().map(count).collect()))
}

/// Tables that are there, and go with this load for good. Those that come again are emptied and stay: no transaction
/// makes tables.
async fn gone(load: &Place, manifest: &Manifest) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for table in manifest.drops.iter().filter(|t| manifest.schema.table(t).is_none()) {
        if tables::find(&load.api, &load.opening.target.dataset, table).await.map_err(Error::from)?.is_some() {
            gone.push(table.clone());
        }
    }
    Ok(gone)
}

/// All tables that are to be there after the load, as they stand in the dataset.
fn shapes(load: &Place, manifest: &Manifest, staged: &[StagedRows]) -> Result<Vec<Shape>> {
    let system = load.opening.system_columns;
    let mut shapes = Shape::of_schema(&manifest.schema, &load.api.config.nested)?;
    let rejects = rejects_table(system);
    if staged.iter().any(|s| s.table == rejects.name) {
        shapes.push(Shape::plain(rejects));
    }
    let own = [SystemTable::Loads, SystemTable::Schemas, SystemTable::State].map(|t| system_table(system, t));
    shapes.extend(own.map(Shape::plain));
    // Refused before the first table is made.
    let longest = load.api.config.max_identifier_length;
    shapes.iter().try_for_each(|s| crate::names::check_names(&s.with_lists(), longest))?;
    Ok(shapes)
}

/// Makes what is missing of them; returns what is there then, lists that are columns under their tables' names too.
async fn ensure_tables(load: &Place, manifest: &Manifest, shapes: &[Shape]) -> Result<BTreeMap<String, Ensured>> {
    let (api, dataset) = (&load.api, &load.opening.target.dataset);
    let own: Vec<&str> = shapes.iter().map(|s| s.table.name.as_str()).collect();
    let lists = manifest.schema.tables.iter().map(|t| t.name.clone()).filter(|name| !own.contains(&name.as_str()));
    let check = |name: String| async move { tables::refuse_table_of_list(api, dataset, &name).await };
    let lists: Vec<String> = lists.collect();
    stream::iter(lists.into_iter().map(check)).buffer_unordered(8).try_collect::<()>().await?;
    let ensure = |shape: Shape| async move {
        let ensured = tables::ensure(api, dataset, &shape).await?;
        Ok::<_, Error>((shape, ensured))
    };
    // Tables of lists last: the table above them says whether the list is a column of it.
    let (children, others): (Vec<Shape>, Vec<Shape>) = shapes.iter().cloned().partition(|s| !s.table.is_root());
    let mut there = BTreeMap::new();
    for some in [others, children] {
        let ensured: Vec<_> = stream::iter(some.into_iter().map(ensure)).buffer_unordered(8).try_collect().await?;
        for (shape, ensured) in ensured {
            for (way, list) in shape.inner() {
                there.insert(list.table.name.clone(), ensured.list(&way));
            }
            there.insert(shape.table.name, ensured);
        }
    }
    Ok(there)
}

/// What a script found.
enum Outcome {
    /// Rows that came, one number a table.
    Committed(Vec<u64>),
    Already,
}

/// Runs a script under the first name whose job has not failed; a failure that passes is tried again under the next.
async fn run(script: &Script<'_>, text: Text, tables: &[&StagedRows]) -> Result<Outcome> {
    let (api, location) = (&script.load.api, script.load.staging.location.as_str());
    let name = script.job_name();
    let placed = |failure: Failure| Error::from(failure).with("dataset", &script.load.opening.target.dataset);
    let (mut tries, mut pause, mut last) = (0, FIRST_PAUSE, None);
    for attempt in 0..jobs::NAMES {
        let id = format!("{name}_{attempt}");
        let mut job = json!({
            "jobReference": {"projectId": api.config.project, "jobId": id, "location": location},
            "configuration": {"query": {
                "query": text.sql, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": script.parameters(),
            }},
        });
        jobs::label(api, &mut job);
        let is_new = jobs::insert(api, &job).await.map_err(placed)?;
        match jobs::wait(api, &id, Some(location)).await {
            Ok(_) => {
                let answer = rows_of_job(api, &id, location).await?;
                // Refused in an earlier run of this load; the cause may be gone.
                if is_new || matches!(answer.word(), "committed" | "already") {
                    return outcome(&answer, tables, text.refusals);
                }
                debug!(word = answer.word(), "an earlier commit was refused");
            }
            // It failed in an earlier run of this load; what it failed of may be gone.
            Err(failure) if !is_new && failure.is_of_job() => {
                debug!(?failure, "an earlier commit failed");
                last = Some(failure);
            }
            // Only a job that is known to have failed. One that cannot be asked about may still be running: the next run of the
            // command finds it by its id.
            Err(failure) if failure.is_passing() && tries < TRIES && failure.is_of_job() => {
                info!(?failure, "the commit failed, trying again");
                tries += 1;
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(failure) => return Err(placed(failure)),
        }
    }
    Err(placed(jobs::no_name_left(last)))
}

/// Reads the script's last answer: a word and the counts.
fn outcome(answer: &Answer, tables: &[&StagedRows], mut refusals: Vec<Error>) -> Result<Outcome> {
    let word = answer.word();
    let numbers =
        answer.rows.first().into_iter().flatten().skip(1).filter_map(|v| v.as_str().and_then(|n| n.parse().ok()));
    let numbers: Vec<u64> = numbers.collect();
    let refusal = word.strip_prefix("refused ").and_then(|n| n.parse::<usize>().ok());
    match word {
        "committed" => Ok(Outcome::Committed(numbers)),
        "already" => Ok(Outcome::Already),
        "miscounted" => {
            let wrong = tables.iter().zip(&numbers).find(|(s, n)| s.rows != **n);
            let (table, text) = wrong.map_or(("", "rows are missing".to_owned()), |(s, n)| {
                (s.table.as_str(), format!("{n} of {} staged rows are there", s.rows))
            });
            Err(Error::new(ErrorKind::Integrity, text)
                .with("table", table)
                .hint("nothing was committed: run the same command again"))
        }
        _ => match refusal.filter(|n| *n < refusals.len()) {
            Some(n) => Err(refusals.swap_remove(n)),
            None => Err(Error::internal("the commit's script gave no answer")),
        },
    }
}
