//! What is done to each record between the response and the table: dlt's `processing_steps`, declared.

use crate::config::{CastType, OneOrMany, StepConfig};
use crate::doc::Doc;
use crate::jq::Program;
use crate::jsonpath::JsonPath;
use crate::tree::{Tree, quoted};
use longshore_core::connect::Secret;
use longshore_core::error::Result as Done;
use longshore_core::values::python_text::{parse_float, parse_int, str2bool};
use ring::digest;
use serde_json::Value;

/// One step, read.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Filter(Box<serde_json_path::JsonPath>),
    Rename(Vec<(Vec<String>, String)>),
    Drop(Vec<Vec<String>>),
    Keep(Vec<Vec<String>>),
    Set(Vec<(Vec<String>, Setting)>),
    Mask(Vec<Vec<String>>),
    Hash(Vec<Vec<String>>, Option<Secret>),
    Cast(Vec<(Vec<String>, CastType)>),
    Explode(Vec<String>),
    Jq(Program),
}

/// Where a set value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Setting {
    Value(Tree),
    Copy(Vec<String>),
}

impl Step {
    /// Reads a step.
    pub(crate) fn new(config: &StepConfig) -> Result<Step, String> {
        let paths = |texts: &OneOrMany<String>| texts.to_vec().iter().map(|t| keys(t)).collect::<Result<Vec<_>, _>>();
        Ok(match config {
            StepConfig::Filter(text) => {
                let condition = format!("$[?{}]", of_record(text));
                let path = serde_json_path::JsonPath::parse(&condition).map_err(|e| {
                    format!("the filter is no JSONPath condition: {e}; write it like @.status == 'active'")
                })?;
                Step::Filter(Box::new(path))
            }
            StepConfig::Rename(names) => {
                let read = |(old, new): (&String, &String)| Ok((keys(old)?, new.clone()));
                Step::Rename(names.iter().map(read).collect::<Result<_, String>>()?)
            }
            StepConfig::Drop(texts) => Step::Drop(paths(texts)?),
            StepConfig::Keep(texts) => Step::Keep(paths(texts)?),
            StepConfig::Set(values) => {
                let read = |(name, value): (&String, &Value)| {
                    let setting = match value.as_str() {
                        Some(path) if path.starts_with("$.") => Setting::Copy(keys(path)?),
                        _ => Setting::Value(Tree::of_value(value)),
                    };
                    Ok((keys(name)?, setting))
                };
                Step::Set(values.iter().map(read).collect::<Result<_, String>>()?)
            }
            StepConfig::Mask(texts) => Step::Mask(paths(texts)?),
            StepConfig::Hash(config) => Step::Hash(paths(&config.fields)?, config.salt.clone()),
            StepConfig::Cast(types) => {
                let read = |(path, kind): (&String, &CastType)| Ok((keys(path)?, *kind));
                Step::Cast(types.iter().map(read).collect::<Result<_, String>>()?)
            }
            StepConfig::Explode(path) => Step::Explode(list(path)?),
            StepConfig::Jq(code) => Step::Jq(Program::new(code)?),
        })
    }

    /// Puts records through the step.
    pub(crate) fn apply(&self, records: Vec<Tree>) -> Done<Vec<Tree>> {
        Ok(match self {
            Step::Filter(condition) => records.into_iter().filter(|record| holds(condition, record)).collect(),
            Step::Explode(path) => records.into_iter().flat_map(|record| explode(record, path)).collect(),
            Step::Jq(program) => return program.apply(records),
            _ => records.into_iter().map(|record| self.change(record)).collect(),
        })
    }

    fn change(&self, mut record: Tree) -> Tree {
        match self {
            Step::Rename(names) => {
                for (path, new) in names {
                    let Some((last, above)) = path.split_last() else { continue };
                    record.at(above, &mut |below| below.each(&mut |object| object.rename(last, new)));
                }
            }
            Step::Drop(paths) => {
                for path in paths {
                    let Some((last, above)) = path.split_last() else { continue };
                    record.at(above, &mut |below| below.each(&mut |object| drop(object.remove(last))));
                }
            }
            Step::Keep(paths) => {
                if record.is_object() && !record.keep(&paths.iter().map(Vec::as_slice).collect::<Vec<_>>()) {
                    record = Tree::Object(Vec::new());
                }
            }
            Step::Set(values) => {
                for (path, setting) in values {
                    let value = match setting {
                        Setting::Value(value) => Some(value.clone()),
                        Setting::Copy(from) => first(&mut record, from),
                    };
                    let Some((last, above)) = path.split_last() else { continue };
                    let value = value.unwrap_or_else(Tree::null);
                    record.make_objects(above);
                    record.at(above, &mut |below| below.each(&mut |object| object.set(last, value.clone())));
                }
            }
            Step::Mask(paths) => paths.iter().for_each(|path| {
                record.at(path, &mut |value| {
                    if *value != Tree::null() {
                        *value = Tree::text("***");
                    }
                });
            }),
            Step::Hash(paths, salt) => {
                paths.iter().for_each(|path| record.at(path, &mut |value| hash(value, salt.as_ref())))
            }
            Step::Cast(types) => types.iter().for_each(|(path, kind)| record.at(path, &mut |value| cast(value, *kind))),
            Step::Filter(_) | Step::Explode(_) | Step::Jq(_) => {}
        }
        record
    }
}

