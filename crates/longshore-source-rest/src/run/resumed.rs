//! What the journal of an interrupted run tells: how far each chain came, and which pages' children are missing.

use crate::chain::{Progress, fingerprint};
use crate::journal::PageFrame;
use std::collections::{BTreeMap, HashSet};

/// Chains that an interrupted run had begun.
#[derive(Debug, Default)]
pub(crate) struct Resumed {
    pub(super) chains: BTreeMap<String, Begun>,
    pub(super) ended: bool,
    pub(super) pages: u64,
}

#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) progress: Option<Progress>,
    pub(super) visited: HashSet<u64>,
    /// Pages whose dependent resources are not all fetched: where their frames stand.
    pub(super) open: BTreeMap<u64, u64>,
}

impl Resumed {
    pub(super) fn page(&mut self, offset: u64, page: &PageFrame) {
        let begun = self.chains.entry(page.chain.clone()).or_default();
        if !page.parents.is_empty() {
            begun.open.insert(page.progress.pages, offset);
        }
        begun.visited.extend(page.progress.next.iter().map(fingerprint));
        begun.progress = Some(page.progress.clone());
        self.pages += 1;
    }

    /// The chains below that page are of no more interest.
    pub(super) fn children(&mut self, chain: &str, page: u64) {
        if let Some(begun) = self.chains.get_mut(chain) {
            begun.open.remove(&page);
        }
        let prefix = format!("{chain}.{page}.");
        let below: Vec<String> = self
            .chains
            .range(prefix.clone()..)
            .take_while(|(k, _)| k.starts_with(&prefix))
            .map(|(k, _)| k.clone())
            .collect();
        below.iter().for_each(|name| drop(self.chains.remove(name)));
    }
}
