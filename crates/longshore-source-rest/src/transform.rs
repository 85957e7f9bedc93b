//! From a page's records to what goes to the table: fields of the parent put in, steps done, the incremental's
//! range kept. Where nothing has to be changed, bytes pass as they came.

use crate::chain::{Context, Step};
use crate::depend::capture;
use crate::doc::{Doc, Val};
use crate::incremental::{Observed, Verdict};
use crate::plan::Resource;
use crate::select::Selected;
use crate::template::Scope;
use crate::tree::Tree;
use longshore_core::error::{Error, Result};

/// What came of a page, and whether the rest lies outside of the range.
pub(crate) struct Transformed {
    pub(crate) step: Step,
    pub(crate) stop: bool,
}

/// Works on one page.
pub(crate) fn page(about: Context<'_>, doc: Option<Doc>, selected: &Selected) -> Result<Transformed> {
    let Some(doc) = doc else { return Err(Error::internal("records without a document")) };
    let resource = about.resource;
    if resource.include.is_empty() && resource.steps.is_empty() {
        return judged(about, doc, selected);
    }
    let changed = change(resource, about.scope, &doc, selected)?;
    let doc = Doc::parse(changed).map_err(|e| Error::internal("a changed page is not JSON").with("byte", e.offset))?;
    judged(about, doc, &Selected::List(0))
}

/// Keeps what belongs to the range; takes out what dependent resources need.
fn judged(about: Context<'_>, mut doc: Doc, selected: &Selected) -> Result<Transformed> {
    let (resource, mut observed, mut stop) = (about.resource, Observed::default(), false);
    let records = selected.records(&doc);
    let mut kept: Vec<Val<'_>> = Vec::with_capacity(records.len());
    match (&resource.incremental, about.range) {
        (Some(plan), Some(range)) => {
            for record in &records {
                match plan.judge(range, &mut observed, &doc, *record)? {
                    Verdict::Keep => kept.push(*record),
                    Verdict::Drop => {}
                    Verdict::Stop => stop = true,
                }
            }
        }
        _ => kept.clone_from(&records),
    }
    let parents = match resource.captures.as_slice() {
        [] => Vec::new(),
        paths => kept.iter().map(|record| capture(paths, &doc, *record)).collect(),
    };
    let count = kept.len() as u64;
    let block = match selected {
        _ if !about.selected || kept.is_empty() => Vec::new(),
        Selected::List(at) if kept.len() == records.len() => {
            let range = doc.at(*at).range();
            let mut bytes = std::mem::take(&mut doc.bytes);
            bytes.truncate(range.end);
            bytes.drain(..range.start);
            bytes
        }
        _ => list(kept.iter().map(|r| r.raw())),
    };
    let step = Step { block, records: if about.selected { count } else { 0 }, parents, observed };
    Ok(Transformed { step, stop })
}

fn list<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![b'['];
    for record in records {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(record);
    }
    out.push(b']');
    out
}

/// Fields of the parent first, then the steps, as dlt has it.
fn change(resource: &Resource, scope: Scope<'_>, doc: &Doc, selected: &Selected) -> Result<Vec<u8>> {
    let included: Vec<(&str, &str)> = resource
        .include
        .iter()
        .map(|(name, from, slot)| (name.as_str(), scope.parent.and_then(|p| p.value(*from, *slot)).unwrap_or("null")))
        .collect();
    if resource.steps.is_empty() {
        let mut out = vec![b'['];
        for record in selected.records(doc) {
            separate(&mut out);
            include(record, &included, &mut out);
        }
        out.push(b']');
        return Ok(out);
    }
    let with_included = |record| {
        let mut tree = Tree::of(record);
        included.iter().for_each(|(name, raw)| tree.set(name, raw_tree(raw)));
        tree
    };
    let records: Vec<Tree> = selected.records(doc).into_iter().map(with_included).collect();
    let records = resource.steps.iter().try_fold(records, |records, step| step.apply(records))?;
    Ok(Tree::List(records).to_bytes())
}

fn separate(out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
}

/// Writes a record with fields of its parent behind its own; the record's bytes stay as they are.
fn include(record: Val<'_>, included: &[(&str, &str)], out: &mut Vec<u8>) {
    let raw = record.raw();
    if !record.is_object() {
        return out.extend_from_slice(raw);
    }
    if included.iter().any(|(name, _)| record.get(name).is_some()) {
        let mut tree = Tree::of(record);
        included.iter().for_each(|(name, raw)| tree.set(name, raw_tree(raw)));
        return tree.write(out);
    }
    let mut first = record.entries().next().is_none();
    out.extend_from_slice(&raw[..raw.len() - 1]);
    for (name, value) in included {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(crate::tree::quoted(name).as_bytes());
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
}

fn raw_tree(raw: &str) -> Tree {
    match Doc::parse(raw.as_bytes().to_vec()) {
        Ok(doc) => Tree::of(doc.root()),
        Err(_) => Tree::null(),
    }
}
