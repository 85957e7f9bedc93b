//! Resources as the configuration has them become resources that can be fetched.

mod request;

use super::{Resource, rules};
use crate::config::{ClientConfig, IncrementalConfig, PaginatorConfig, Problem, ResourceConfig};
use crate::depend::included_name;
use crate::incremental::IncrementalPlan;
use crate::jsonpath::JsonPath;
use crate::steps::Step;
use longshore_core::normalize::Settings;
use longshore_core::schema::SystemColumns;
use serde_json::{Map, Value};

pub(super) fn compile(
    client: &ClientConfig,
    configs: &[ResourceConfig],
    parents: &[Option<usize>],
    problems: &mut Vec<Problem>,
) -> Vec<Resource> {
    let mut captures: Vec<Vec<JsonPath>> = vec![Vec::new(); configs.len()];
    let mut resources = Vec::new();
    let parents_known = !problems.iter().any(|p| p.path.starts_with("resources"));
    for i in 0..configs.len() {
        let mut compiler = Compiler {
            configs,
            i,
            captures: &mut captures,
            problems,
            parents_known,
            has_incremental: false,
            bound: Vec::new(),
        };
        resources.push(compiler.resource(client, parents));
    }
    for (i, paths) in captures.into_iter().enumerate() {
        resources[i].captures = paths;
        resources[i].children = (0..parents.len()).filter(|c| parents[*c] == Some(i)).collect();
    }
    resources
}

struct Compiler<'a> {
    configs: &'a [ResourceConfig],
    i: usize,
    captures: &'a mut Vec<Vec<JsonPath>>,
    problems: &'a mut Vec<Problem>,
    parents_known: bool,
    has_incremental: bool,
    bound: Vec<(usize, usize)>,
}

