//! Writes out the short forms of the configuration, so that one form is left to read.

use serde_json::{Map, Value, json};

/// `"posts"` for a resource is its name; a text for an endpoint is its path; a text for a paginator or
/// authentication is its type.
pub(crate) fn write_out(config: &mut Value) {
    let Some(table) = config.as_object_mut() else { return };
    // The kind of the source stands in the same table of `longshore.toml`.
    table.remove("type");
    if let Some(client) = table.get_mut("client") {
        client_like(client);
    }
    if let Some(defaults) = table.get_mut("resource_defaults") {
        resource(defaults);
    }
    for each in table.get_mut("resources").and_then(Value::as_array_mut).into_iter().flatten() {
        if each.is_string() {
            *each = json!({ "name": each.take() });
        }
        resource(each);
    }
}

fn resource(value: &mut Value) {
    match value.get_mut("schema_contract") {
        Some(Value::Object(modes)) => modes.values_mut().for_each(underscored),
        Some(mode) => underscored(mode),
        None => {}
    }
    let columns = value.get_mut("columns").map(hints_of).unwrap_or_default();
    for hints in columns.into_iter().filter_map(Value::as_object_mut) {
        hints.retain(|key, _| !key.starts_with("x-"));
    }
    let Some(endpoint) = value.get_mut("endpoint") else { return };
    if endpoint.is_string() {
        *endpoint = json!({ "path": endpoint.take() });
    }
    client_like(endpoint);
    // dlt knows it among the parameters only, where it belongs to the path; elsewhere it would be sent as it is.
    for part in ["json", "data", "headers"] {
        endpoint.get_mut(part).into_iter().for_each(resolve);
    }
}

/// `{type: resolve, resource: r, field: f}` is the placeholder `{resources.r.f}`.
fn resolve(value: &mut Value) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if value.as_object().is_some_and(|table| table.len() == 3)
        && text(value, "type").is_some_and(|kind| kind == "resolve")
        && let (Some(resource), Some(field)) = (text(value, "resource"), text(value, "field"))
    {
        *value = format!("{{resources.{resource}.{field}}}").into();
        return;
    }
    match value {
        Value::Array(list) => list.iter_mut().for_each(resolve),
        Value::Object(table) => table.values_mut().for_each(resolve),
        _ => {}
    }
}

/// `discard-row` is `discard_row`.
fn underscored(word: &mut Value) {
    if let Value::String(text) = word {
        *text = text.trim().replace('-', "_");
    }
}

/// The hints of columns, which stand by name or in a list.
fn hints_of(columns: &mut Value) -> Vec<&mut Value> {
    match columns {
        Value::Object(table) => table.values_mut().collect(),
        Value::Array(list) => list.iter_mut().collect(),
        _ => Vec::new(),
    }
}

fn client_like(value: &mut Value) {
    // dlt takes a status as text too.
    for action in value.get_mut("response_actions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(status) = action.get_mut("status_code")
            && let Some(number) = status.as_str().and_then(|s| s.parse::<u16>().ok())
        {
            *status = number.into();
        }
    }

    let params = value.get_mut("params").and_then(Value::as_object_mut).into_iter().flat_map(|p| p.values_mut());
    params.filter_map(Value::as_object_mut).for_each(|table| table.retain(|_, value| !value.is_null()));
    if let Some(paginator) = value.get_mut("paginator") {
        typed(paginator, "auto");
    }
    if let Some(auth) = value.get_mut("auth") {
        typed(auth, "bearer");
    }
    drop_nulls(value);
}

/// `paginator: null` means the same as no paginator.
fn drop_nulls(value: &mut Value) {
    if let Some(table) = value.as_object_mut() {
        table.retain(|key, value| key == "json" || !value.is_null());
    }
}

fn typed(value: &mut Value, default: &str) {
    match value {
        Value::String(_) => *value = json!({ "type": value.take() }),
        Value::Object(table) => {
            // What goes into a form is text: as Python's `str` has it, and null is left out.
            if let Some(Value::Object(form)) = table.get_mut("access_token_request_data") {
                form.retain(|_, value| !value.is_null());
                for value in form.values_mut() {
                    match value {
                        Value::Bool(truth) => *value = if *truth { "True" } else { "False" }.into(),
                        Value::Number(number) => *value = number.to_string().into(),
                        _ => {}
                    }
                }
            }
            if !table.contains_key("type") {
                table.insert("type".to_owned(), default.into());
            }
            // An explicit null (YAML, JSON) switches a default path off: so does an empty text.
            for key in ["total_path", "has_more_path"] {
                if table.get(key).is_some_and(Value::is_null) {
                    table.insert(key.to_owned(), "".into());
                }
            }
            table.retain(|_, value| !value.is_null());
            if let Some(Value::String(kind)) = table.get_mut("type") {
                if kind == "json_response" {
                    *kind = "json_link".to_owned();
                    if let Some(path) = table.remove("next_key") {
                        table.insert("next_url_path".to_owned(), path);
                    }
                } else if kind == "oauth_jwt" {
                    *kind = "oauth2_jwt".to_owned();
                }
            }
        }
        _ => {}
    }
}

/// Puts a resource's keys over the defaults: endpoints are merged key by key, their `params` and `json` one
/// level deeper, columns by name (dlt: `config_setup.py`, `_merge_resource_endpoints`).
pub(crate) fn merge(defaults: Option<&Value>, resource: &Value) -> Value {
    let Some(Value::Object(defaults)) = defaults else { return resource.clone() };
    let mut merged = defaults.clone();
    for (key, value) in resource.as_object().into_iter().flatten() {
        let value = match (key.as_str(), merged.get(key)) {
            ("endpoint", Some(Value::Object(old))) => Value::Object(endpoint(old, value)),
            ("columns", Some(old)) => over(old, value),
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Value::Object(merged)
}

fn endpoint(defaults: &Map<String, Value>, own: &Value) -> Map<String, Value> {
    let mut merged = defaults.clone();
    for (key, value) in own.as_object().into_iter().flatten() {
        let value = match (key.as_str(), merged.get(key)) {
            ("params" | "json", Some(old)) => over(old, value),
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    merged
}

fn over(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut merged = old.clone();
            merged.extend(new.iter().map(|(k, v)| (k.clone(), v.clone())));
            Value::Object(merged)
        }
        _ => new.clone(),
    }
}
