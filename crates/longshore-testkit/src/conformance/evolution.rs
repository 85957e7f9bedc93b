//! Columns become wider: in the rows that are there, in rows already staged, and in those that come.

use super::place::Place;
use super::{Case, cases};
use longshore_core::Result;
use longshore_core::capabilities::{Capabilities, Widening};
use longshore_core::normalize::SchemaRules;
use longshore_core::schema::{Conflict, DataType, Disposition, MergeStrategy, WriteRules};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    if capabilities.widens == Widening::Never {
        return cases![a_column_keeps_its_type];
    }
    let mut cases = cases![
        whole_numbers_become_doubles_while_rows_are_staged,
        whole_numbers_become_decimals_by_a_later_load,
        a_column_of_a_child_table_becomes_wider,
        a_wider_column_is_there_without_rows_of_its_table,
    ];
    match capabilities.widens {
        Widening::All => cases.extend(cases![columns_become_text, columns_become_json, a_column_is_widened_twice]),
        _ => cases.extend(cases![a_column_becomes_a_wider_number_only]),
    }
    if capabilities.dispositions.merge.contains(&MergeStrategy::DeleteInsert) {
        cases.extend(cases![rows_to_be_merged_become_wider]);
    }
    if capabilities.dispositions.replace {
        cases.extend(cases![replaced_rows_become_wider]);
    }
    cases
}

fn rules(policy: Conflict) -> SchemaRules {
    SchemaRules { can_widen: true, on_type_conflict: Some(policy), ..SchemaRules::default() }
}

