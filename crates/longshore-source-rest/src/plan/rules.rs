//! Smaller rules: what a paginator needs, what a write disposition means, how tables are normalised.

use crate::config::{
    ClientConfig, ColumnConfig, Columns, DispositionName, OneOrMany, PaginatorConfig, Problem, ResourceConfig,
    RowOrder, StrategyName, WriteDisposition,
};
use crate::manners::Rate;
use longshore_core::naming;
use longshore_core::normalize::{COLUMN_KEYS, Settings};
use longshore_core::schema::{DedupSort, Disposition, MergeStrategy, Scd2, SystemColumns, WriteRules};
use longshore_core::values::iso_timestamp::parse_timestamp;
use serde_json::{Map, Value};

pub(super) fn check_client(client: &ClientConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !client.base_url.is_empty() {
        match url::Url::parse(&client.base_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {}
            _ => problems.push(
                Problem::new("client.base_url", "not a web address").suggest("such as https://api.example.com/v2"),
            ),
        }
    }
    for name in client.headers.keys().filter(|name| !is_header(name)) {
        problems.push(Problem::new(format!("client.headers.{name}"), "this cannot be the name of a header"));
    }
    if client.proxy.as_ref().is_some_and(|proxy| !is_proxy(proxy.expose())) {
        problems.push(
            Problem::new("client.proxy", "not the address of a proxy")
                .suggest("such as http://proxy:3128, https://proxy:443 or socks5h://proxy:1080"),
        );
    }
    if let Some(Err(e)) = client.rate.as_deref().map(Rate::parse) {
        problems.push(Problem::new("client.rate", e).suggest("such as 5000/h, 100/min, 10/s or 1/2s"));
    }
    let positive = [
        ("timeout", client.timeout),
        ("connect_timeout", client.connect_timeout),
        ("retry_budget", client.retry_budget),
        ("max_retry_delay", client.max_retry_delay),
    ];
    for (key, value) in positive {
        if value.is_some_and(|v| !(v > 0.0 && v < 1e9)) {
            problems.push(Problem::new(format!("client.{key}"), "expected a number of seconds above 0"));
        }
    }
    if client.backoff_factor.is_some_and(|v| !(0.0..1e6).contains(&v)) {
        problems.push(Problem::new("client.backoff_factor", "expected a number of seconds"));
    }
    for (key, value) in
        [("max_attempts", client.max_attempts.map(|n| n as usize)), ("max_concurrency", client.max_concurrency)]
    {
        if value == Some(0) {
            problems.push(Problem::new(format!("client.{key}"), format!("{key} begins with 1")));
        }
    }
    problems
}

/// Of a scheme that it does not know the HTTP library would ask without a proxy.
fn is_proxy(address: &str) -> bool {
    let scheme = address.split_once("://").map_or("http", |(scheme, _)| scheme).to_lowercase();
    let known = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
    known.contains(&scheme.as_str()) && reqwest::Proxy::all(address).is_ok()
}

