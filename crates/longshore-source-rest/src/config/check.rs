//! Checks a tree of values against a JSON Schema and names everything that is wrong at once, with suggestions for
//! misspelt keys and words: what a deserialiser, which stops at the first error, cannot do.

mod words;

use longshore_core::misspelt::suggest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use words::{join, name_of, one_of, type_fits, types};

/// One thing that is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `resources[2].endpoint.paginator.type`. Empty for the whole.
    pub path: String,
    /// What is wrong, in lower case.
    pub message: String,
    /// What was probably meant, or what to do.
    pub suggestion: Option<String>,
}

impl Problem {
    /// Returns a problem at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { path: path.into(), message: message.into(), suggestion: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn suggest(mut self, text: impl Into<String>) -> Self {
        self.suggestion = Some(text.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(text) => write!(f, " ({text})"),
            None => Ok(()),
        }
    }
}

/// Checks a value against a schema made by `schemars`. Values are never named, for they may be secrets;
/// words of a fixed list are.
pub fn check(schema: &Value, value: &Value, path: &str) -> Vec<Problem> {
    let mut checker = Checker { root: schema, problems: Vec::new() };
    checker.value(schema, value, path);
    checker.problems
}

struct Checker<'a> {
    root: &'a Value,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, path: &str) {
        let schema = self.resolve(schema);
        let Some(rules) = schema.as_object() else { return };
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(variants)) = rules.get(key) {
                return self.variant(variants, value, path);
            }
        }
        if let Some(words) = rules.get("enum").and_then(Value::as_array) {
            return self.word(words, value, path);
        }
        if !type_fits(rules, value) {
            let problem = Problem::new(path, format!("expected {}, found {}", types(rules), name_of(value)));
            // A reference that was meant as one would not be here any more.
            let is_like_reference = value.as_object().is_some_and(|t| t.len() == 1 && t.values().all(Value::is_string));
            self.problems.push(match is_like_reference && types(rules) == "a text" {
                true => problem.suggest("a value from elsewhere is { secret = \"NAME\" } or { env = \"NAME\" }"),
                false => problem,
            });
            return;
        }
        match value {
            Value::Object(table) => self.table(schema, table, path),
            Value::Number(number) => self.bounds(rules, number.as_f64().unwrap_or_default(), path),
            Value::Array(list) => {
                if let Some(items) = rules.get("items") {
                    for (i, item) in list.iter().enumerate() {
                        self.value(items, item, &format!("{path}[{i}]"));
                    }
                }
            }
            _ => {}
        }
    }

    fn bounds(&mut self, rules: &Map<String, Value>, number: f64, path: &str) {
        let bound = |key: &str| rules.get(key).filter(|bound| bound.is_number());
        let wrong = [
            bound("minimum").filter(|least| Some(number) < least.as_f64()).map(|least| format!("of at least {least}")),
            bound("exclusiveMinimum")
                .filter(|least| Some(number) <= least.as_f64())
                .map(|least| format!("above {least}")),
            bound("maximum").filter(|most| Some(number) > most.as_f64()).map(|most| format!("of at most {most}")),
        ];
        if let Some(must) = wrong.into_iter().flatten().next() {
            self.problems.push(Problem::new(path, format!("expected a number {must}")));
        }
    }

    /// The variant for a value is the one of its type; among tables the one whose tag it has.
    fn variant(&mut self, variants: &'a [Value], value: &Value, path: &str) {
        let fitting: Vec<&'a Value> = variants
            .iter()
            .filter(|v| self.resolve(v).as_object().is_some_and(|rules| self.may_fit(rules, value)))
            .collect();
        match fitting.as_slice() {
            [] => {
                let words: Vec<&Value> = variants.iter().flat_map(|v| self.words(v)).collect();
                match value {
                    Value::String(word) if !words.is_empty() => self.not_a_word(&words, word, path),
                    _ => {
                        let kinds: Vec<String> = variants.iter().flat_map(|v| self.kinds(v)).collect();
                        self.problems
                            .push(Problem::new(path, format!("expected {}, found {}", join(kinds), name_of(value))));
                    }
                }
            }
            [one] => self.value(one, value, path),
            several => self.tagged(several, value, path),
        }
    }

    fn tagged(&mut self, variants: &[&'a Value], value: &Value, path: &str) {
        let table = match value {
            Value::Object(table) => table,
            Value::String(word) => {
                let words: Vec<&Value> = variants.iter().flat_map(|v| self.words(v)).collect();
                if !words.contains(&value) {
                    self.not_a_word(&words, word, path);
                }
                return;
            }
            _ => return,
        };
        let tags: Vec<(&'a Value, Option<&'a Value>)> = variants
            .iter()
            .map(|v| (*v, self.properties(v).get("type").copied().and_then(|t| t.get("const"))))
            .collect();
        if tags.iter().any(|(_, tag)| tag.is_some()) {
            let Some(given) = table.get("type") else {
                // One variant may be meant where no type is given.
                if let Some((variant, _)) = tags.iter().find(|(v, _)| !self.required(v).contains(&"type")) {
                    return self.value(variant, value, path);
                }
                self.problems.push(
                    Problem::new(path, "'type' is missing")
                        .suggest(one_of(tags.iter().filter_map(|(_, t)| t.and_then(Value::as_str)))),
                );
                return;
            };
            match tags.iter().find(|(_, tag)| *tag == Some(given)) {
                Some((variant, _)) => self.value(variant, value, path),
                None => {
                    let words: Vec<&Value> = tags.iter().filter_map(|(_, t)| *t).collect();
                    match given.as_str() {
                        Some(word) => self.not_a_word(&words, word, &format!("{path}.type")),
                        None => self.problems.push(Problem::new(format!("{path}.type"), "expected a text")),
                    }
                }
            }
            return;
        }
        // Tables with one key each (processing steps): the key decides.
        let keys: Vec<(&'a Value, Vec<&'a str>)> =
            variants.iter().map(|v| (*v, self.properties(v).into_keys().collect())).collect();
        let named = keys.iter().find(|(_, names)| table.keys().any(|k| names.contains(&k.as_str())));
        match (named, table.keys().next()) {
            (Some((variant, _)), _) => self.value(variant, value, path),
            (None, Some(key)) => self.unknown(key, keys.iter().flat_map(|(_, n)| n.iter().copied()), path),
            (None, None) => self.problems.push(Problem::new(path, "the table is empty")),
        }
    }

    fn table(&mut self, schema: &'a Value, table: &Map<String, Value>, path: &str) {
        let properties = self.properties(schema);
        let closed = [schema.get("additionalProperties"), schema.get("unevaluatedProperties")]
            .contains(&Some(&Value::Bool(false)));
        let others = schema.get("additionalProperties").filter(|v| v.is_object());
        for (key, value) in table {
            let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match (properties.get(key.as_str()).copied(), others) {
                (Some(rules), _) => self.value(rules, value, &place),
                (None, _) if is_let_pass(schema, key) => {}
                (None, Some(rules)) => self.value(rules, value, &place),
                (None, None) if closed => self.unknown(key, properties.keys().copied(), path),
                (None, None) => {}
            }
        }
        for key in self.required(schema) {
            if !table.contains_key(key) {
                self.problems.push(Problem::new(path, format!("'{key}' is missing")));
            }
        }
    }

    fn unknown<'k>(&mut self, key: &str, known: impl Iterator<Item = &'k str>, path: &str) {
        let known: Vec<&str> = known.collect();
        let place = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let problem = Problem::new(place, format!("unknown key '{key}'"));
        let near = suggest(key, known.iter().copied());
        self.problems.push(problem.suggest(near.unwrap_or_else(|| one_of(known.into_iter()))));
    }

    fn word(&mut self, words: &'a [Value], value: &Value, path: &str) {
        if words.contains(value) {
            return;
        }
        match value.as_str() {
            Some(word) => self.not_a_word(&words.iter().collect::<Vec<_>>(), word, path),
            None => self.problems.push(Problem::new(path, format!("expected a text, found {}", name_of(value)))),
        }
    }

    fn not_a_word(&mut self, words: &[&Value], word: &str, path: &str) {
        let known: Vec<&str> = words.iter().filter_map(|w| w.as_str()).collect();
        // A secret that stands in the place of a type is not shown.
        let is_plain = word.len() <= 24 && word.bytes().all(|b| b.is_ascii_alphabetic() || b"_-".contains(&b));
        let shown = if is_plain && !path.contains("auth") { format!("'{word}'") } else { "the word".to_owned() };
        let problem = Problem::new(path, format!("{shown} is none of {}", known.join(", ")));
        self.problems.push(match suggest(word, known) {
            Some(near) => problem.suggest(near),
            None => problem,
        });
    }

    /// What a value may be, in words.
    fn kinds(&self, schema: &'a Value) -> Vec<String> {
        let Some(rules) = self.resolve(schema).as_object() else { return Vec::new() };
        let variants = ["anyOf", "oneOf"].into_iter().filter_map(|k| rules.get(k)?.as_array()).flatten();
        let kinds: Vec<String> = variants.flat_map(|v| self.kinds(v)).collect();
        if kinds.is_empty() { vec![types(rules)] } else { kinds }
    }

    fn words(&self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolve(schema);
        let of_one = schema.get("const").into_iter();
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        let nested = ["oneOf", "anyOf"].into_iter().filter_map(|k| schema.get(k)?.as_array()).flatten();
        of_one.chain(listed).chain(nested.flat_map(|v| self.words(v))).filter(|v| v.is_string()).collect()
    }

    fn may_fit(&self, rules: &'a Map<String, Value>, value: &Value) -> bool {
        if let Some(constant) = rules.get("const") {
            return constant == value;
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(variants)) = rules.get(key) {
                // Words that are not on a list are still meant for the list.
                return variants.iter().any(|v| {
                    self.resolve(v).as_object().is_some_and(|r| match (r.get("const"), value) {
                        (Some(_), Value::String(_)) => true,
                        _ => self.may_fit(r, value),
                    })
                });
            }
        }
        type_fits(rules, value)
    }

    /// Follows a reference that stands alone; one beside properties is merged by [`Self::properties`].
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        while let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            if schema.get("properties").is_some() {
                break;
            }
            match self.root.pointer(target.trim_start_matches('#')) {
                Some(found) => schema = found,
                None => break,
            }
        }
        schema
    }

    fn parts(&self, schema: &'a Value) -> Vec<&'a Value> {
        let target = schema.get("$ref").and_then(Value::as_str);
        let other = target.and_then(|t| self.root.pointer(t.trim_start_matches('#')));
        let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        std::iter::once(schema).chain(other).chain(all.flat_map(|s| self.parts(s))).collect()
    }

    fn properties(&self, schema: &'a Value) -> BTreeMap<&'a str, &'a Value> {
        let tables = self.parts(self.resolve(schema)).into_iter().filter_map(|s| s.get("properties")?.as_object());
        tables.flatten().map(|(k, v)| (k.as_str(), v)).collect()
    }

    fn required(&self, schema: &'a Value) -> Vec<&'a str> {
        let lists = self.parts(self.resolve(schema)).into_iter().filter_map(|s| s.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }
}

/// True where a pattern of keys lets any value pass.
fn is_let_pass(schema: &Value, key: &str) -> bool {
    let patterns = schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
    patterns.filter_map(|(pattern, _)| pattern.strip_prefix('^')).any(|begin| key.starts_with(begin))
}
