//! What every case works with: an empty place, packages for it, and checks that read like data.

use crate::fixture::{self, Package, PackageBuilder};
use crate::harness::Site;
use crate::rows::{Rows, json_text};
use longshore_core::Result;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_core::package::Target;
use longshore_core::schema::DataType;
use serde_json::Value;
use std::sync::Arc;

/// The pipeline most cases load with.
pub const PIPELINE: &str = "conformance";

/// The place of one case.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) site: Arc<dyn Site>,
}

impl Place {
    pub(super) fn new(site: Arc<dyn Site>) -> Self {
        Place { site }
    }

    pub(super) fn target(&self) -> Target {
        Target { pipeline: PIPELINE.to_owned(), dataset: self.site.dataset().to_owned() }
    }

    /// Begins the package of this place's `number`-th load.
    pub(super) fn package(&self, number: u64) -> PackageBuilder {
        PackageBuilder::new(PIPELINE, self.site.dataset(), number)
    }

    /// A small package with a child table and a state: what most cases of repeating load.
    pub(super) fn orders(&self, number: u64) -> Package {
        let package = self.package(number).json("orders", r#"{"id":1,"lines":[{"sku":"a"},{"sku":"b"}]} {"id":2}"#);
        package.state(serde_json::json!({"cursor": number})).build()
    }

    /// Asserts that the rows of [`Place::orders`] stand there `times` times.
    pub(super) async fn check_orders(&self, times: usize) -> Result<()> {
        let repeated = |rows: &str| rows.repeat(times);
        self.check("orders", &["id"], &repeated("[1] [2] ")).await?;
        self.check("orders__lines", &["sku"], &repeated("[\"a\"] [\"b\"] ")).await
    }

    pub(super) async fn open(&self) -> Result<Arc<dyn Destination>> {
        self.site.open().await
    }

    /// Loads a package in a session of its own.
    pub(super) async fn load(&self, package: &Package) -> Result<CommitOutcome> {
        fixture::load(&*self.open().await?, package).await
    }

    /// Reads a table of the place's dataset.
    ///
    /// # Panics
    /// When there is no such table.
    pub(super) async fn read(&self, table: &str) -> Result<Rows> {
        let rows = self.site.read(self.site.dataset(), table).await?;
        Ok(rows.unwrap_or_else(|| panic!("there is no table '{table}'")))
    }

    /// Reads a table with the JSON columns of the package parsed.
    pub(super) async fn read_typed(&self, package: &Package, table: &str) -> Result<Rows> {
        let mut rows = self.read(table).await?;
        let columns = package.manifest.schema.table(table).map_or(&[][..], |t| &t.columns);
        for column in columns.iter().filter(|c| c.data_type == DataType::Json) {
            rows.parse_json(&column.name);
        }
        Ok(rows)
    }

    /// Asserts what stands in some columns of a table, rows in any order, written as JSON lists.
    pub(super) async fn check(&self, table: &str, columns: &[&str], expect: &str) -> Result<()> {
        self.check_in(self.site.dataset(), table, columns, expect).await
    }

    /// [`Place::check`] in another dataset.
    pub(super) async fn check_in(&self, dataset: &str, table: &str, columns: &[&str], expect: &str) -> Result<()> {
        let rows = self.site.read(dataset, table).await?.unwrap_or_else(|| panic!("there is no table '{table}'"));
        let expect = serde_json::Deserializer::from_str(expect).into_iter::<Vec<Value>>();
        let expect: Vec<Vec<Value>> = expect.collect::<Result<_, _>>().expect("a case lists its rows as JSON lists");
        assert_rows(&format!("'{table}' {columns:?}"), rows.select(columns), expect);
        Ok(())
    }

    /// Asserts that a reader sees no row of a table; the table itself may be there.
    pub(super) async fn check_nothing_in(&self, table: &str) -> Result<()> {
        let rows = self.site.read(self.site.dataset(), table).await?.unwrap_or_default().rows;
        assert!(rows.is_empty(), "a reader sees {} rows of '{table}'", rows.len());
        Ok(())
    }

    /// Asserts that nothing of a package is there: no rows, no record, no schema, no state.
    pub(super) async fn check_nothing_of(&self, package: &Package) -> Result<()> {
        for table in &package.manifest.tables {
            self.check_nothing_in(&table.table).await?;
        }
        let destination = self.open().await?;
        let (target, load_id) = (&package.manifest.target, &package.manifest.load_id);
        assert!(!destination.is_committed(target, load_id).await?, "the load counts as committed");
        assert_eq!(destination.last_committed(target).await?, None);
        let listed = destination.tables(&target.dataset).await?;
        assert!(listed.iter().all(|t| t.rows == 0), "tables with rows are left: {listed:?}");
        Ok(())
    }
}

/// Asserts equal rows in any order, and shows the first ones that differ.
pub(super) fn assert_rows(what: &str, found: Vec<Vec<Value>>, expect: Vec<Vec<Value>>) {
    let texts = |mut rows: Vec<Vec<Value>>| {
        // The keys of a JSON object have no order.
        rows.iter_mut().flatten().for_each(Value::sort_all_objects);
        let mut texts: Vec<String> = rows.iter().map(|row| json_text(row)).collect();
        texts.sort();
        texts
    };
    let (found, expect) = (texts(found), texts(expect));
    if found != expect {
        let cut = |row: &String| row.chars().take(2000).collect::<String>();
        let missing: Vec<String> = expect.iter().filter(|r| !found.contains(r)).take(5).map(cut).collect();
        let unexpected: Vec<String> = found.iter().filter(|r| !expect.contains(r)).take(5).map(cut).collect();
        panic!(
            "{what}: {} rows instead of {}\n  missing: {missing:#?}\n  unexpected: {unexpected:#?}",
            found.len(),
            expect.len()
        );
    }
}

/// Returns the counts of a commit.
///
/// # Panics
/// When the load was committed before.
pub(super) fn counts(outcome: CommitOutcome) -> Vec<(String, u64)> {
    let CommitOutcome::Committed(counts) = outcome else { panic!("the load was not committed before") };
    let mut counts: Vec<(String, u64)> = counts.into_iter().map(|c| (c.table, c.rows)).collect();
    counts.sort();
    counts
}

/// Returns what a commit of the package has to count.
pub(super) fn expected_counts(package: &Package) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = package.manifest.tables.iter().map(|t| (t.table.clone(), t.rows)).collect();
    counts.sort();
    counts
}
