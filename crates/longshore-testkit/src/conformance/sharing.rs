//! Several pipelines in one dataset, several datasets in one destination.

use super::place::Place;
use super::{Case, cases};
use crate::fixture::{PackageBuilder, load};
use longshore_core::Result;
use longshore_core::package::Target;
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    cases![two_pipelines_have_schemas_and_states_of_their_own, two_pipelines_fill_one_table, two_datasets_are_apart,]
}

async fn two_pipelines_have_schemas_and_states_of_their_own(at: Place) -> Result<()> {
    let dataset = at.site.dataset();
    let one = PackageBuilder::new("one", dataset, 1).json("a", r#"{"x":1}"#).state(json!({"of": "one"})).build();
    let two = PackageBuilder::new("two", dataset, 2).json("b", r#"{"y":2}"#).build();
    at.load(&one).await?;
    let destination = at.open().await?;
    assert_eq!(destination.last_committed(&two.manifest.target).await?, None);
    load(&*destination, &two).await?;
    let last =
        async |target: &Target| destination.last_committed(target).await.map(|c| c.expect("a load was committed"));
    let (last_one, last_two) = (last(&one.manifest.target).await?, last(&two.manifest.target).await?);
    assert_eq!((last_one.schema, last_one.state), (one.manifest.schema.clone(), Some(json!({"of": "one"}))));
    assert_eq!((last_two.schema, last_two.state), (two.manifest.schema.clone(), None));
    assert_eq!((last_one.load_id, last_two.load_id), (one.manifest.load_id, two.manifest.load_id));
    Ok(())
}

/// Neither knows the other's columns: rows go by the columns' names, not by their positions.
async fn two_pipelines_fill_one_table(at: Place) -> Result<()> {
    let dataset = at.site.dataset();
    let one = PackageBuilder::new("one", dataset, 1).json("t", r#"{"a":1,"b":2}"#).build();
    let two = PackageBuilder::new("two", dataset, 2).json("t", r#"{"c":3,"b":4}"#).build();
    at.load(&one).await?;
    at.load(&two).await?;
    at.check("t", &["a", "b", "c"], "[1,2,null] [null,4,3]").await?;
    assert_eq!(
        at.open().await?.last_committed(&one.manifest.target).await?.map(|c| c.schema),
        Some(one.manifest.schema)
    );
    Ok(())
}

async fn two_datasets_are_apart(at: Place) -> Result<()> {
    let (here, there) = (at.site.dataset().to_owned(), format!("{}_two", at.site.dataset()));
    let one = at.package(1).json("t", r#"{"a":1}"#).state(json!({"in": 1})).build();
    // The same load id: the same package may be loaded into several datasets.
    let two = PackageBuilder::new(super::place::PIPELINE, &there, 1).json("t", r#"{"a":"text"}"#).build();
    let destination = at.open().await?;
    load(&*destination, &one).await?;
    assert_eq!(destination.last_committed(&two.manifest.target).await?, None);
    assert!(!destination.is_committed(&two.manifest.target, &two.manifest.load_id).await?);
    assert_eq!(destination.tables(&there).await?, []);
    load(&*destination, &two).await?;
    drop(destination);
    at.check_in(&here, "t", &["a"], "[1]").await?;
    at.check_in(&there, "t", &["a"], r#"["text"]"#).await?;
    let destination = at.open().await?;
    assert_eq!(destination.last_committed(&one.manifest.target).await?.and_then(|c| c.state), Some(json!({"in": 1})));
    assert_eq!(destination.last_committed(&two.manifest.target).await?.and_then(|c| c.state), None);
    Ok(())
}
