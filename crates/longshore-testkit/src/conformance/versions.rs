//! What a load does with the rows that are there: versions (`scd2`).

use super::nested::check;
use super::place::{Place, assert_rows};
use super::write::{delete_insert, merge, next, next_dlt, replace, run};
use super::{Case, cases};
use crate::fixture::Package;
use crate::rows::timestamp;
use longshore_core::Result;
use longshore_core::capabilities::Capabilities;
use longshore_core::schema::SystemColumns::{Dlt, Native};
use longshore_core::schema::{MergeStrategy, Scd2, WriteRules};
use serde_json::{Value, json};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let can = capabilities.dispositions;
    if !can.merge.contains(&MergeStrategy::Scd2) {
        return Vec::new();
    }
    let mut cases = cases![
        scd2_keeps_versions,
        scd2_knows_a_record_that_returns,
        scd2_ends_versions_only_in_groups_it_has,
        scd2_with_other_names_and_moments,
        scd2_takes_rows_without_validity_for_versions_that_hold,
        scd2_in_tables_of_any_name,
        scd2_in_dlt_mode,
        scd2_in_dlt_mode_keeps_the_children_of_versions,
        scd2_in_dlt_mode_takes_deletions,
    ];
    if can.replace && can.merge.contains(&MergeStrategy::DeleteInsert) {
        cases.extend(cases![scd2_comes_between_other_ways, scd2_in_dlt_mode_comes_between_merges_by_key]);
    }
    cases
}

/// Validity of each version: id, v, whether it began, whether it still holds.
async fn versions(at: &Place, names: [&str; 2]) -> Result<Vec<String>> {
    let rows = at.read("t").await?.select(&["id", "v", names[0], names[1]]);
    let line = |r: Vec<Value>| json!([r[0], r[1], !r[2].is_null(), r[3].is_null()]).to_string();
    let mut lines: Vec<String> = rows.into_iter().map(line).collect();
    lines.sort();
    Ok(lines)
}

const NATIVE: [&str; 2] = ["_valid_from", "_valid_to"];
const DLT: [&str; 2] = ["_dlt_valid_from", "_dlt_valid_to"];