impl Compiler<'_> {
    fn problem(&mut self, place: &str, message: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem::new(format!("resources[{}]{place}", self.i), message));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn resource(&mut self, client: &ClientConfig, parents: &[Option<usize>]) -> Resource {
        let config = &self.configs[self.i];
        let endpoint = &config.endpoint;
        self.schema(config);
        let incremental = self.incremental(config);
        self.has_incremental = incremental.is_some();
        let request = self.request(client, endpoint, incremental.as_ref());
        let single_entity = rules::ends_in_placeholder(endpoint.path.as_deref().unwrap_or_default());
        let given = endpoint.paginator.clone();
        let paginator = match (&given, &client.paginator, single_entity) {
            (Some(own), ..) => own.clone(),
            (None, Some(shared), false) => shared.clone(),
            _ => PaginatorConfig::Auto,
        };
        for problem in rules::check_paginator(&paginator) {
            self.problem(".endpoint.paginator", problem);
        }
        if endpoint.data.is_some() && rules::needs_json(&paginator) {
            self.problem(".endpoint.paginator", "it puts values into a JSON body, and the request sends 'data'");
        }
        let selector = endpoint.data_selector.as_deref().and_then(|p| self.path(p, ".endpoint.data_selector"));
        let count = endpoint.expected_count_path.as_deref().and_then(|p| self.path(p, ".endpoint.expected_count_path"));
        if client.strict && (selector.is_none() || paginator == PaginatorConfig::Auto) {
            self.problem(".endpoint", "'client.strict' is set, so data_selector and paginator must be given");
        }
        for (j, action) in endpoint.response_actions.iter().enumerate() {
            if action.status_code.is_none() && action.content.is_none() {
                self.problem(&format!(".endpoint.response_actions[{j}]"), "an action needs status_code or content");
            }
        }
        let include = self.include(parents);
        let steps = self.steps(config);
        Resource {
            name: config.name.clone(),
            parent: parents[self.i],
            children: Vec::new(),
            parallelized: config.parallelized != Some(false),
            request,
            auth: endpoint.auth.clone(),
            single_entity: single_entity && selector.is_none() && given.is_none(),
            selector,
            paginator,
            actions: endpoint.response_actions.clone(),
            steps,
            incremental,
            captures: Vec::new(),
            include,
            bound: std::mem::take(&mut self.bound),
            count,
            on_short: endpoint.on_short,
            on_loop: endpoint.on_loop.unwrap_or_default(),
            strict: client.strict,
        }
    }

    /// What the resource says of its schema, key by key, so that a problem stands at its key.
    fn schema(&mut self, config: &ResourceConfig) {
        let said = rules::schema(config);
        let check = |part: &Map<String, Value>| Settings::new("t", SystemColumns::Native).add_schema(part).err();
        let alone = |(key, value): (&String, &Value)| {
            check(&Map::from_iter([(key.clone(), value.clone())])).map(|e| (format!(".{key}"), e))
        };
        let mut wrong: Vec<_> = said.iter().filter_map(alone).collect();
        if wrong.is_empty() {
            wrong.extend(check(&said).map(|e| (String::new(), e)));
        }
        for (place, e) in wrong {
            let field = e.context().iter().find(|(key, _)| *key == "field").map(|(_, field)| format!("'{field}': "));
            let message = format!("{}{}", field.unwrap_or_default(), e.message());
            self.problem(&place, message).suggestion = e.hint_text().map(str::to_owned);
        }
    }

    fn path(&mut self, text: &str, place: &str) -> Option<JsonPath> {
        match JsonPath::parse(text) {
            Ok(path) => Some(path),
            Err(e) => {
                self.problem(place, e);
                None
            }
        }
    }

    fn steps(&mut self, config: &ResourceConfig) -> Vec<Step> {
        let mut steps = Vec::new();
        for (j, step) in config.processing_steps.iter().enumerate() {
            match Step::new(step) {
                Ok(step) => steps.push(step),
                Err(e) => {
                    self.problem(&format!(".processing_steps[{j}]"), e);
                }
            }
        }
        steps
    }

    /// `include_from_parent`, under the names dlt gives.
    fn include(&mut self, parents: &[Option<usize>]) -> Vec<(String, usize, usize)> {
        let config = &self.configs[self.i];
        let Some(parent) = parents[self.i] else {
            // A parent that is not known, or not the only one, is named elsewhere.
            if !config.include_from_parent.is_empty() && self.parents_known {
                self.problem(".include_from_parent", "the resource has no parent").suggestion =
                    Some("use a field of another resource: {resources.<name>.<field>}".to_owned());
            }
            return Vec::new();
        };
        let fields = config.include_from_parent.clone();
        let name = self.configs[parent].name.clone();
        fields.iter().map(|f| (included_name(&name, f), parent, self.capture_key(parent, f))).collect()
    }

    fn capture_key(&mut self, resource: usize, field: &str) -> usize {
        self.slot(resource, JsonPath::key(field))
    }

    fn slot(&mut self, resource: usize, path: JsonPath) -> usize {
        let known = &mut self.captures[resource];
        known.iter().position(|p| p.as_str() == path.as_str()).unwrap_or_else(|| {
            known.push(path);
            known.len() - 1
        })
    }

    /// The incremental of the endpoint, of the resource, or of a parameter.
    fn incremental(&mut self, config: &ResourceConfig) -> Option<IncrementalPlan> {
        let mut found: Vec<(String, IncrementalConfig)> = Vec::new();
        found.extend(config.endpoint.incremental.clone().map(|c| (".endpoint.incremental".to_owned(), c)));
        found.extend(config.incremental.clone().map(|c| (".incremental".to_owned(), c)));
        for (name, param) in &config.endpoint.params {
            if param.get("type").and_then(Value::as_str) != Some("incremental") {
                continue;
            }
            let place = format!(".endpoint.params.{name}");
            let mut table = param.as_object().cloned().unwrap_or_default();
            table.retain(|key, value| key != "type" && !value.is_null());
            // What is wrong with its keys was told before.
            match serde_json::from_value::<IncrementalConfig>(Value::Object(table)) {
                Ok(mut incremental) => {
                    incremental.start_param = Some(name.clone());
                    found.push((place, incremental));
                }
                Err(_) => {
                    self.problem(&place, "an incremental parameter takes the keys of 'incremental'");
                }
            }
        }
        if found.len() > 1 {
            let (place, _) = found[1].clone();
            self.problem(&place, "there can be one incremental");
        }
        let (place, config) = found.into_iter().next()?;
        match IncrementalPlan::new(&config, self.configs[self.i].primary_key.as_ref()) {
            Ok(plan) => Some(plan),
            Err(e) => {
                self.problem(&place, e);
                None
            }
        }
    }
}
