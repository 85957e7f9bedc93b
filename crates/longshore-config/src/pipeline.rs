//! The settings of `[pipeline]`.

use crate::memory::memory_size;
use crate::node::{Entry, Value};
use crate::problem::Problem;
use crate::rules;
use crate::section::Section;
use longshore_core::misspelt::suggest;
use longshore_core::naming;

/// No machine is faster by more threads, and each has buffers of its own: with thousands a load hardly begins.
pub const MOST_THREADS: u64 = 1024;

/// What `[pipeline]` says; what it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineSettings {
    /// Names the state and the packages.
    pub name: Option<String>,
    /// The dataset.
    pub dataset: Option<String>,
    /// Names, kinds or URLs of destinations.
    pub destinations: Vec<String>,
    /// `native` or `dlt`.
    pub system_columns: Option<String>,
    /// `drop_sources`, `drop_resources` or `drop_data`.
    pub refresh: Option<String>,
    /// `fail` or `reject`.
    pub on_error: Option<String>,
    /// `auto`, `bar`, `log` or `off`.
    pub progress: Option<String>,
    /// A mode, or a table of modes.
    pub schema_contract: Option<serde_json::Value>,
    /// `variant`, `widen`, `text`, `json` or `reject`.
    pub on_type_conflict: Option<String>,
    /// As `--max-tables`.
    pub max_tables: Option<u64>,
    /// As `--max-columns`.
    pub max_columns: Option<u64>,
    /// A folder, relative to the project's.
    pub export_schema_path: Option<String>,
    /// A folder, relative to the project's.
    pub import_schema_path: Option<String>,
    /// As `--memory`: `256M`.
    pub memory: Option<String>,
    /// Threads.
    pub threads: Option<u64>,
    /// Levels of nesting that become columns and tables.
    pub max_nesting: Option<u64>,
    /// Loaded packages that are kept.
    pub keep_packages: Option<u64>,
}

/// The keys, with what the JSON Schema says of each.
pub(crate) const KEYS: [(&str, &str); 17] = [
    ("name", "Names the state and the packages."),
    ("dataset", "Schema or folder the tables stand in; by default the name with _dataset behind it."),
    ("destination", "A kind, a name from [destinations], a URL, or a list of them."),
    ("system_columns", "Names and form of the loader's own columns and tables."),
    ("refresh", "What goes before the new rows come, at each run."),
    ("on_error", "What to do with records that are not JSON."),
    ("progress", "How to show progress."),
    ("memory", "Memory to stay within, such as 256M or 2G."),
    ("threads", "Threads to use; by default as many as there are processors."),
    ("max_nesting", "Levels of nesting that become columns and tables; deeper ones stay JSON."),
    ("schema_contract", "What of the schema may grow: a mode, or modes for tables, columns and data_type."),
    ("on_type_conflict", "What becomes of values that do not fit their column."),
    ("max_tables", "Tables that the dataset may have."),
    ("max_columns", "Columns that a table may have."),
    ("export_schema_path", "Folder the schema is written to after each load."),
    ("import_schema_path", "Folder with a schema to go by, which may be edited."),
    ("keep_packages", "Loaded packages that are kept, to be loaded elsewhere later."),
];

/// The words a key may have.
pub(crate) fn words(key: &str) -> &'static [&'static str] {
    match key {
        "system_columns" => &["native", "dlt"],
        "refresh" => &["drop_sources", "drop_resources", "drop_data"],
        "on_error" => &["fail", "reject"],
        "on_type_conflict" => &["variant", "widen", "text", "json", "reject"],
        "progress" => &["auto", "bar", "log", "off"],
        _ => &[],
    }
}

/// The least and the most that a key with a whole number may be.
pub(crate) fn bounds(key: &str) -> (u64, u64) {
    match key {
        "threads" => (1, MOST_THREADS),
        "max_nesting" => (0, u32::MAX.into()),
        "max_tables" | "max_columns" => (1, u64::MAX),
        _ => (0, u64::MAX),
    }
}

/// What can be read, and what is wrong.
pub(crate) fn read(section: &Section) -> (PipelineSettings, Vec<Problem>) {
    let mut settings = PipelineSettings::default();
    let mut problems = Vec::new();
    for entry in section.entries() {
        if let Err(problem) = take(&mut settings, entry, section) {
            problems.push(problem);
        }
    }
    (settings, problems)
}