async fn scd2_keeps_versions(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Scd2, &[], &[]);
    let first = r#"{"id":1,"v":"a","l":[{"n":1,"m":[1]}]} {"id":2,"v":"b"} {"id":3,"v":"c"}"#;
    let second = r#"{"id":1,"v":"a","l":[{"n":2,"m":[1]}]} {"id":2,"v":"b"}"#;
    run(&at, Native, &[(&rules, first), (&rules, second)]).await?;
    let expect = [r#"[1,"a",true,false]"#, r#"[1,"a",true,true]"#, r#"[2,"b",true,true]"#, r#"[3,"c",true,false]"#];
    assert_eq!(versions(&at, NATIVE).await?, expect);
    // Children of both versions are there, each with its own.
    check(&at, Native, r#"{"id":1,"v":"a","l":[{"n":1,"m":[1]}]} {"id":1,"v":"a","l":[{"n":2,"m":[1]}]} {"id":2,"v":"b"} {"id":3,"v":"c"}"#).await?;
    // One version ends at the moment the next begins.
    let rows = at.read("t").await?.select(&["id", "_valid_from", "_valid_to"]);
    let of_one: Vec<&Vec<Value>> = rows.iter().filter(|r| r[0] == json!(1)).collect();
    assert!(of_one.iter().any(|old| of_one.iter().any(|new| !old[2].is_null() && old[2] == new[1])), "{of_one:?}");
    Ok(())
}

async fn scd2_knows_a_record_that_returns(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Scd2, &[], &[]);
    let one = r#"{"id":1,"v":"a","l":[{"n":1}]}"#;
    run(&at, Native, &[(&rules, one), (&rules, r#"{"id":2}"#), (&rules, one)]).await?;
    let expect = [r#"[1,"a",true,false]"#, r#"[1,"a",true,true]"#, r#"[2,null,true,false]"#];
    assert_eq!(versions(&at, NATIVE).await?, expect);
    check(&at, Native, &format!("{one} {one} {}", r#"{"id":2}"#)).await
}

async fn scd2_ends_versions_only_in_groups_it_has(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Scd2, &[], &["id"]);
    run(&at, Native, &[(&rules, r#"{"id":1,"v":"a"} {"id":2,"v":"b"}"#), (&rules, r#"{"id":1,"v":"A"}"#)]).await?;
    let expect = [r#"[1,"A",true,true]"#, r#"[1,"a",true,false]"#, r#"[2,"b",true,true]"#];
    assert_eq!(versions(&at, NATIVE).await?, expect);
    Ok(())
}

async fn scd2_with_other_names_and_moments(at: Place) -> Result<()> {
    let (boundary, forever) = (1_700_000_000_000_000, 253_370_764_800_000_000);
    let columns = |boundary| Scd2 {
        valid_from: "since".into(),
        valid_to: "until".into(),
        active: Some(forever),
        boundary: Some(boundary),
    };
    let rules = |boundary| WriteRules { scd2: Some(columns(boundary)), ..merge(MergeStrategy::Scd2, &[], &[]) };
    let (early, late) = (rules(boundary), rules(boundary + 1_000_000));
    run(&at, Native, &[(&early, r#"{"id":1}"#), (&late, r#"{"id":2}"#)]).await?;
    let expect = vec![
        vec![json!(1), json!(timestamp(boundary)), json!(timestamp(boundary + 1_000_000))],
        vec![json!(2), json!(timestamp(boundary + 1_000_000)), json!(timestamp(forever))],
    ];
    assert_rows("validity", at.read("t").await?.select(&["id", "since", "until"]), expect);
    Ok(())
}

/// Rows that are appended have no validity, whatever stands there in versions that hold.
async fn scd2_takes_rows_without_validity_for_versions_that_hold(at: Place) -> Result<()> {
    let forever = 253_370_764_800_000_000;
    let columns = Scd2 { valid_from: "since".into(), valid_to: "until".into(), active: Some(forever), boundary: None };
    let versions = WriteRules { scd2: Some(columns), ..merge(MergeStrategy::Scd2, &[], &[]) };
    let append = WriteRules::default();
    let loads = [
        (&append, r#"{"id":1}"#),
        (&versions, r#"{"id":2}"#),
        (&append, r#"{"id":3} {"id":4}"#),
        (&versions, r#"{"id":4} {"id":5}"#),
    ];
    run(&at, Native, &loads).await?;
    let rows = at.read("t").await?.select(&["id", "until"]);
    let holds = |until: &Value| until.is_null() || *until == json!(timestamp(forever));
    let rows = rows.into_iter().map(|r| vec![r[0].clone(), json!(holds(&r[1]))]).collect();
    let expect = [(1, false), (2, false), (3, false), (4, true), (5, true)];
    assert_rows("versions", rows, expect.map(|(id, holds)| vec![json!(id), json!(holds)]).to_vec());
    Ok(())
}

/// Statements that merge have names of their own for rows; tables may have them too.
async fn scd2_in_tables_of_any_name(at: Place) -> Result<()> {
    const TABLES: [&str; 4] = ["s", "d", "k", "m"];
    let rules = merge(MergeStrategy::Scd2, &[], &["id"]);
    let package = |number, after: Option<&Package>, records| {
        let builder = match after {
            Some(earlier) => at.package(number).after(earlier),
            None => at.package(number),
        };
        TABLES.iter().fold(builder, |b, table| b.writing(rules.clone()).json(table, records)).build()
    };
    let first = package(1, None, r#"{"id":1,"v":"a"} {"id":2,"v":"a"}"#);
    at.load(&first).await?;
    at.load(&package(2, Some(&first), r#"{"id":1,"v":"b"}"#)).await?;
    for table in TABLES {
        let rows = at.read(table).await?.select(&["id", "v", NATIVE[1]]);
        let rows = rows.into_iter().map(|r| vec![r[0].clone(), r[1].clone(), json!(r[2].is_null())]).collect();
        let expect = [json!([1, "a", false]), json!([1, "b", true]), json!([2, "a", true])];
        assert_rows(table, rows, expect.iter().map(|r| r.as_array().cloned().unwrap_or_default()).collect());
    }
    Ok(())
}

/// The id of a version is the hash of its record, as dlt computes it.
async fn scd2_in_dlt_mode(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Scd2, &[], &[]);
    run(&at, Dlt, &[(&rules, r#"{"id":1,"v":1}"#), (&rules, r#"{"id":1,"v":2}"#), (&rules, r#"{"v":2,"id":1}"#)])
        .await?;
    let expect = [r#"[1,1,true,false]"#, r#"[1,2,true,true]"#];
    assert_eq!(versions(&at, DLT).await?, expect);
    let expect = vec![vec![json!("LUMPmT/OVz+TPg")], vec![json!("ly6fa01bkKncuw")]];
    assert_rows("ids", at.read("t").await?.select(&["_dlt_id"]), expect);
    Ok(())
}

/// There child tables have no root ids, since no version's children ever go.
async fn scd2_in_dlt_mode_keeps_the_children_of_versions(at: Place) -> Result<()> {
    let rules = merge(MergeStrategy::Scd2, &[], &[]);
    let (one, two) = (r#"{"id":1,"v":"a","l":[{"n":1,"m":[1,2]}]}"#, r#"{"id":2,"v":"b","l":[{"n":2}]}"#);
    let changed = r#"{"id":1,"v":"a","l":[{"n":1,"m":[1,3]},{"n":4,"m":[5]}]}"#;
    let (first, second) = (format!("{one} {two}"), format!("{changed} {two}"));
    run(&at, Dlt, &[(&rules, &first), (&rules, &first), (&rules, &second)]).await?;
    check(&at, Dlt, &format!("{one} {two} {changed}")).await?;
    let expect = [r#"[1,"a",true,false]"#, r#"[1,"a",true,true]"#, r#"[2,"b",true,true]"#];
    assert_eq!(versions(&at, DLT).await?, expect);
    Ok(())
}

/// A record that stands for a deletion ends its version, and does not leave its children behind.
async fn scd2_in_dlt_mode_takes_deletions(at: Place) -> Result<()> {
    let rules = WriteRules { hard_delete: Some("gone".into()), ..merge(MergeStrategy::Scd2, &[], &[]) };
    let one = r#"{"id":1,"v":"a","l":[{"n":1,"m":[1]}]}"#;
    let deleted = r#"{"id":1,"v":"a","gone":true,"l":[{"n":5,"m":[6]}]} {"id":2,"v":"b","l":[{"n":2,"m":[3]}]}"#;
    run(&at, Dlt, &[(&rules, one), (&rules, deleted)]).await?;
    assert_eq!(versions(&at, DLT).await?, [r#"[1,"a",true,false]"#, r#"[2,"b",true,true]"#]);
    at.check("t__l", &["n"], "[1] [2]").await?;
    at.check("t__l__m", &["value"], "[1] [3]").await
}

/// A merge by key finds the children of versions too.
async fn scd2_in_dlt_mode_comes_between_merges_by_key(at: Place) -> Result<()> {
    let (by_key, versions) = (delete_insert(), merge(MergeStrategy::Scd2, &[], &[]));
    let (old, two) = (r#"{"id":1,"v":"a","l":[{"n":1,"m":[1]}]}"#, r#"{"id":2,"v":"b","l":[{"n":2,"m":[2]}]}"#);
    let (new, last) = (r#"{"id":1,"v":"A","l":[{"n":3,"m":[4,5]}]}"#, r#"{"id":1,"v":"z","l":[{"n":9}]}"#);
    let held = format!("{new} {two}");
    let loads = [(&by_key, old), (&versions, held.as_str())];
    let second = run(&at, Dlt, &loads).await?;
    check(&at, Dlt, &format!("{old} {held}")).await?;
    at.load(&next_dlt(&at, 3, Some(&second), &by_key, last)).await?;
    check(&at, Dlt, &format!("{last} {two}")).await
}

/// A load that appends, replaces or merges by key fills the hash too, so that the next `scd2` knows its records.
async fn scd2_comes_between_other_ways(at: Place) -> Result<()> {
    let (versions, append) = (merge(MergeStrategy::Scd2, &[], &[]), WriteRules::default());
    let (two, new) = (r#"{"id":2,"v":"b","l":[{"n":2,"m":[1]}]}"#, r#"{"id":1,"v":"A"}"#);
    let (by_key, both) = (delete_insert(), format!("{new} {two}"));
    let loads =
        [(&versions, r#"{"id":1,"v":"a","l":[{"n":1}]}"#), (&append, two), (&by_key, new), (&versions, both.as_str())];
    let last = run(&at, Native, &loads).await?;
    check(&at, Native, &both).await?;
    let replaced = next(&at, 5, Some(&last), &replace(), r#"{"id":3,"v":"c"}"#);
    at.load(&replaced).await?;
    check(&at, Native, r#"{"id":3,"v":"c"}"#).await?;
    at.load(&next(&at, 6, Some(&replaced), &versions, r#"{"v":"c","id":3}"#)).await?;
    check(&at, Native, r#"{"id":3,"v":"c"}"#).await
}