/// True for what can be the name of a header.
pub(super) fn is_header(name: &str) -> bool {
    reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// True for one that puts its values into a JSON body.
pub(super) fn needs_json(paginator: &PaginatorConfig) -> bool {
    match paginator {
        PaginatorConfig::Cursor(c) => c.cursor_body_path.is_some(),
        PaginatorConfig::Offset(c) => c.offset_body_path.is_some() || c.limit_body_path.is_some(),
        PaginatorConfig::PageNumber(c) => c.page_body_path.is_some(),
        _ => false,
    }
}

/// What makes a paginator impossible.
pub(super) fn check_paginator(paginator: &PaginatorConfig) -> Vec<String> {
    let mut wrong = Vec::new();
    let both = |param: &Option<String>, body: &Option<String>| param.is_some() && body.is_some();
    let paths: Vec<&Option<String>> = match paginator {
        PaginatorConfig::Cursor(c) => {
            if both(&c.cursor_param, &c.cursor_body_path) {
                wrong.push("cursor_param and cursor_body_path cannot both be given".to_owned());
            }
            vec![&c.has_more_path]
        }
        PaginatorConfig::Offset(c) => {
            if both(&c.offset_param, &c.offset_body_path) {
                wrong.push("offset_param and offset_body_path cannot both be given".to_owned());
            }
            if both(&c.limit_param, &c.limit_body_path) {
                wrong.push("limit_param and limit_body_path cannot both be given".to_owned());
            }
            if c.limit == 0 {
                wrong.push("limit begins with 1".to_owned());
            }
            if !c.stop_after_empty_page
                && c.total_path.as_deref() == Some("")
                && c.maximum_offset.is_none()
                && c.has_more_path.is_none()
            {
                wrong.push(
                    "nothing ends it: give total_path, maximum_offset, has_more_path or stop_after_empty_page"
                        .to_owned(),
                );
            }
            vec![&c.total_path, &c.has_more_path]
        }
        PaginatorConfig::PageNumber(c) => {
            if both(&c.page_param, &c.page_body_path) {
                wrong.push("page_param and page_body_path cannot both be given".to_owned());
            }
            if !c.stop_after_empty_page
                && c.total_path.as_deref() == Some("")
                && c.maximum_page.is_none()
                && c.has_more_path.is_none()
            {
                wrong.push(
                    "nothing ends it: give total_path, maximum_page, has_more_path or stop_after_empty_page".to_owned(),
                );
            }
            vec![&c.total_path, &c.has_more_path]
        }
        _ => Vec::new(),
    };
    for path in paths.into_iter().flatten().filter(|p| !p.is_empty()) {
        wrong.extend(crate::jsonpath::JsonPath::parse(path).err());
    }
    wrong
}

/// dlt's `single_entity_path`: the last segment holds a placeholder.
pub(super) fn ends_in_placeholder(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    // A field's path may hold slashes no more than dots do harm: what counts is a brace that opens and closes.
    last.split_once('{').is_some_and(|(_, rest)| {
        rest.split_once('}').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        })
    })
}

/// Makes the normaliser's settings of a resource.
pub(crate) fn settings(config: &ResourceConfig, system: SystemColumns) -> Settings {
    let mut settings = Settings::new(config.table_name.as_deref().unwrap_or(&config.name), system);
    if let Some(levels) = config.max_table_nesting {
        settings.max_nesting = levels;
    }
    let mut rules = disposition(config.write_disposition.as_ref(), system);
    let named =
        |keys: &Option<OneOrMany<String>>| keys.iter().flat_map(OneOrMany::to_vec).map(|k| column_name(&k)).collect();
    rules.primary_key = named(&config.primary_key);
    rules.merge_key = named(&config.merge_key);
    for (name, column) in columns(config.columns.as_ref()) {
        column_rules(&mut rules, &column_name(&name), &column);
    }
    // What was wrong in it was said when the configuration was read.
    let _ = settings.add_schema(&schema(config));
    settings.write = rules;
    settings
}

/// What a resource says of its schema, as the core reads it.
pub(super) fn schema(config: &ResourceConfig) -> Map<String, Value> {
    let value = |v: serde_json::Result<Value>| v.unwrap_or_default(); // plain data with string keys: cannot fail
    let mut said = Map::new();
    let columns: Map<String, Value> =
        columns(config.columns.as_ref()).into_iter().map(|(name, column)| (name, properties(&column))).collect();
    said.insert("columns".into(), columns.into());
    let nested = config.nested_hints.iter().flatten().map(|(path, nested)| {
        let columns: Map<String, Value> =
            self::columns(nested.columns.as_ref()).into_iter().map(|(name, c)| (name, properties(&c))).collect();
        let mut hints = Map::from_iter([("columns".to_owned(), Value::from(columns))]);
        let others = [
            ("schema_contract", &nested.schema_contract),
            ("write_disposition", &nested.write_disposition),
            ("primary_key", &nested.primary_key),
            ("merge_key", &nested.merge_key),
        ];
        hints.extend(others.into_iter().filter_map(|(key, said)| Some((key.to_owned(), said.clone()?))));
        (path.clone(), value(serde_json::to_value(hints)))
    });
    said.insert("nested_hints".into(), nested.collect::<Map<_, _>>().into());
    said.extend(config.schema_contract.clone().map(|c| ("schema_contract".to_owned(), c)));
    said.extend(config.on_type_conflict.clone().map(|c| ("on_type_conflict".to_owned(), c.into())));
    said.extend(config.ignore.clone().map(|c| ("ignore".to_owned(), c.into())));
    said.extend(config.flatten.clone().map(|c| ("flatten".to_owned(), c.into())));
    said
}