/// Reads a path of keys; lists on the way are gone through.
fn keys(text: &str) -> Result<Vec<String>, String> {
    let trimmed = text.trim();
    if trimmed.contains('[')
        && let Some(keys) = JsonPath::read_keys(trimmed).filter(|keys| !keys.is_empty())
    {
        return Ok(keys);
    }
    let plain = trimmed.strip_prefix("$.").unwrap_or(trimmed).replace("[*]", ".*");
    let keys: Vec<String> = plain.split('.').map(str::to_owned).collect();
    let is_wrong = |k: &String| k.is_empty() || k.contains(['[', ']', '?', '(']);
    if keys.iter().any(is_wrong) {
        Err(format!("'{text}' is no path of keys such as user.address.zip or items[*].sku"))
    } else {
        Ok(keys)
    }
}

/// Reads the path of a list; `lines[*]` means the same as `lines`.
fn list(text: &str) -> Result<Vec<String>, String> {
    let mut keys = keys(text)?;
    while keys.last().is_some_and(|key| key == "*") {
        keys.pop();
    }
    if keys.is_empty() { Err(format!("'{text}' names no list of the record")) } else { Ok(keys) }
}

/// A condition is asked of a list with the record as its only element: the record itself, `$`, stands there.
fn of_record(condition: &str) -> String {
    let (mut out, mut quote, mut chars) = (String::new(), None, condition.chars());
    while let Some(c) = chars.next() {
        out.push(c);
        match (c, quote) {
            ('\\', Some(_)) => out.extend(chars.next()),
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('$', None) => out.push_str("[0]"),
            _ => {}
        }
    }
    out
}

fn holds(condition: &serde_json_path::JsonPath, record: &Tree) -> bool {
    let bytes = record.to_bytes();
    let value = serde_json::from_slice(&bytes).ok();
    let value = value.or_else(|| Some(Doc::parse(bytes).ok()?.root().to_value()));
    value.is_none_or(|value| !condition.query(&Value::Array(vec![value])).is_empty())
}

/// A record without the list, or with an empty one, stays, with null.
fn explode(mut record: Tree, path: &[String]) -> Vec<Tree> {
    let mut elements = Vec::new();
    record.at(path, &mut |value| {
        if let Tree::List(list) = value {
            elements.append(list);
            *value = Tree::null();
        }
    });
    if elements.is_empty() {
        return vec![record];
    }
    elements
        .into_iter()
        .map(|element| {
            let mut copy = record.clone();
            copy.at(path, &mut |value| *value = element.clone());
            copy
        })
        .collect()
}

fn first(record: &mut Tree, path: &[String]) -> Option<Tree> {
    let mut found = None;
    record.at(path, &mut |value| {
        found.get_or_insert_with(|| value.clone());
    });
    found
}

fn hash(value: &mut Tree, salt: Option<&Secret>) {
    if *value == Tree::null() {
        return;
    }
    let plain = value.plain().map_or_else(|| value.to_bytes(), String::into_bytes);
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(salt.map_or("", Secret::expose).as_bytes());
    context.update(&plain);
    let hex: String = context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect();
    *value = Tree::text(&hex);
}

