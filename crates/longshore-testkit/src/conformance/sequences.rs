//! Random sequences of loads: appended, merged, replaced, with schemas that change and crashes in between, each
//! compared with a model that knows nothing of tables.

use super::nested::{Fields, records_by_query, records_with, whole_with};
use super::place::Place;
use super::{Case, cases};
use crate::fault::{Fault, FaultyDestination};
use crate::fixture::{self, Package, stage};
use longshore_core::capabilities::{Capabilities, Dispositions, Widening};
use longshore_core::destination::CommitOutcome;
use longshore_core::normalize::{ColumnHint, FieldPath, SchemaRules};
use longshore_core::schema::{Conflict, Disposition, MergeStrategy, WriteRules};
use longshore_core::{Error, Result};
use serde_json::{Value, json};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    match capabilities.dispositions.replace {
        true => cases![random_loads_agree_with_a_model],
        false => Vec::new(),
    }
}

/// Loads of a sequence.
const STEPS: u64 = 5;

/// `LONGSHORE_SEQUENCES` says how many sequences, `LONGSHORE_FIRST_SEQUENCE` which is the first.
async fn random_loads_agree_with_a_model(at: Place) -> Result<()> {
    let said = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let sequences = said("LONGSHORE_SEQUENCES").unwrap_or_else(|| at.site.sequences());
    let first = said("LONGSHORE_FIRST_SEQUENCE").unwrap_or(0);
    let Capabilities { widens, dispositions, .. } = at.open().await?.capabilities().clone();
    let mut last: Option<Package> = None;
    let mut number = 0;
    for seed in first..first + sequences {
        let mut dice = Dice::new(seed);
        let fields = fields(seed);
        let mut model: Vec<Value> = Vec::new();
        for step in 0..STEPS {
            let (write, new) = random_load(&mut dice, step == 0, &fields, dispositions);
            number += 1;
            let package = package(&at, number, last.as_ref(), &write, &new, &rules(&fields, widens), &mut dice);
            let crash = Crash::of(&mut dice);
            let story = format!("sequence {seed}, step {step}, {crash:?}: {write:?}");
            load(&at, &package, crash, &story).await?;
            apply(&mut model, &write, new);
            let mut expect: Vec<String> = model.iter().map(|r| whole_with(r, &fields).to_string()).collect();
            expect.sort();
            assert_eq!(records_by_query(&at, &fields).await?, expect, "{story}");
            if step == STEPS - 1 && seed % 10 == 0 {
                assert_eq!(records_with(&at, &fields).await?, expect, "by another client: {story}");
            }
            last = Some(package);
        }
    }
    Ok(())
}

/// The fields whose types change: others for later sequences, so that they begin anew.
fn fields(seed: u64) -> Fields {
    let group = if seed < 100 { seed / 5 } else { 20 + (seed - 100) / 100 };
    Fields::of(&[&format!("p{group}"), &format!("q{group}"), &format!("s{group}")])
}

/// One field becomes wider, one text where it can, and one gets variants.
fn rules(fields: &Fields, widens: Widening) -> SchemaRules {
    let policies = [Conflict::Widen, Conflict::Text, Conflict::Variant];
    let hint = |(name, policy): (&String, Conflict)| {
        let mut hint = ColumnHint::of(FieldPath::from_keys([name.clone()]));
        hint.properties.on_type_conflict = Some(policy);
        hint
    };
    let columns = fields.names.iter().zip(policies).map(hint).collect();
    let (can_widen, only_numbers) = (widens != Widening::Never, widens == Widening::Numbers);
    SchemaRules { can_widen, only_numbers, columns, ..SchemaRules::default() }
}

/// A package of one block or two.
fn package(
    at: &Place,
    number: u64,
    after: Option<&Package>,
    write: &WriteRules,
    records: &[Value],
    rules: &SchemaRules,
    dice: &mut Dice,
) -> Package {
    let mut package = at.package(number);
    if let Some(earlier) = after {
        package = package.after(earlier);
    }
    package = package.writing(write.clone()).rules(rules.clone());
    let cut = dice.below(records.len() as u64 + 1) as usize;
    for block in [&records[..cut], &records[cut..]] {
        let text: Vec<String> = block.iter().map(Value::to_string).collect();
        package = package.json("t", &text.join(" "));
    }
    package.build()
}

/// What goes wrong with a load before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    None,
    /// Rows were staged, and the process died.
    Staged,
    /// A part could not be read.
    Broken,
    /// The commit failed, and nothing happened.
    Commit,
    /// The commit happened, and nobody heard of it.
    ReplyLost,
    /// The load was there, and came again.
    Again,
}

impl Crash {
    fn of(dice: &mut Dice) -> Self {
        let all = [Crash::Staged, Crash::Broken, Crash::Commit, Crash::ReplyLost, Crash::Again];
        all.get(dice.below(10) as usize).copied().unwrap_or(Crash::None)
    }
}