/// The properties of a column that were given; keys are for the rules of writing.
fn properties(column: &ColumnConfig) -> Value {
    let mut given = serde_json::to_value(column).unwrap_or_default();
    if let Some(given) = given.as_object_mut() {
        given.retain(|key, value| !value.is_null() && COLUMN_KEYS.contains(&key.as_str()) && key != "name");
    }
    given
}

fn column_name(name: &str) -> String {
    naming::field_column(name).unwrap_or_else(|| naming::normalize_key(name))
}

fn columns(columns: Option<&Columns>) -> Vec<(String, ColumnConfig)> {
    match columns {
        None => Vec::new(),
        Some(Columns::Table(table)) => table.iter().map(|(name, column)| (name.clone(), column.clone())).collect(),
        Some(Columns::List(list)) => list.iter().filter_map(|c| Some((c.name.clone()?, c.clone()))).collect(),
    }
}

fn column_rules(rules: &mut WriteRules, name: &str, column: &ColumnConfig) {
    let mut key = |yes: Option<bool>, keys: fn(&mut WriteRules) -> &mut Vec<String>| {
        if yes == Some(true) && !keys(rules).iter().any(|k| k == name) {
            keys(rules).push(name.to_owned());
        }
    };
    key(column.primary_key, |r| &mut r.primary_key);
    key(column.merge_key, |r| &mut r.merge_key);
    if column.hard_delete == Some(true) {
        rules.hard_delete = Some(name.to_owned());
    }
    if let Some(order) = column.dedup_sort {
        rules.dedup_sort = Some(DedupSort { column: name.to_owned(), descending: order == RowOrder::Desc });
    }
}

fn disposition(given: Option<&WriteDisposition>, system: SystemColumns) -> WriteRules {
    let mut rules = WriteRules::default();
    let kind = |name: DispositionName| match name {
        DispositionName::Append | DispositionName::Skip => Disposition::Append,
        DispositionName::Replace => Disposition::Replace,
        DispositionName::Merge => Disposition::Merge,
    };
    match given {
        None => {}
        Some(WriteDisposition::Plain(name)) => rules.disposition = kind(*name),
        Some(WriteDisposition::Table(table)) => {
            rules.disposition = kind(table.disposition);
            rules.strategy = match table.strategy {
                None | Some(StrategyName::DeleteInsert) => MergeStrategy::DeleteInsert,
                Some(StrategyName::Upsert) => MergeStrategy::Upsert,
                Some(StrategyName::InsertOnly) => MergeStrategy::InsertOnly,
                Some(StrategyName::Scd2) => MergeStrategy::Scd2,
                Some(StrategyName::Cdc) => MergeStrategy::Cdc,
            };
            if rules.strategy == MergeStrategy::Scd2 {
                let usual = rules.validity(system);
                let name = |i: usize, usual: String| {
                    let named = table.validity_column_names.as_ref().and_then(|n| n.get(i));
                    named.map_or(usual, |n| column_name(n))
                };
                let moment = |text: &Option<String>| text.as_deref().and_then(parse_timestamp);
                rules.scd2 = Some(Scd2 {
                    valid_from: name(0, usual.valid_from),
                    valid_to: name(1, usual.valid_to),
                    active: moment(&table.active_record_timestamp),
                    boundary: moment(&table.boundary_timestamp),
                });
            }
        }
    }
    rules
}