/// What cannot be cast stays as it is: the normaliser finds a place for it.
fn cast(value: &mut Tree, kind: CastType) {
    let Some(plain) = value.plain() else { return };
    let leaf = match kind {
        CastType::Text => Some(quoted(&plain)),
        CastType::Bigint => parse_int(&plain)
            .map(|_| plain.trim().trim_start_matches('+').replace('_', ""))
            .filter(|t| serde_json::from_str::<serde_json::Number>(t).is_ok()),
        CastType::Double => {
            parse_float(&plain).filter(|f| f.is_finite()).map(longshore_core::values::python_text::float_repr)
        }
        CastType::Bool => str2bool(&plain).map(|b| b.to_string()),
    };
    if let Some(leaf) = leaf {
        *value = Tree::Leaf(leaf.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Doc;
    use serde_json::json;

    fn run(steps: Value, record: &str) -> Vec<String> {
        let steps: Vec<StepConfig> = serde_json::from_value(steps).unwrap();
        let records = vec![Tree::of(Doc::parse(record.into()).unwrap().root())];
        let done = steps.iter().fold(records, |r, s| Step::new(s).unwrap().apply(r).unwrap());
        done.iter().map(|t| String::from_utf8(t.to_bytes()).unwrap()).collect()
    }

    #[test]
    fn each_step_does_what_it_says() {
        for (steps, record, expected) in [
            (json!([{"filter": "@.a > 1"}]), r#"{"a":2}"#, vec![r#"{"a":2}"#]),
            (json!([{"filter": "@.a > 1"}]), r#"{"a":1}"#, vec![]),
            (json!([{"filter": "$.a > 1 && @.b == '$'"}]), r#"{"a":2,"b":"$"}"#, vec![r#"{"a":2,"b":"$"}"#]),
            (json!([{"filter": "@.l[?@ > $.a]"}]), r#"{"a":2,"l":[3]}"#, vec![r#"{"a":2,"l":[3]}"#]),
            (json!([{"filter": "@.l[?@ > $.a]"}]), r#"{"a":4,"l":[3]}"#, vec![]),
            (json!([{"rename": {"a": "b", "n.x": "y"}}]), r#"{"a":1.0,"n":{"x":2}}"#, vec![r#"{"b":1.0,"n":{"y":2}}"#]),
            (json!([{"drop": ["a", "l[*].p"]}]), r#"{"a":1,"l":[{"p":1,"q":2}]}"#, vec![r#"{"l":[{"q":2}]}"#]),
            (json!([{"keep": "a"}]), r#"{"a":1,"b":2}"#, vec![r#"{"a":1}"#]),
            (json!([{"drop": "l.p"}]), r#"{"l":[{"p":1,"q":2}]}"#, vec![r#"{"l":[{"q":2}]}"#]),
            (json!([{"keep": "x"}]), r#"{"a":1}"#, vec!["{}"]),
            (
                json!([{"keep": ["id", "d.team", "l[*].p", "$.m", "n.x"]}]),
                r#"{"id":1,"d":{"org":1,"team":2},"l":[{"p":1,"q":2},{"q":3}],"m":{"k":[1]},"n":4,"o":5}"#,
                vec![r#"{"id":1,"d":{"team":2},"l":[{"p":1},{}],"m":{"k":[1]}}"#],
            ),
            (json!([{"keep": "$['a.b']"}]), r#"{"a.b":1,"b":2}"#, vec![r#"{"a.b":1}"#]),
            (
                json!([{"set": {"b": "x", "c": "$.n.y"}}]),
                r#"{"n":{"y":[1]}}"#,
                vec![r#"{"n":{"y":[1]},"b":"x","c":[1]}"#],
            ),
            (
                json!([{"set": {"a.b": "$.id", "n.c.d": 1, "s.x": 1, "l.x": 2}}]),
                r#"{"id":7,"n":null,"s":"t","l":[{"y":1}]}"#,
                vec![r#"{"id":7,"n":{"c":{"d":1}},"s":"t","l":[{"y":1,"x":2}],"a":{"b":7}}"#],
            ),
            (json!([{"mask": "n.mail"}]), r#"{"n":{"mail":"a@b"},"m":null}"#, vec![r#"{"n":{"mail":"***"},"m":null}"#]),
            (
                json!([{"cast": {"a": "bigint", "b": "text", "c": "bool", "d": "double", "e": "bigint"}}]),
                r#"{"a":"12","b":7,"c":"yes","d":"1.5","e":"x"}"#,
                vec![r#"{"a":12,"b":"7","c":true,"d":1.5,"e":"x"}"#],
            ),
            (
                json!([{"explode": "l"}]),
                r#"{"id":1,"l":[{"p":1},2]}"#,
                vec![r#"{"id":1,"l":{"p":1}}"#, r#"{"id":1,"l":2}"#],
            ),
            (json!([{"explode": "$.l[*]"}]), r#"{"l":[1,2]}"#, vec![r#"{"l":1}"#, r#"{"l":2}"#]),
            (json!([{"explode": "$['l']"}]), r#"{"l":[1,2]}"#, vec![r#"{"l":1}"#, r#"{"l":2}"#]),
            (json!([{"explode": "l"}]), r#"{"id":1,"l":[]}"#, vec![r#"{"id":1,"l":null}"#]),
        ] {
            let got = run(steps.clone(), record);
            assert_eq!(got, expected, "{steps}");
        }
        let hashed = run(json!([{"hash": {"fields": "a"}}]), r#"{"a":"abc"}"#);
        assert!(hashed[0].contains("ba7816bf8f01cfea"), "{}", hashed[0]);
    }

    #[test]
    fn paths_that_lead_nowhere_are_refused() {
        for step in
            [json!({"keep": "tags[1]"}), json!({"explode": "[*]"}), json!({"drop": "a..b"}), json!({"set": {"": 1}})]
        {
            let config: StepConfig = serde_json::from_value(step.clone()).unwrap();
            assert!(Step::new(&config).is_err(), "{step}");
        }
    }

    #[test]
    fn a_filter_holds_for_what_serde_does_not_read() {
        let deep = format!("{{\"id\":2,\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let records = [r#"{"id":1,"n":1e999}"#, r#"{"id":2,"n":1e999}"#, &deep];
        let records = records.map(|r| Tree::of(Doc::parse(r.as_bytes().to_vec()).unwrap().root()));
        let filter = Step::new(&StepConfig::Filter("@.id == 1".to_owned())).unwrap();
        let kept = filter.apply(records.into()).unwrap();
        assert_eq!(kept.iter().map(Tree::to_bytes).collect::<Vec<_>>(), [br#"{"id":1,"n":1e999}"#]);
    }
}