/// Loads a package until it is there, each try in a session of its own.
async fn load(at: &Place, package: &Package, crash: Crash, story: &str) -> Result<()> {
    let broken_off = |e: Error| e.with("story", story);
    let mut expect_already = false;
    match crash {
        Crash::None => {}
        Crash::Staged => {
            let destination = at.open().await?;
            let load = destination.begin(&package.opening()).await?;
            stage(&*load, package).await.map_err(broken_off)?;
        }
        Crash::Broken if package.parts.is_empty() => {}
        Crash::Broken => {
            let last = package.parts.len() - 1;
            let tried = at.load(&package.clone().with_broken_part(last)).await;
            assert!(tried.is_err(), "a damaged part was loaded: {story}");
        }
        Crash::Commit | Crash::ReplyLost => {
            let fault = if crash == Crash::Commit { Fault::Commit(0) } else { Fault::CommitReplyLost(0) };
            let destination = FaultyDestination::new(at.open().await?, &[fault]);
            assert!(fixture::load(&destination, package).await.is_err(), "no fault: {story}");
            expect_already = crash == Crash::ReplyLost;
        }
        Crash::Again => {
            at.load(package).await.map_err(broken_off)?;
            expect_already = true;
        }
    }
    let outcome = at.load(package).await.map_err(broken_off)?;
    assert_eq!(outcome == CommitOutcome::AlreadyCommitted, expect_already, "{story}");
    Ok(())
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The first load of a sequence replaces what the one before left. What the destination cannot do is appended.
fn random_load(dice: &mut Dice, first: bool, fields: &Fields, can: Dispositions) -> (WriteRules, Vec<Value>) {
    use MergeStrategy::{Cdc, DeleteInsert, InsertOnly, Upsert};
    let rules = match (first, dice.below(8)) {
        (true, _) | (_, 0) => WriteRules { disposition: Disposition::Replace, ..WriteRules::default() },
        (_, 1) => WriteRules::default(),
        (_, 2) => merge(DeleteInsert, &[], &["v"]),
        (_, 3) => merge(DeleteInsert, &["id"], &["v"]),
        (_, 4) => merge(Upsert, &["id"], &[]),
        (_, 5) => merge(InsertOnly, &["id"], &[]),
        (_, 6) => merge(Cdc, &["id"], &["v"]),
        _ => merge(DeleteInsert, &["id"], &[]),
    };
    let rules = if can.can(&rules) { rules } else { WriteRules::default() };
    let records = (0..1 + dice.below(6)).map(|_| random_record(dice, fields)).collect();
    (rules, records)
}

fn merge(strategy: MergeStrategy, primary_key: &[&str], merge_key: &[&str]) -> WriteRules {
    let names = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
    let (primary_key, merge_key) = (names(primary_key), names(merge_key));
    WriteRules { disposition: Disposition::Merge, strategy, primary_key, merge_key, ..WriteRules::default() }
}

fn random_record(dice: &mut Dice, fields: &Fields) -> Value {
    let element = |dice: &mut Dice| {
        let m: Vec<u64> = (0..dice.below(3)).map(|_| dice.below(10)).collect();
        json!({ "n": dice.below(100), "m": m })
    };
    let l: Vec<Value> = (0..dice.below(4)).map(|_| element(dice)).collect();
    let mut record = json!({ "id": dice.below(8), "v": format!("g{}", dice.below(3)), "l": l });
    for name in &fields.names {
        if dice.below(3) == 0 {
            record[name] = random_value(dice);
        }
    }
    record
}

/// Mostly whole numbers, now and then what does not fit a column of them.
fn random_value(dice: &mut Dice) -> Value {
    let small = dice.below(1000);
    match dice.below(12) {
        0 => json!(small as f64 + 0.5),
        1 => json!(format!("text {small}")),
        2 => json!(small.is_multiple_of(2)),
        3 => json!(9_007_199_254_740_993 + small),
        4 => json!(u64::MAX - small),
        5 => json!(-(small as i64)),
        _ => json!(small),
    }
}

/// What the rules mean, on a list of records.
fn apply(model: &mut Vec<Value>, rules: &WriteRules, records: Vec<Value>) {
    use MergeStrategy::{Cdc, InsertOnly, Upsert};
    let same = |keys: &[String], a: &Value, b: &Value| !keys.is_empty() && keys.iter().all(|k| a[k] == b[k]);
    let came = records.clone();
    let mut new: Vec<Value> = Vec::new();
    for record in records {
        if rules.merges() {
            new.retain(|r| !same(&rules.primary_key, r, &record));
        }
        new.push(record);
    }
    match rules.disposition {
        Disposition::Append => {}
        Disposition::Replace => model.clear(),
        Disposition::Merge if rules.strategy == InsertOnly => {
            new.retain(|n| !model.iter().any(|m| same(&rules.primary_key, m, n)));
        }
        Disposition::Merge => model.retain(|m| {
            let by_key = came.iter().any(|n| same(&rules.primary_key, m, n));
            let by_group = came.iter().any(|n| same(&rules.merge_key, m, n));
            let everything = rules.strategy == Cdc && rules.merge_key.is_empty();
            !(by_key || (by_group && rules.strategy != Upsert) || everything)
        }),
    }
    model.extend(new);
}
