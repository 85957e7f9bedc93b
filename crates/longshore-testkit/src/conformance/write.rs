//! What a load does with the rows that are there: replace and merge.

use super::nested::{check, records};
use super::place::{Place, counts};
use super::{Case, cases};
use crate::fixture::Package;
use longshore_core::capabilities::Capabilities;
use longshore_core::destination::CommitOutcome;
use longshore_core::error::ErrorKind;
use longshore_core::schema::SystemColumns::{Dlt, Native};
use longshore_core::schema::{DedupSort, Disposition, MergeStrategy, SystemColumns, WriteRules};
use longshore_core::{Error, Result};
use serde_json::{Value, json};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut cases = Vec::new();
    let can = capabilities.dispositions;
    if can.replace {
        cases.extend(cases![
            replace_takes_out_all_rows_of_a_table_and_its_children,
            replace_empties_children_that_get_no_rows,
            replace_without_records_empties_the_tables,
            replace_leaves_other_tables_alone,
            replace_is_repeated_without_effect,
            replace_and_append_take_turns,
        ]);
    }
    let has = |strategy| can.merge.contains(&strategy);
    if has(MergeStrategy::DeleteInsert) {
        cases.extend(cases![
            delete_insert_by_primary_key,
            delete_insert_by_a_compound_key,
            delete_insert_by_merge_key,
            delete_insert_by_both_keys,
            delete_insert_keeps_the_last_of_a_key,
            delete_insert_keeps_what_sorts_first,
            delete_insert_takes_deletions,
            delete_insert_without_keys_appends,
            delete_insert_comes_after_append_and_before_it,
            delete_insert_refuses_records_without_key,
            delete_insert_refuses_an_unknown_key,
            delete_insert_is_repeated_without_effect,
            delete_insert_with_new_columns_and_tables,
            delete_insert_in_dlt_mode,
            delete_insert_by_keys_of_any_size,
        ]);
    }
    if has(MergeStrategy::Upsert) {
        cases.extend(cases![upsert_changes_and_adds, upsert_in_dlt_mode]);
    }
    if has(MergeStrategy::InsertOnly) {
        cases.extend(cases![insert_only_leaves_what_is_there]);
    }
    if has(MergeStrategy::Cdc) {
        cases.extend(cases![cdc_deletes_what_is_absent]);
    }
    cases
}

pub(super) fn replace() -> WriteRules {
    WriteRules { disposition: Disposition::Replace, ..WriteRules::default() }
}

pub(super) fn merge(strategy: MergeStrategy, primary_key: &[&str], merge_key: &[&str]) -> WriteRules {
    let names = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
    WriteRules {
        disposition: Disposition::Merge,
        strategy,
        primary_key: names(primary_key),
        merge_key: names(merge_key),
        ..WriteRules::default()
    }
}

pub(super) fn delete_insert() -> WriteRules {
    merge(MergeStrategy::DeleteInsert, &["id"], &[])
}

/// A load of records of `t` by some rules, after an earlier one.
pub(super) fn next(at: &Place, number: u64, after: Option<&Package>, rules: &WriteRules, records: &str) -> Package {
    let package = at.package(number);
    let package = match after {
        Some(earlier) => package.after(earlier),
        None => package,
    };
    package.writing(rules.clone()).json("t", records).build()
}

/// The same beginning with dlt's system columns.
pub(super) fn next_dlt(at: &Place, number: u64, after: Option<&Package>, rules: &WriteRules, records: &str) -> Package {
    let package = match after {
        Some(earlier) => at.package(number).dlt().after(earlier),
        None => at.package(number).dlt(),
    };
    package.writing(rules.clone()).json("t", records).build()
}

