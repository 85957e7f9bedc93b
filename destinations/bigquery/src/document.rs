//! Lists and records of an answer as JSON: the API wraps each value of theirs (`{"v": …}`, `{"f": […]}`).

use crate::types::modern;
use longshore_core::values::iso_timestamp::format_iso;
use serde_json::{Map, Value};

/// Returns a cell's value as a document.
pub(crate) fn document(field: &Value, cell: &Value) -> Value {
    if field["mode"].as_str() == Some("REPEATED") {
        let elements = cell.as_array().into_iter().flatten();
        return elements.map(|element| one(field, &element["v"])).collect();
    }
    one(field, cell)
}

fn one(field: &Value, value: &Value) -> Value {
    if let (Some(fields), Some(cells)) = (field["fields"].as_array(), value["f"].as_array()) {
        let name = |f: &Value| f["name"].as_str().unwrap_or_default().to_owned();
        let pairs = fields.iter().zip(cells).map(|(f, cell)| (name(f), document(f, &cell["v"])));
        return Value::Object(pairs.collect::<Map<_, _>>());
    }
    let Some(text) = value.as_str() else { return value.clone() };
    let read = match modern(field["type"].as_str().unwrap_or_default()) {
        "INT64" => text.parse::<i64>().ok().map(Value::from),
        // NaN and the infinities stay texts.
        "FLOAT64" => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        "BOOL" => text.parse::<bool>().ok().map(Value::from),
        "JSON" => serde_json::from_str(text).ok(),
        "TIMESTAMP" => text.parse::<i64>().ok().map(|micros| format_iso(micros).into()),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_lose_their_wrapping_and_get_their_types() {
        let field = json!({"name": "l", "type": "RECORD", "mode": "REPEATED", "fields": [
            {"name": "n", "type": "INTEGER"}, {"name": "at", "type": "TIMESTAMP"}, {"name": "d", "type": "JSON"},
            {"name": "t", "type": "STRING", "mode": "REPEATED"}, {"name": "x", "type": "FLOAT"},
        ]});
        let element = json!({"f": [{"v": "7"}, {"v": "0"}, {"v": "{\"a\":1}"}, {"v": [{"v": "7"}]}, {"v": "NaN"}]});
        assert_eq!(
            document(
                &field,
                &json!([{"v": element}, {"v": {"f": [{"v": null}, {"v": null}, {"v": null}, {"v": []}, {"v": "0.5"}]}}])
            ),
            json!([
                {"n": 7, "at": "1970-01-01T00:00:00+00:00", "d": {"a": 1}, "t": ["7"], "x": "NaN"},
                {"n": null, "at": null, "d": null, "t": [], "x": 0.5},
            ])
        );
    }
}
