//! Resources as the configuration has them become resources that can be fetched.

use super::tree::{reference, resolved};
use super::{Body, HeaderValue, Param, RequestPlan, Resource, rules};
use crate::config::{
    ClientConfig, EndpointConfig, IncrementalConfig, PaginatorConfig, Problem, ResourceConfig, nearest,
};
use crate::depend::included_name;
use crate::incremental::IncrementalPlan;
use crate::jsonpath::JsonPath;
use crate::steps::Step;
use crate::template::{JsonTemplate, Part, Piece, Template, Word, cut};
use longshore_core::normalize::Settings;
use longshore_core::schema::SystemColumns;
use serde_json::{Map, Value};
use std::collections::HashSet;

pub(super) fn compile(
    client: &ClientConfig,
    configs: &[ResourceConfig],
    parents: &[Option<usize>],
    problems: &mut Vec<Problem>,
) -> Vec<Resource> {
    let mut captures: Vec<Vec<JsonPath>> = vec![Vec::new(); configs.len()];
    let mut resources = Vec::new();
    for i in 0..configs.len() {
        let mut compiler =
            Compiler { configs, i, captures: &mut captures, problems, has_incremental: false, bound: Vec::new() };
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
        if let Err(e) = Settings::new("t", SystemColumns::Native).add_schema(&rules::schema(config)) {
            let field = e.context().iter().find(|(key, _)| *key == "field").map(|(_, field)| format!("'{field}': "));
            let message = format!("{}{}", field.unwrap_or_default(), e.message());
            let problem = self.problem("", message);
            problem.suggestion = e.hint_text().map(str::to_owned);
        }
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
            if !config.include_from_parent.is_empty() {
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
            table.remove("type");
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

    fn request(
        &mut self,
        client: &ClientConfig,
        endpoint: &EndpointConfig,
        incremental: Option<&IncrementalPlan>,
    ) -> RequestPlan {
        let path_text = endpoint.path.clone().unwrap_or_else(|| self.configs[self.i].name.clone());
        let has_address = client.base_url.is_empty() && !path_text.contains("://");
        if has_address {
            self.problem(".endpoint.path", "'client.base_url' is missing, and the path is no whole URL");
        }
        let (path, bound) = self.url_path(&path_text, &endpoint.params);
        let mut params: Vec<(String, Param)> = Vec::new();
        for (name, value) in &endpoint.params {
            if bound.contains(name.as_str()) {
                continue;
            }
            if resolved(value).is_some() {
                self.problem(
                    &format!(".endpoint.params.{name}"),
                    format!("the path has no '{{{name}}}' to put it in"),
                )
                .suggestion = Some("for the query, write '{resources.<parent>.<field>}'".to_owned());
                continue;
            }
            if let Some(param) = self.param(name, value) {
                params.push((name.clone(), param));
            }
        }
        if let Some(plan) = incremental {
            for (name, word) in [(&plan.start_param, Word::Start), (&plan.end_param, Word::End)] {
                let Some(name) = name else { continue };
                params.retain(|(n, _)| n != name);
                params.push((name.clone(), Param::One(Template(vec![Piece::Incremental(word)]))));
            }
        }
        if endpoint.json.is_some() && endpoint.data.is_some() {
            self.problem(".endpoint.data", "json and data cannot both be given");
        }
        let body = match (&endpoint.json, &endpoint.data) {
            (Some(json), _) => Body::Json(self.json(json, ".endpoint.json")),
            (None, Some(Value::String(text))) => Body::Raw(self.template(text, ".endpoint.data")),
            (None, Some(Value::Object(form))) => {
                Body::Form(form.iter().filter_map(|(k, v)| Some((k.clone(), self.param(k, v)?))).collect())
            }
            (None, Some(_)) => {
                self.problem(".endpoint.data", "expected a text or a table");
                Body::None
            }
            (None, None) => Body::None,
        };
        let mut headers = Vec::new();
        for (name, value) in &endpoint.headers {
            let template = self.template(value.expose(), &format!(".endpoint.headers.{name}"));
            let fixed = template.0.iter().all(|p| matches!(p, Piece::Text(_)));
            let value = if fixed { HeaderValue::Fixed(value.clone()) } else { HeaderValue::Template(template) };
            headers.push((name.clone(), value));
        }
        let method = endpoint.method.as_deref().unwrap_or("GET").to_uppercase();
        let method = match method.as_str() {
            "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" => method.parse().unwrap_or_default(),
            _ => {
                self.problem(".endpoint.method", "no HTTP method").suggestion = Some("GET or POST".to_owned());
                reqwest::Method::GET
            }
        };
        RequestPlan { method, path, params, headers, body }
    }

    /// The path and the names of the parameters that stand in it.
    fn url_path<'p>(&mut self, text: &str, params: &'p Map<String, Value>) -> (Template, HashSet<&'p str>) {
        let mut bound = HashSet::new();
        let mut pieces = Vec::new();
        for part in cut(text, &|inner| !inner.is_empty()) {
            let inner = match part {
                Part::Text(text) => {
                    pieces.push(Piece::Text(text));
                    continue;
                }
                Part::Braces(inner) => inner,
            };
            if inner.starts_with("resources.") || inner.starts_with("incremental.") {
                pieces.extend(self.placeholder(inner, ".endpoint.path"));
                continue;
            }
            match params.get_key_value(inner) {
                Some((name, value)) => {
                    bound.insert(name.as_str());
                    match resolved(value) {
                        Some((resource, field)) => {
                            self.check_resolve(name, value);
                            pieces.extend(self.field(resource, field, &format!(".endpoint.params.{name}")))
                        }
                        None => match self.param(name, value) {
                            Some(Param::One(template)) => pieces.extend(template.0),
                            _ => {
                                self.problem(
                                    &format!(".endpoint.params.{name}"),
                                    "what stands in the path must be one value",
                                );
                            }
                        },
                    }
                }
                None => {
                    let near =
                        nearest(inner, params.keys().map(String::as_str)).map(|n| format!("did you mean '{{{n}}}'?"));
                    let hint = near.unwrap_or_else(|| "bind it with params: {type: resolve, resource, field}, or write {resources.<parent>.<field>}".to_owned());
                    self.problem(".endpoint.path", format!("nothing is bound to '{{{inner}}}'")).suggestion =
                        Some(hint);
                }
            }
        }
        (Template(pieces), bound)
    }

    /// `{type: resolve}` needs both of its keys, and knows no others.
    fn check_resolve(&mut self, name: &str, value: &Value) {
        const KEYS: [&str; 3] = ["type", "resource", "field"];
        let place = format!(".endpoint.params.{name}");
        for key in KEYS {
            if !value.get(key).is_some_and(|v| v.as_str().is_some_and(|t| !t.is_empty())) {
                self.problem(&place, format!("'{key}' is missing"));
            }
        }
        for key in value.as_object().into_iter().flatten().map(|(key, _)| key).filter(|k| !KEYS.contains(&k.as_str())) {
            let near = nearest(key, KEYS.into_iter())
                .map_or_else(|| "the keys are resource and field".to_owned(), |n| format!("did you mean '{n}'?"));
            self.problem(&format!("{place}.{key}"), format!("unknown key '{key}'")).suggestion = Some(near);
        }
    }

    /// A value of the query or a form; `None` for null and for the incremental's, which is put in elsewhere.
    fn param(&mut self, name: &str, value: &Value) -> Option<Param> {
        let place = format!(".endpoint.params.{name}");
        match value {
            Value::Null => None,
            Value::Array(list) => Some(Param::Many(list.iter().filter_map(|v| self.scalar(v, &place)).collect())),
            Value::Object(table) if table.get("type").and_then(Value::as_str) == Some("incremental") => None,
            Value::Object(table) => {
                let problem = self.problem(&place, "a parameter is a value, a list, or a table with 'type'");
                if table.contains_key("type") {
                    problem.suggestion = Some("type is 'resolve' or 'incremental'".to_owned());
                }
                None
            }
            scalar => self.scalar(scalar, &place).map(Param::One),
        }
    }

    fn scalar(&mut self, value: &Value, place: &str) -> Option<Template> {
        match value {
            Value::Null | Value::Object(_) | Value::Array(_) => None,
            // As Python's `str` has it, which is what dlt sends.
            Value::Bool(true) => Some(Template::text("True")),
            Value::Bool(false) => Some(Template::text("False")),
            Value::Number(number) => Some(Template::text(number.to_string())),
            Value::String(text) => Some(self.template(text, place)),
        }
    }

    fn json(&mut self, value: &Value, place: &str) -> JsonTemplate {
        match value {
            Value::String(text) => {
                let template = self.template(text, place);
                match template.0.as_slice() {
                    [one] if !matches!(one, Piece::Text(_)) => JsonTemplate::Value(one.clone()),
                    _ => JsonTemplate::Text(template),
                }
            }
            Value::Array(list) => JsonTemplate::List(list.iter().map(|v| self.json(v, place)).collect()),
            Value::Object(table) => JsonTemplate::Object(
                table.iter().map(|(k, v)| (k.clone(), self.json(v, &format!("{place}.{k}")))).collect(),
            ),
            other => JsonTemplate::Literal(other.clone()),
        }
    }

    fn template(&mut self, text: &str, place: &str) -> Template {
        let is_ours = |inner: &str| inner.starts_with("resources.") || inner.starts_with("incremental.");
        let parts = cut(text, &is_ours);
        Template(
            parts
                .into_iter()
                .filter_map(|part| match part {
                    Part::Text(text) => Some(Piece::Text(text)),
                    Part::Braces(inner) => self.placeholder(inner, place),
                })
                .collect(),
        )
    }

    fn placeholder(&mut self, inner: &str, place: &str) -> Option<Piece> {
        if let Some(word) = inner.strip_prefix("incremental.") {
            let known = Word::parse(word);
            if known.is_none() {
                self.problem(place, format!("there is no '{{{inner}}}'")).suggestion =
                    Some("start_value, end_value, initial_value or last_value".to_owned());
            } else if !self.has_incremental {
                self.problem(place, "the endpoint has no 'incremental' to take the value from");
            }
            return known.map(Piece::Incremental);
        }
        match reference(inner) {
            Some((resource, field)) => self.field(resource, field, place),
            None => {
                self.problem(place, format!("'{{{inner}}}' names no field")).suggestion =
                    Some("write {resources.<parent>.<field>}".to_owned());
                None
            }
        }
    }

    fn field(&mut self, resource: &str, field: &str, place: &str) -> Option<Piece> {
        // Unknown resources were reported before.
        let at = self.configs.iter().position(|c| c.name == resource)?;
        let path = self.path(field, place)?;
        let slot = self.slot(at, path);
        if !self.bound.contains(&(at, slot)) {
            self.bound.push((at, slot));
        }
        Some(Piece::Field { resource: at, slot })
    }
}
