//! Several sources one after the other, as one: their resources numbered through, the state of each under its name.

use longshore_core::error::Result;
use longshore_core::source::{Block, Source, Start};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The sources of a run, by name.
pub(crate) struct Several {
    parts: Vec<Part>,
    current: usize,
    /// Resources of which no more is wanted, numbered through.
    skipped: BTreeSet<usize>,
    /// States of sources that this run leaves out stay as they were.
    others: Map<String, Value>,
}

/// One of them.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) source: Box<dyn Source>,
    /// How many resources it has.
    pub(crate) resources: usize,
    /// Its state stands under its name already, as dlt's does.
    pub(crate) names_itself: bool,
}

impl Several {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Several { parts, current: 0, skipped: BTreeSet::new(), others: Map::new() }
    }

    /// The number of the current source's first resource.
    fn offset(&self) -> usize {
        self.parts[..self.current].iter().map(|p| p.resources).sum()
    }

    /// True when nothing more is wanted of the current source.
    fn is_skipped(&self) -> bool {
        let (first, count) = (self.offset(), self.parts[self.current].resources);
        count > 0 && (first..first + count).all(|resource| self.skipped.contains(&resource))
    }
}

impl Source for Several {
    fn begin(&mut self, start: &Start) -> Result<()> {
        let known = start.state.as_ref().and_then(|s| s.get("sources")).and_then(Value::as_object);
        let mut known = known.cloned().unwrap_or_default();
        for part in &mut self.parts {
            let state = known.remove(&part.name);
            let state = if part.names_itself { state.map(|s| json!({ "sources": { &part.name: s } })) } else { state };
            let journal = start.journal.as_ref().map(|j| j.join(&part.name));
            part.source.begin(&Start { load_id: start.load_id.clone(), state, journal })?;
        }
        self.others = known;
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        while self.current < self.parts.len() {
            let offset = self.offset();
            if !self.is_skipped()
                && let Some(block) = self.parts[self.current].source.next_block()?
            {
                let resource = block.resource() + offset;
                return Ok(Some(block.of_resource(resource)));
            }
            self.current += 1;
        }
        Ok(None)
    }

    fn skip(&mut self, resource: usize) {
        self.skipped.insert(resource);
        let mut first = 0;
        for part in &mut self.parts {
            if (first..first + part.resources).contains(&resource) {
                part.source.skip(resource - first);
            }
            first += part.resources;
        }
    }

    fn recycle(&self, buffer: Vec<u8>) {
        if let Some(part) = self.parts.get(self.current) {
            part.source.recycle(buffer);
        }
    }

    fn state(&self) -> Option<Value> {
        let own = |part: &Part| match part.names_itself {
            true => part.source.state()?.get("sources")?.get(&part.name).cloned(),
            false => part.source.state(),
        };
        let states = self.parts.iter().filter_map(|p| Some((p.name.clone(), own(p)?)));
        let states: Map<String, Value> = self.others.clone().into_iter().chain(states).collect();
        if states.is_empty() { None } else { Some(json!({ "sources": states })) }
    }

    fn notes(&self) -> Vec<String> {
        self.parts.iter().flat_map(|p| p.source.notes()).collect()
    }

    fn finish(&mut self) -> Result<()> {
        self.parts.iter_mut().try_for_each(|p| p.source.finish())
    }
}
