//! Runs a source to its end, or to a kill, and gives its records back.
#![allow(dead_code, unused_imports, unreachable_pub)] // each test uses a part

use longshore_core::error::Result;
use longshore_core::package::LoadId;
use longshore_core::schema::SystemColumns;
use longshore_core::source::{Block, Source, Start};
use longshore_source_rest::{Notes, RestConfig, RestOptions, RestSource};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

pub use longshore_testkit::servers::http::{Answer, Asked, Server};

/// What a load brought.
#[derive(Debug, Default)]
pub struct Loaded {
    /// By resource's name.
    pub records: BTreeMap<String, Vec<Value>>,
    pub state: Option<Value>,
    pub notes: Vec<String>,
    pub requests: u64,
}

impl Loaded {
    pub fn of(&self, resource: &str) -> &[Value] {
        self.records.get(resource).map_or(&[], Vec::as_slice)
    }

    /// Values of a field, in order.
    pub fn values(&self, resource: &str, field: &str) -> Vec<Value> {
        self.of(resource).iter().map(|r| r[field].clone()).collect()
    }

    pub fn noted(&self, part: &str) -> bool {
        self.notes.iter().any(|n| n.contains(part))
    }
}

pub fn config(value: &Value) -> RestConfig {
    RestConfig::from_value(value)
        .unwrap_or_else(|p| panic!("{}", p.iter().map(|p| format!("{p}\n")).collect::<String>()))
}

/// How a load is run.
#[derive(Default, Clone)]
pub struct How<'a> {
    pub state: Option<Value>,
    pub journal: Option<&'a Path>,
    pub options: RestOptions,
    /// Stops after so many blocks, as a kill would.
    pub kill_after: Option<usize>,
    /// So long after the last of them: what can be fetched meanwhile is.
    pub linger: std::time::Duration,
}

pub fn run(value: &Value, how: &How<'_>) -> Result<Loaded> {
    let notes = Notes::default();
    let options = RestOptions { name: "test".into(), notes: notes.clone(), ..how.options.clone() };
    let parsed = config(value);
    let names: Vec<String> = parsed.resources().iter().map(|r| r.name.clone()).collect();
    let mut source = RestSource::new(parsed, options)?;
    source.begin(&Start {
        load_id: LoadId::from_micros(1, SystemColumns::Native),
        state: how.state.clone(),
        journal: how.journal.map(Path::to_owned),
    })?;
    let (mut loaded, mut blocks) = (Loaded::default(), 0);
    loop {
        if how.kill_after == Some(blocks) {
            std::thread::sleep(how.linger);
            break;
        }
        let Some(block) = source.next_block()? else { break };
        blocks += 1;
        let Block::Json(block) = block else { panic!("an API brings JSON") };
        assert!(block.pages && block.records.is_none());
        let page: Value = serde_json::from_slice(&block.bytes).expect("blocks are JSON");
        let records = match page {
            Value::Array(list) => list,
            one => vec![one],
        };
        loaded.records.entry(names[block.resource].clone()).or_default().extend(records);
    }
    source.finish()?;
    loaded.state = source.state();
    loaded.requests = source.requests();
    loaded.notes = notes.all().into_iter().map(|n| n.text).collect();
    Ok(loaded)
}

/// Runs to the end, without anything special.
pub fn load(value: &Value) -> Loaded {
    run(value, &How::default()).unwrap_or_else(|e| panic!("{e}\n{:?}", e.hint_text()))
}
