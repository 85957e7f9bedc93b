//! `longshore plan`.

use super::load;
use crate::args::{Cli, PlanArgs, PlanWhat};
use crate::machine;
use crate::place::{Addresses, Place, data_dir};
use crate::say::say;
use crate::summary::{bytes, number};
use longshore_core::error::{Error, Result};
use longshore_pipeline::{ColumnPlan, DestinationPlan, Pipeline, Plan, Refused, TablePlan, Verdict};
use std::process::ExitCode;

/// Something beside added rows would change.
const CHANGES: u8 = 3;
/// A destination would not take the load.
const REFUSED: u8 = 4;
/// Columns named in one line; `--json` has them all.
const COLUMNS: usize = 8;
/// Kinds of violations printed; `--json` has more.
const VIOLATIONS: usize = 20;

pub(crate) fn run(cli: &Cli, args: &PlanArgs) -> Result<ExitCode> {
    let plan = match &args.what {
        PlanWhat::Load { load, options } => {
            let mut it = load::prepare(cli, load)?;
            it.pipeline.plan(it.source.as_mut(), it.options, options.sample)?
        }
        PlanWhat::Run { run, options } => {
            if run.record.is_some() {
                return Err(Error::config("a plan records nothing").hint("leave --record out"));
            }
            let mut it = super::run::prepare(cli, run)?;
            it.pipeline.plan(&mut it.source, it.options, options.sample)?
        }
        PlanWhat::Package { load_id, place, .. } => {
            let addresses = Addresses::here(machine::limits(machine::threads(None)?, machine::memory(None)?))?;
            let data_dir = data_dir(cli.data_dir.as_ref())?;
            let place = Place::of_loads(&addresses, &data_dir, place.said())?;
            let pipeline = Pipeline::open(&data_dir, &place.pipeline, place.destinations)?;
            pipeline.plan_package(load_id.as_deref())?
        }
    };
    if args.json() {
        let mut document = serde_json::to_value(&plan).map_err(|e| Error::internal("the plan is no JSON").source(e))?;
        document["verdict"] = serde_json::json!(plan.verdict());
        say!("{document:#}");
    } else {
        print(&plan);
    }
    Ok(match plan.verdict() {
        Verdict::None => ExitCode::SUCCESS,
        Verdict::Changes => ExitCode::from(CHANGES),
        Verdict::Refused => ExitCode::from(REFUSED),
    })
}

fn print(plan: &Plan) {
    for note in &plan.notes {
        say!("note: {note}");
    }
    let of = if plan.sample.is_some() { "the first " } else { "" };
    say!(
        "Plan of pipeline {} for dataset {}, from {of}{} records ({}). Nothing was written.",
        plan.pipeline,
        plan.dataset,
        number(plan.counts.read),
        bytes(plan.counts.bytes)
    );
    if plan.counts.rejected > 0 {
        say!("{} records would be rejected", number(plan.counts.rejected));
    }
    if plan.counts.discarded > 0 {
        say!(
            "{} records would be left out: discarded by the schema contract, or refused",
            number(plan.counts.discarded)
        );
    }
    for lost in &plan.discards {
        let (rows, values) = (number(lost.rows), number(lost.values));
        say!("{}: the schema contract would leave out {rows} rows and {values} values", lost.table);
    }
    if !plan.waiting.is_empty() {
        let ids: Vec<&str> = plan.waiting.iter().map(|id| id.as_str()).collect();
        say!("These packages wait and would be loaded first: {}", ids.join(", "));
    }
    plan.destinations.iter().for_each(print_destination);
}

fn print_destination(plan: &DestinationPlan) {
    let verdict = match plan.verdict {
        Verdict::None if plan.is_there => "the load is there already, nothing would be done",
        Verdict::None => "rows are added, nothing else changes",
        Verdict::Changes => "changes",
        Verdict::Refused => "refused",
    };
    say!("\n{}: {verdict}", plan.destination);
    if let Some(refused) = &plan.refused {
        say!("  {}", refused.error);
        if let Some(hint) = &refused.hint {
            say!("  hint: {hint}");
        }
    }
    violations(plan);
    let width = plan.tables.iter().map(|t| t.table.chars().count()).max().unwrap_or(0);
    for t in &plan.tables {
        let sign = if t.is_new {
            '+'
        } else if t.columns.is_empty() && t.widened.is_empty() {
            ' '
        } else {
            '~'
        };
        say!("  {sign} {:width$}  {}", t.table, table(t));
    }
    if !plan.statements.is_empty() {
        say!("  statements:");
        plan.statements.iter().for_each(|s| say!("    {s};"));
    }
    if let Some(cost) = &plan.cost {
        match &cost.unknown {
            Some(why) => say!("  what it would be billed for cannot be said: {why}"),
            None => say!("  it would be billed for {}:", bytes(cost.bytes_billed)),
        }
        for item in &cost.items {
            let source = if item.is_dry_run { "dry run" } else { "estimate" };
            say!("    {:>9}  {} ({source})", bytes(item.bytes_billed), item.what);
        }
    }
}

fn violations(plan: &DestinationPlan) {
    for v in plan.violations.iter().take(VIOLATIONS) {
        say!("  ! {}{}", v.reason, place(v));
    }
    let listed = plan.violations.iter().skip(VIOLATIONS).map(|v| v.count).sum::<u64>() + plan.violations_not_listed;
    if listed > 0 {
        say!("  ! and {} more of other kinds: see --json", number(listed));
    }
}

/// How often, and where first; of what is counted over all records, the reason says it.
fn place(v: &Refused) -> String {
    let times = if v.count == 1 { "once".to_owned() } else { format!("{} times", number(v.count)) };
    match (&v.file, v.line) {
        (Some(file), Some(line)) => format!(" ({times}, first in {file} line {line})"),
        (Some(file), None) => format!(" ({times}, first in {file})"),
        (None, _) => String::new(),
    }
}

fn table(t: &TablePlan) -> String {
    let mut words = vec![format!("{} rows, {}", number(t.rows), t.write)];
    if t.is_new {
        words.push(format!("new table of {} columns", t.columns.len()));
    } else if !t.columns.is_empty() {
        words.push(format!("new columns: {}", columns(&t.columns)));
    }
    if !t.widened.is_empty() {
        let wider: Vec<String> =
            t.widened.iter().map(|w| format!("{} from {} to {}", w.column, w.from, w.to)).collect();
        words.push(format!("wider: {}", wider.join(", ")));
    }
    if let Some(rows) = t.existing_rows {
        words.push(match (t.removed_rows, &t.effect) {
            (0, Some(effect)) => format!("{} rows there, {effect}", number(rows)),
            (0, None) => format!("{} rows there", number(rows)),
            (removed, _) => format!("{} rows there would be removed", number(removed)),
        });
    }
    words.join("; ")
}

fn columns(columns: &[ColumnPlan]) -> String {
    let mut words: Vec<String> = columns.iter().take(COLUMNS).map(|c| format!("{} {}", c.name, c.data_type)).collect();
    if columns.len() > COLUMNS {
        words.push(format!("and {} more", columns.len() - COLUMNS));
    }
    words.join(", ")
}
