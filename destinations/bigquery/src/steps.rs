//! A commit in as few transactions as BigQuery's limits allow: usually one.
//!
//! Where a load is cut has to be the same in every try of it, since a try goes on behind the transactions that an earlier one has
//! committed. How many files its rows are in depends on chance, so statements are measured as if each table had one.

use crate::script::{Script, Text, widest};
use crate::stage::{Place, StagedRows};
use crate::tables::Ensured;
use crate::units::Unit;
use longshore_core::dlt::Documents;
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use std::collections::BTreeMap;

/// A transaction may change 100 tables (https://cloud.google.com/bigquery/quotas); the loader's own are four of them.
const MOST_TABLES: usize = 90;
/// A query's text may have 1 MB (https://cloud.google.com/bigquery/quotas#query_jobs); above this a load is cut,
const ENOUGH_TEXT: usize = 900_000;
/// and above this it is refused: in more files than one its statements are longer.
const LONGEST_TEXT: usize = 1_000_000;

/// What all transactions of a load have in common.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) load: &'a Place,
    pub(crate) manifest: &'a Manifest,
    pub(crate) there: &'a BTreeMap<String, Ensured>,
    pub(crate) documents: Option<&'a Documents>,
}

impl<'a> Context<'a> {
    fn script<'b>(self, step: &'b [Unit<'b>], number: usize, is_last: bool) -> Script<'b>
    where
        'a: 'b,
    {
        let Context { load, manifest, there, documents } = self;
        Script { load, manifest, there, documents, step, number, is_last }
    }

    /// Cuts a load into transactions. `alike` are the same units with their rows in one file a table.
    pub(crate) fn steps<'b>(self, units: Vec<Unit<'b>>, alike: &[Unit<'_>]) -> Result<Vec<Vec<Unit<'b>>>> {
        let length = |units: &[Unit<'_>]| self.script(units, 0, true).text().map(|text| text.sql.len());
        let always = length(&[])?;
        let mut sizes = Vec::with_capacity(alike.len());
        for unit in alike {
            let more = length(std::slice::from_ref(unit))?.saturating_sub(always);
            sizes.push(Size { tables: unit.changed(), text: more });
        }
        Ok(cut(units.into_iter().zip(sizes).collect(), always))
    }

    /// Returns the scripts of all transactions, with their texts; an error where one is longer than BigQuery takes.
    pub(crate) fn scripts<'b>(self, steps: &'b [Vec<Unit<'b>>]) -> Result<Vec<(Script<'b>, Text)>>
    where
        'a: 'b,
    {
        let mut scripts = Vec::with_capacity(steps.len());
        for (number, step) in steps.iter().enumerate() {
            let script = self.script(step, number, number + 1 == steps.len());
            let text = script.text()?;
            check_length(text.sql.len(), step)?;
            scripts.push((script, text));
        }
        Ok(scripts)
    }
}

/// Returns the staged rows as if each table's were in one file, with all columns of the table.
pub(crate) fn in_one_file(manifest: &Manifest, staged: &[StagedRows]) -> Vec<StagedRows> {
    let one = |s: &StagedRows| {
        let columns = manifest.schema.table(&s.table).map_or_else(|| widest(s).to_vec(), |t| t.columns.clone());
        let name = s.files.first().map(|(name, _)| name.clone()).unwrap_or_default();
        StagedRows { table: s.table.clone(), rows: s.rows, is_ordered: s.is_ordered, files: vec![(name, columns)] }
    };
    staged.iter().map(one).collect()
}

/// What a unit adds to a transaction.
#[derive(Clone, Copy)]
struct Size {
    tables: usize,
    text: usize,
}

/// Puts units into a transaction as long as they fit; `always` is the text that each has.
fn cut<T>(units: Vec<(T, Size)>, always: usize) -> Vec<Vec<T>> {
    let (mut steps, mut tables, mut text) = (vec![Vec::new()], 0, always);
    for (unit, size) in units {
        let fits = tables + size.tables <= MOST_TABLES && text + size.text <= ENOUGH_TEXT;
        match steps.last_mut() {
            Some(step) if step.is_empty() || fits => step.push(unit),
            _ => {
                steps.push(vec![unit]);
                (tables, text) = (0, always);
            }
        }
        tables += size.tables;
        text += size.text;
    }
    steps
}

fn check_length(length: usize, step: &[Unit<'_>]) -> Result<()> {
    if length <= LONGEST_TEXT {
        return Ok(());
    }
    let largest = step.iter().flat_map(|unit| &unit.shapes).max_by_key(|shape| shape.table.columns.len());
    let table = largest.map_or("", |shape| shape.table.name.as_str());
    Err(Error::destination(format!(
        "the statements of one transaction are {length} bytes long, and BigQuery takes {LONGEST_TEXT}"
    ))
    .with("table", table)
    .hint("nothing was loaded: give the table fewer columns (--ignore, --flatten) or shorter names, or load less at once; the package that waits is given up with 'longshore pipeline NAME drop-package'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(of: &[(usize, usize)], always: usize) -> Vec<usize> {
        let units = of.iter().map(|(tables, text)| ((), Size { tables: *tables, text: *text })).collect();
        cut(units, always).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_load_is_cut_where_a_transaction_has_too_many_tables_or_too_long_a_text() {
        assert_eq!(sizes(&[], 10), [0], "the load's record needs a transaction");
        assert_eq!(sizes(&[(1, 1000); 90], 1000), [90]);
        assert_eq!(sizes(&[(1, 1000); 91], 1000), [90, 1]);
        assert_eq!(sizes(&[(1, 400_000); 3], 1000), [2, 1]);
        assert_eq!(sizes(&[(1, 300_000); 6], 1000), [2, 2, 2], "what each has counts");
        assert_eq!(sizes(&[(200, 5), (1, 2_000_000), (1, 5)], 10), [1, 1, 1], "what cannot be torn apart stands alone");
    }

    #[test]
    fn what_no_cut_makes_short_enough_is_refused() {
        check_length(LONGEST_TEXT, &[]).unwrap();
        let error = check_length(LONGEST_TEXT + 1, &[]).unwrap_err();
        assert!(error.message().contains("1000001 bytes"), "{error}");
        assert!(error.hint_text().is_some_and(|h| h.starts_with("nothing was loaded")), "{error:?}");
    }
}