/// Loads all, one after the other, and returns the last.
pub(super) async fn run(at: &Place, system: SystemColumns, loads: &[(&WriteRules, &str)]) -> Result<Package> {
    let mut last: Option<Package> = None;
    for (i, (rules, records)) in loads.iter().enumerate() {
        let make = if system == Dlt { next_dlt } else { next };
        let package = make(at, i as u64 + 1, last.as_ref(), rules, records);
        at.load(&package).await?;
        last = Some(package);
    }
    Ok(last.expect("there is a load"))
}

const BASE: &str = r#"{"id":1,"v":"a","l":[{"n":1,"m":[1,2]},{"n":2,"m":[3]}]} {"id":2,"v":"b","l":[{"n":3,"m":[4]}]} {"id":3,"v":"c"}"#;

async fn replace_takes_out_all_rows_of_a_table_and_its_children(at: Place) -> Result<()> {
    let rules = replace();
    let second = r#"{"id":9,"v":"z","l":[{"n":7,"m":[8]}]}"#;
    run(&at, Native, &[(&rules, BASE), (&rules, second)]).await?;
    check(&at, Native, second).await
}

async fn replace_empties_children_that_get_no_rows(at: Place) -> Result<()> {
    let rules = replace();
    run(&at, Native, &[(&rules, BASE), (&rules, r#"{"id":9,"v":"z"}"#)]).await?;
    check(&at, Native, r#"{"id":9,"v":"z"}"#).await
}

async fn replace_without_records_empties_the_tables(at: Place) -> Result<()> {
    let first = run(&at, Native, &[(&replace(), BASE)]).await?;
    let empty = at.package(2).after(&first).writing(replace()).nothing_of("t").build();
    assert_eq!(counts(at.load(&empty).await?), []);
    check(&at, Native, "").await
}

async fn replace_leaves_other_tables_alone(at: Place) -> Result<()> {
    let first = at.package(1).json("other", r#"{"a":1,"l":[1]}"#).writing(replace()).json("t", BASE).build();
    at.load(&first).await?;
    at.load(&next(&at, 2, Some(&first), &replace(), r#"{"id":9}"#)).await?;
    at.check("other", &["a"], "[1]").await?;
    at.check("other__l", &["value"], "[1]").await?;
    check(&at, Native, r#"{"id":9}"#).await
}

async fn replace_is_repeated_without_effect(at: Place) -> Result<()> {
    let first = run(&at, Native, &[(&replace(), BASE)]).await?;
    let second = next(&at, 2, Some(&first), &WriteRules::default(), r#"{"id":9}"#);
    at.load(&second).await?;
    assert_eq!(at.load(&first).await?, CommitOutcome::AlreadyCommitted);
    assert_eq!(records(&at, Native).await?.len(), 4);
    Ok(())
}

async fn replace_and_append_take_turns(at: Place) -> Result<()> {
    let append = WriteRules::default();
    let rules = replace();
    let loads = [(&append, BASE), (&rules, r#"{"id":4}"#), (&append, r#"{"id":5,"l":[{"n":1,"m":[2]}]}"#)];
    run(&at, Native, &loads).await?;
    check(&at, Native, r#"{"id":4} {"id":5,"l":[{"n":1,"m":[2]}]}"#).await
}

/// Children at any depth follow: changed lists, a list that became empty, a record that is not touched.
const CHANGE: &str =
    r#"{"id":1,"v":"A","l":[{"n":2,"m":[]},{"n":5,"m":[6,7,8]}]} {"id":2,"v":"B"} {"id":4,"v":"d","l":[{"n":9}]}"#;
const CHANGED: &str = r#"{"id":1,"v":"A","l":[{"n":2,"m":[]},{"n":5,"m":[6,7,8]}]} {"id":2,"v":"B"} {"id":3,"v":"c"} {"id":4,"v":"d","l":[{"n":9}]}"#;

async fn delete_insert_by_primary_key(at: Place) -> Result<()> {
    let rules = delete_insert();
    run(&at, Native, &[(&rules, BASE), (&rules, CHANGE)]).await?;
    check(&at, Native, CHANGED).await
}

async fn delete_insert_by_a_compound_key(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::DeleteInsert, &["id", "v"], &[]);
    let loads = [
        (&rules, r#"{"id":1,"v":"a","l":[{"n":1}]} {"id":1,"v":"b"}"#),
        (&rules, r#"{"id":1,"v":"a"} {"id":2,"v":"a"}"#),
    ];
    run(&at, Native, &loads).await?;
    check(&at, Native, r#"{"id":1,"v":"a"} {"id":1,"v":"b"} {"id":2,"v":"a"}"#).await
}

async fn delete_insert_by_merge_key(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::DeleteInsert, &[], &["v"]);
    let loads = [
        (&rules, r#"{"id":1,"v":"mon","l":[{"n":1}]} {"id":2,"v":"mon"} {"id":3,"v":"tue","l":[{"n":3,"m":[3]}]}"#),
        (&rules, r#"{"id":2,"v":"mon","l":[{"n":2}]} {"id":2,"v":"mon"}"#),
    ];
    run(&at, Native, &loads).await?;
    check(
        &at,
        Native,
        r#"{"id":2,"v":"mon","l":[{"n":2}]} {"id":2,"v":"mon"} {"id":3,"v":"tue","l":[{"n":3,"m":[3]}]}"#,
    )
    .await
}

/// A record that moved to another group goes from the old one, with its children.
async fn delete_insert_by_both_keys(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::DeleteInsert, &["id"], &["v"]);
    let loads = [
        (&rules, r#"{"id":1,"v":"mon","l":[{"n":1}]} {"id":2,"v":"mon"} {"id":3,"v":"tue"} {"id":4,"v":"wed"}"#),
        (&rules, r#"{"id":1,"v":"tue","l":[{"n":1},{"n":2}]}"#),
    ];
    run(&at, Native, &loads).await?;
    check(&at, Native, r#"{"id":1,"v":"tue","l":[{"n":1},{"n":2}]} {"id":2,"v":"mon"} {"id":4,"v":"wed"}"#).await
}

async fn delete_insert_keeps_the_last_of_a_key(at: Place) -> Result<()> {
    let rules = delete_insert();
    let twice = r#"{"id":1,"v":"x","l":[{"n":1}]} {"id":2,"v":"y"} {"id":1,"v":"z","l":[{"n":2,"m":[1]}]}"#;
    run(&at, Native, &[(&rules, twice)]).await?;
    check(&at, Native, r#"{"id":1,"v":"z","l":[{"n":2,"m":[1]}]} {"id":2,"v":"y"}"#).await
}

async fn delete_insert_keeps_what_sorts_first(at: Place) -> Result<()> {
    let sorted =
        |descending| WriteRules { dedup_sort: Some(DedupSort { column: "v".into(), descending }), ..delete_insert() };
    let twice =
        r#"{"id":1,"v":"b","l":[{"n":1}]} {"id":1,"v":"c","l":[{"n":2}]} {"id":1,"v":"a","l":[{"n":3}]} {"id":1}"#;
    let (down, up) = (sorted(true), sorted(false));
    run(&at, Native, &[(&down, twice)]).await?;
    check(&at, Native, r#"{"id":1,"v":"c","l":[{"n":2}]}"#).await?;
    let first = at.package(1).writing(down).json("t", twice).build();
    at.load(&next(&at, 2, Some(&first), &up, twice)).await?;
    check(&at, Native, r#"{"id":1,"v":"a","l":[{"n":3}]}"#).await
}

async fn delete_insert_takes_deletions(at: Place) -> Result<()> {
    let rules = WriteRules { hard_delete: Some("gone".into()), ..delete_insert() };
    let loads = [
        (&rules, BASE),
        (
            &rules,
            r#"{"id":1,"gone":true,"l":[{"n":1}]} {"id":2,"v":"B","gone":false} {"id":5,"gone":true} {"id":6,"v":"f"} {"id":6,"gone":true}"#,
        ),
    ];
    let last = run(&at, Native, &loads).await?;
    check(&at, Native, r#"{"id":2,"v":"B"} {"id":3,"v":"c"}"#).await?;
    // Of any other type, any value at all stands for a deletion.
    let rules = WriteRules { hard_delete: Some("gone_at".into()), ..delete_insert() };
    at.load(&next(&at, 3, Some(&last), &rules, r#"{"id":2,"gone_at":"today"} {"id":3,"v":"C","gone_at":null}"#))
        .await?;
    check(&at, Native, r#"{"id":3,"v":"C"}"#).await
}

async fn delete_insert_without_keys_appends(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::DeleteInsert, &[], &[]);
    run(&at, Native, &[(&rules, r#"{"id":1}"#), (&rules, r#"{"id":1,"l":[{"n":1}]}"#)]).await?;
    check(&at, Native, r#"{"id":1} {"id":1,"l":[{"n":1}]}"#).await
}

async fn delete_insert_comes_after_append_and_before_it(at: Place) -> Result<()> {
    let (append, rules) = (WriteRules::default(), delete_insert());
    let loads = [(&append, BASE), (&rules, CHANGE), (&append, r#"{"id":1,"v":"again"}"#)];
    run(&at, Native, &loads).await?;
    check(&at, Native, &format!("{CHANGED} {}", r#"{"id":1,"v":"again"}"#)).await
}

/// The normaliser lets no such record through: this is the second line.
async fn delete_insert_refuses_records_without_key(at: Place) -> Result<()> {
    let first = run(&at, Native, &[(&delete_insert(), BASE)]).await?;
    let bad = next(&at, 2, Some(&first), &WriteRules::default(), r#"{"id":1,"v":"new"} {"v":"nobody"}"#);
    let error = at.load(&bad.written_by(&delete_insert())).await.expect_err("a record has no key");
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert!(error.to_string().contains("primary key"), "{error}");
    check(&at, Native, BASE).await
}

async fn delete_insert_refuses_an_unknown_key(at: Place) -> Result<()> {
    let first = run(&at, Native, &[(&WriteRules::default(), BASE)]).await?;
    let rules = merge(MergeStrategy::DeleteInsert, &["nope"], &[]);
    let bad = next(&at, 2, Some(&first), &WriteRules::default(), r#"{"id":1}"#).written_by(&rules);
    let error: Error = at.load(&bad).await.expect_err("no such column");
    assert!(error.to_string().contains("nope"), "{error}");
    check(&at, Native, BASE).await
}

async fn delete_insert_is_repeated_without_effect(at: Place) -> Result<()> {
    let rules = delete_insert();
    let second = run(&at, Native, &[(&rules, BASE), (&rules, CHANGE)]).await?;
    let third = next(&at, 3, Some(&second), &rules, r#"{"id":1,"v":"later"}"#);
    at.load(&third).await?;
    assert_eq!(at.load(&second).await?, CommitOutcome::AlreadyCommitted);
    check(&at, Native, r#"{"id":1,"v":"later"} {"id":2,"v":"B"} {"id":3,"v":"c"} {"id":4,"v":"d","l":[{"n":9}]}"#).await
}

async fn delete_insert_with_new_columns_and_tables(at: Place) -> Result<()> {
    let rules = delete_insert();
    let first = run(&at, Native, &[(&rules, r#"{"id":1} {"id":2}"#)]).await?;
    let second = next(&at, 2, Some(&first), &rules, r#"{"id":1,"w":5,"v":"x","l":[{"n":1,"m":[1]}]}"#);
    assert_eq!(
        counts(at.load(&second).await?),
        [("t".to_owned(), 1), ("t__l".to_owned(), 1), ("t__l__m".to_owned(), 1)]
    );
    check(&at, Native, r#"{"id":1,"v":"x","l":[{"n":1,"m":[1]}]} {"id":2}"#).await?;
    at.check("t", &["id", "w"], "[1,5] [2,null]").await
}

/// Root ids of rows that were appended before are filled in: dlt fails here.
/// Files that cannot have a key are left out by the least and greatest they have.
async fn delete_insert_by_keys_of_any_size(at: Place) -> Result<()> {
    let rules = delete_insert();
    let of = |v: &str| {
        let ids = [i64::MIN, -1, 0, 9_007_199_254_740_993, i64::MAX];
        ids.map(|id| json!({ "id": id, "v": v, "l": [{ "n": 1 }] }).to_string()).join(" ")
    };
    run(&at, Native, &[(&rules, &of("a")), (&rules, &of("b")), (&rules, &of("c"))]).await?;
    check(&at, Native, &of("c")).await
}

async fn delete_insert_in_dlt_mode(at: Place) -> Result<()> {
    let (append, rules) = (WriteRules::default(), delete_insert());
    let last = run(&at, Dlt, &[(&append, BASE), (&rules, CHANGE)]).await?;
    check(&at, Dlt, CHANGED).await?;
    at.load(&next_dlt(&at, 3, Some(&last), &rules, BASE)).await?;
    check(&at, Dlt, &format!("{BASE} {}", r#"{"id":4,"v":"d","l":[{"n":9}]}"#)).await
}

async fn upsert_changes_and_adds(at: Place) -> Result<()> {
    let rules = WriteRules { hard_delete: Some("gone".into()), ..merge(MergeStrategy::Upsert, &["id"], &[]) };
    let last = run(&at, Native, &[(&rules, BASE), (&rules, CHANGE)]).await?;
    check(&at, Native, CHANGED).await?;
    at.load(&next(&at, 3, Some(&last), &rules, r#"{"id":1,"gone":true}"#)).await?;
    check(&at, Native, r#"{"id":2,"v":"B"} {"id":3,"v":"c"} {"id":4,"v":"d","l":[{"n":9}]}"#).await
}

/// A record's id follows from its key, as dlt computes it.
async fn upsert_in_dlt_mode(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Upsert, &["id"], &[]);
    run(&at, Dlt, &[(&rules, BASE), (&rules, CHANGE)]).await?;
    check(&at, Dlt, CHANGED).await?;
    let ids = r#"["z5jIxXIbUnmbKw",1] ["M6/KlLzJ2FeV/w",2]"#;
    let rows = at.read("t").await?.select(&["_dlt_id", "id"]);
    let rows: Vec<Vec<Value>> = rows.into_iter().filter(|r| r[1].as_i64() <= Some(2)).collect();
    let expect: Vec<Vec<Value>> =
        serde_json::Deserializer::from_str(ids).into_iter().collect::<std::result::Result<_, _>>().expect("JSON");
    super::place::assert_rows("ids", rows, expect);
    Ok(())
}

async fn insert_only_leaves_what_is_there(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::InsertOnly, &["id"], &[]);
    run(&at, Native, &[(&rules, BASE), (&rules, CHANGE)]).await?;
    check(&at, Native, &format!("{BASE} {}", r#"{"id":4,"v":"d","l":[{"n":9}]}"#)).await
}

async fn cdc_deletes_what_is_absent(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Cdc, &["id"], &[]);
    let last = run(&at, Native, &[(&rules, BASE), (&rules, CHANGE)]).await?;
    check(&at, Native, CHANGE).await?;
    let grouped = merge(MergeStrategy::Cdc, &["id"], &["v"]);
    at.load(&next(&at, 3, Some(&last), &grouped, r#"{"id":5,"v":"A"} {"id":2,"v":"x"}"#)).await?;
    check(&at, Native, r#"{"id":2,"v":"x"} {"id":4,"v":"d","l":[{"n":9}]} {"id":5,"v":"A"}"#).await
}