fn take(settings: &mut PipelineSettings, entry: &Entry, section: &Section) -> Result<(), Problem> {
    match entry.key.as_str() {
        "name" => settings.name = Some(name(entry, section)?),
        "dataset" | "dataset_name" => settings.dataset = Some(text(entry, section)?),
        "destination" => settings.destinations = texts(entry, section)?,
        "system_columns" => settings.system_columns = Some(word(entry, section)?),
        "refresh" => settings.refresh = Some(word(entry, section)?),
        "on_error" => settings.on_error = Some(word(entry, section)?),
        "progress" => settings.progress = Some(word(entry, section)?),
        "memory" => settings.memory = Some(memory(entry, section)?),
        "threads" => settings.threads = Some(whole(entry, section)?),
        "max_nesting" => settings.max_nesting = Some(whole(entry, section)?),
        "schema_contract" => {
            rules::contract(section)?;
            settings.schema_contract = Some(entry.value.to_json());
        }
        "on_type_conflict" => settings.on_type_conflict = Some(word(entry, section)?),
        "max_tables" => settings.max_tables = Some(whole(entry, section)?),
        "max_columns" => settings.max_columns = Some(whole(entry, section)?),
        "export_schema_path" => settings.export_schema_path = Some(text(entry, section)?),
        "import_schema_path" => settings.import_schema_path = Some(text(entry, section)?),
        "keep_packages" => settings.keep_packages = Some(whole(entry, section)?),
        key => {
            let known = KEYS.map(|(k, _)| k);
            let hint = suggest(key, known).unwrap_or_else(|| format!("the keys are: {}", known.join(", ")));
            return Err(section.problem(&[key], format!("there is no key '{key}' in [pipeline]")).hint(hint));
        }
    }
    Ok(())
}

fn wrong(entry: &Entry, section: &Section, must: &str) -> Problem {
    let is = match &entry.value.value {
        Value::Number(number) => number.to_string(),
        Value::List(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Text(text) if text.trim().is_empty() => "empty".to_owned(),
        _ => entry.value.kind().to_owned(),
    };
    section.problem(&[&entry.key], format!("'{}' must be {must}, this is {is}", entry.key))
}

fn text(entry: &Entry, section: &Section) -> Result<String, Problem> {
    let text = entry.value.as_text().filter(|t| !t.trim().is_empty());
    text.map(str::to_owned).ok_or_else(|| wrong(entry, section, "text that is not empty"))
}

fn texts(entry: &Entry, section: &Section) -> Result<Vec<String>, Problem> {
    let must = "a name, a URL, or a list of them";
    // From a variable, a list comes as text.
    if let Value::Text(text) = &entry.value.value
        && text.trim_start().starts_with('[')
    {
        let list: Result<Vec<String>, _> = serde_json::from_str(text);
        return list.ok().filter(|list| !list.is_empty()).ok_or_else(|| wrong(entry, section, must));
    }
    match &entry.value.value {
        Value::Text(text) if !text.trim().is_empty() => Ok(vec![text.clone()]),
        Value::List(items) if !items.is_empty() => {
            let text = |n: &crate::node::Node| n.as_text().map(str::to_owned);
            items.iter().map(|n| text(n).ok_or_else(|| wrong(entry, section, must))).collect()
        }
        _ => Err(wrong(entry, section, must)),
    }
}

fn word(entry: &Entry, section: &Section) -> Result<String, Problem> {
    let (known, given) = (words(&entry.key), text(entry, section)?);
    if known.contains(&given.as_str()) {
        return Ok(given);
    }
    let hint = suggest(&given, known.iter().copied()).unwrap_or_else(|| format!("it is one of: {}", known.join(", ")));
    Err(section.problem(&[&entry.key], format!("'{}' cannot be '{given}'", entry.key)).hint(hint))
}

fn name(entry: &Entry, section: &Section) -> Result<String, Problem> {
    let name = text(entry, section)?;
    naming::check_pipeline_name(&name).map_err(|e| section.problem_of(&[&entry.key], &e))?;
    Ok(name)
}

fn memory(entry: &Entry, section: &Section) -> Result<String, Problem> {
    let given = match &entry.value.value {
        Value::Number(number) => number.to_string(),
        _ => text(entry, section)?,
    };
    memory_size(&given).map_err(|e| section.problem_of(&[&entry.key], &e))?;
    Ok(given)
}

fn whole(entry: &Entry, section: &Section) -> Result<u64, Problem> {
    let (least, most) = bounds(&entry.key);
    let number = if let Value::Number(n) = &entry.value.value { n.as_u64() } else { None };
    let must = if most < u64::MAX { format!("from {least} to {most}") } else { format!("of at least {least}") };
    number
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| wrong(entry, section, &format!("a whole number {must}")))
}
