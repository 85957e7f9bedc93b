//! The first request of a resource: its address, parameters, headers and body, with what is put in for placeholders.

use super::super::tree::{reference, resolved};
use super::super::{Body, HeaderValue, Param, RequestPlan, rules};
use super::Compiler;
use crate::config::{ClientConfig, EndpointConfig};
use crate::incremental::IncrementalPlan;
use crate::template::{JsonTemplate, Part, Piece, Template, Word, cut};
use longshore_core::connect::Secret;
use longshore_core::misspelt::{nearest, suggest};
use serde_json::{Map, Value};
use std::collections::HashSet;

impl Compiler<'_> {
    pub(super) fn request(
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
                self.check_resolve(name, value);
                self.problem(
                    &format!(".endpoint.params.{name}"),
                    format!("the path has no '{{{name}}}' to put it in"),
                )
                .suggestion = Some("for the query, write '{resources.<parent>.<field>}'".to_owned());
                continue;
            }
            if let Some(param) = self.param("params", name, value) {
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
                Body::Form(form.iter().filter_map(|(k, v)| Some((k.clone(), self.param("data", k, v)?))).collect())
            }
            (None, Some(_)) => {
                self.problem(".endpoint.data", "expected a text or a table");
                Body::None
            }
            (None, None) => Body::None,
        };
        let mut headers = Vec::new();
        for (name, value) in &endpoint.headers {
            if !rules::is_header(name) {
                self.problem(&format!(".endpoint.headers.{name}"), "this cannot be the name of a header");
            }
            let template = self.template(value.expose(), &format!(".endpoint.headers.{name}"));
            let value = match template.0.as_slice() {
                [] => HeaderValue::Fixed(value.clone()),
                [Piece::Text(text)] => HeaderValue::Fixed(Secret::new(text.clone())),
                _ => HeaderValue::Template(template),
            };
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
                    self.check_closed(&text, ".endpoint.path");
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
                        None => match self.param("params", name, value) {
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
            if value.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
                self.problem(&place, format!("'{key}' is missing"));
            }
        }
        for key in value.as_object().into_iter().flatten().map(|(key, _)| key).filter(|k| !KEYS.contains(&k.as_str())) {
            let near = suggest(key, KEYS).unwrap_or_else(|| "the keys are resource and field".to_owned());
            self.problem(&format!("{place}.{key}"), format!("unknown key '{key}'")).suggestion = Some(near);
        }
    }

    /// A value of the query or a form; `None` for null and for the incremental's, which is put in elsewhere.
    fn param(&mut self, part: &str, name: &str, value: &Value) -> Option<Param> {
        let place = format!(".endpoint.{part}.{name}");
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
                table.iter().map(|(k, v)| (self.template(k, place), self.json(v, &format!("{place}.{k}")))).collect(),
            ),
            other => JsonTemplate::Literal(other.clone()),
        }
    }

    fn template(&mut self, text: &str, place: &str) -> Template {
        let is_ours = |inner: &str| inner.starts_with("resources.") || inner.starts_with("incremental.");
        let parts = cut(text, &is_ours);
        let mut piece = |part| match part {
            Part::Text(text) => {
                self.check_closed(&text, place);
                Some(Piece::Text(text))
            }
            Part::Braces(inner) => self.placeholder(inner, place),
        };
        Template(parts.into_iter().filter_map(&mut piece).collect())
    }

    /// A placeholder whose brace is not closed would be sent as it stands.
    fn check_closed(&mut self, text: &str, place: &str) {
        let begins = ["{resources.", "{incremental."].into_iter().filter_map(|begin| text.find(begin)).max();
        if begins.is_some_and(|at| !text[at..].contains('}')) {
            self.problem(place, "a placeholder's brace is not closed").suggestion = Some("add a '}'".to_owned());
        }
        // A misspelt one, too.
        for inner in text.split('{').skip(1).filter_map(|t| t.split_once('}')).map(|(inner, _)| inner) {
            let Some((word, rest)) = inner.split_once('.') else { continue };
            if let Some(near) = nearest(word, ["resources", "incremental"]).filter(|near| *near != word) {
                self.problem(place, format!("'{{{inner}}}' is no placeholder")).suggestion =
                    Some(format!("did you mean '{{{near}.{rest}}}'? Braces that are meant as such are {{{{ and }}}}"));
            }
        }
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
        Some(Piece::Field { resource: at, slot, name: (resource.into(), field.into()) })
    }
}