async fn a_column_becomes_a_wider_number_only(at: Place) -> Result<()> {
    let rules = SchemaRules { only_numbers: true, ..rules(Conflict::Text) };
    let package = at.package(1).rules(rules).json("t", r#"{"v":1}"#).json("t", r#"{"v":"x"}"#).build();
    at.load(&package).await?;
    at.check("t", &["v", "v__v_text"], r#"[1,null] [null,"x"]"#).await
}

async fn a_column_keeps_its_type(at: Place) -> Result<()> {
    let package = at.package(1).json("t", r#"{"v":1}"#).json("t", r#"{"v":2.5}"#).build();
    at.load(&package).await?;
    at.check("t", &["v", "v__v_double"], "[1,null] [null,2.5]").await
}

async fn whole_numbers_become_doubles_while_rows_are_staged(at: Place) -> Result<()> {
    let widen = at.package(1).rules(rules(Conflict::Widen));
    let package = widen
        .json("t", r#"{"n":1,"v":1} {"n":2,"v":9007199254740992}"#)
        .json("t", r#"{"n":3,"v":3} {"n":4,"v":2.5,"w":"x"} {"n":5,"v":7}"#)
        .json("t", r#"{"n":6,"v":-8}"#)
        .build();
    assert_eq!(package.parts[0].table.column("v").map(|c| c.data_type), Some(DataType::Bigint));
    at.load(&package).await?;
    let expect = r#"[1,1.0,null] [2,9007199254740992.0,null] [3,3.0,null] [4,2.5,"x"] [5,7.0,null] [6,-8.0,null]"#;
    at.check("t", &["n", "v", "w"], expect).await
}

async fn whole_numbers_become_decimals_by_a_later_load(at: Place) -> Result<()> {
    let first = at.package(1).rules(rules(Conflict::Widen)).json("t", r#"{"v":-9223372036854775808} {"v":null}"#);
    let first = first.build();
    let second = at.package(2).rules(rules(Conflict::Widen)).after(&first);
    let second = second.json("t", r#"{"v":7} {"v":18446744073709551616}"#).build();
    assert_eq!(second.manifest.change.tables[0].retyped.len(), 1);
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["v"], r#"["-9223372036854775808"] [null] ["7"] ["18446744073709551616"]"#).await?;
    assert_eq!(at.open().await?.last_committed(&at.target()).await?.map(|c| c.schema), Some(second.manifest.schema));
    Ok(())
}

async fn columns_become_text(at: Place) -> Result<()> {
    let first = at.package(1).rules(rules(Conflict::Text)).json("t", r#"{"n":1,"i":7,"b":true} {"n":2,"b":false}"#);
    let first = first.build();
    let second = at.package(2).rules(rules(Conflict::Text)).after(&first);
    let second = second.json("t", r#"{"n":3,"i":8,"b":true}"#).json("t", r#"{"n":4,"i":"x","b":"y"}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["n", "i", "b"], r#"[1,"7","True"] [2,null,"False"] [3,"8","True"] [4,"x","y"]"#).await
}

async fn columns_become_json(at: Place) -> Result<()> {
    let first = at.package(1).rules(rules(Conflict::Json)).json("t", r#"{"n":1,"i":7,"b":true}"#).build();
    let second = at.package(2).rules(rules(Conflict::Json)).after(&first);
    let second = second.json("t", r#"{"n":2,"i":8,"b":false}"#).json("t", r#"{"n":3,"i":"x","b":1.5}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    let found = at.read_typed(&second, "t").await?.select(&["n", "i", "b"]);
    let expect = serde_json::json!([[1, 7, true], [2, 8, false], [3, "x", 1.5]]);
    assert_eq!(serde_json::Value::from(found.into_iter().map(serde_json::Value::from).collect::<Vec<_>>()), expect);
    Ok(())
}

async fn a_column_of_a_child_table_becomes_wider(at: Place) -> Result<()> {
    let package = at.package(1).rules(rules(Conflict::Widen));
    let package = package.json("t", r#"{"l":[1,2]}"#).json("t", r#"{"l":[3,0.5]}"#).build();
    at.load(&package).await?;
    at.check("t__l", &["value"], "[1.0] [2.0] [3.0] [0.5]").await
}

async fn a_wider_column_is_there_without_rows_of_its_table(at: Place) -> Result<()> {
    let first = at.package(1).rules(rules(Conflict::Widen)).json("t", r#"{"v":1}"#).build();
    let mut second = at.package(2).rules(rules(Conflict::Widen)).after(&first).json("t", r#"{"v":0.5}"#).build();
    second.parts.clear();
    second.manifest.tables.clear();
    at.load(&first).await?;
    at.load(&second).await?;
    let third = at.package(3).after(&second).json("t", r#"{"v":0.25}"#).build();
    at.load(&third).await?;
    at.check("t", &["v"], "[1.0] [0.25]").await
}

async fn a_column_is_widened_twice(at: Place) -> Result<()> {
    let first = at.package(1).rules(rules(Conflict::Widen)).json("t", r#"{"v":1}"#).json("t", r#"{"v":0.5}"#).build();
    let second = at.package(2).rules(rules(Conflict::Text)).after(&first);
    let second = second.json("t", r#"{"v":2.25}"#).json("t", r#"{"v":"x"}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    let texts = at.read("t").await?.column("v");
    let numbers: Vec<f64> = texts.iter().filter_map(|v| v.as_str()?.parse().ok()).collect();
    assert_eq!((texts.len(), numbers.iter().sum::<f64>()), (4, 3.75));
    Ok(())
}

async fn rows_to_be_merged_become_wider(at: Place) -> Result<()> {
    let merge =
        WriteRules { disposition: Disposition::Merge, primary_key: vec!["id".to_owned()], ..WriteRules::default() };
    let first = at.package(1).rules(rules(Conflict::Widen)).writing(merge.clone());
    let first = first.json("t", r#"{"id":1,"v":1} {"id":2,"v":2}"#).build();
    let second = at.package(2).rules(rules(Conflict::Widen)).writing(merge).after(&first);
    let second = second.json("t", r#"{"id":2,"v":3}"#).json("t", r#"{"id":3,"v":0.5}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id", "v"], "[1,1.0] [2,3.0] [3,0.5]").await
}

async fn replaced_rows_become_wider(at: Place) -> Result<()> {
    let replace = WriteRules { disposition: Disposition::Replace, ..WriteRules::default() };
    let first = at.package(1).rules(rules(Conflict::Widen)).writing(replace.clone()).json("t", r#"{"v":1}"#).build();
    let second = at.package(2).rules(rules(Conflict::Widen)).writing(replace).after(&first);
    let second = second.json("t", r#"{"v":2}"#).json("t", r#"{"v":0.5}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["v"], "[2.0] [0.5]").await
}
