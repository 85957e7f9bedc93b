//! Naming resources and parts of the state, in dlt's manner: names, regular expressions behind `re:`, paths.

use longshore_core::error::{Error, Result};
use longshore_core::naming::normalize_identifier;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// Some resources.
#[derive(Debug, Clone, Default)]
pub struct Selection(Vec<Pattern>);

#[derive(Debug, Clone)]
enum Pattern {
    All,
    Name { written: String, normalized: String },
    Expression(Regex),
}

impl Selection {
    /// Selects all resources.
    pub fn all() -> Self {
        Selection(vec![Pattern::All])
    }

    /// Reads names and `re:` expressions, which have to match from a name's begin.
    ///
    /// # Errors
    /// When an expression is none.
    pub fn parse(words: &[String]) -> Result<Self> {
        let pattern = |word: &String| match word.strip_prefix("re:") {
            None => Ok(Pattern::Name {
                written: word.clone(),
                normalized: normalize_identifier(word).unwrap_or_else(|| word.clone()),
            }),
            Some(expression) => Regex::new(&format!("^(?:{expression})"))
                .map(Pattern::Expression)
                .map_err(|e| Error::config(format!("'{word}' is no regular expression")).source(e)),
        };
        words.iter().map(pattern).collect::<Result<_>>().map(Selection)
    }

    /// True for a root table's name, or a resource's as its source calls it.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let normalized = normalize_identifier(name);
        self.0.iter().any(|p| p.matches(name) || normalized.as_deref().is_some_and(|n| p.matches(n)))
    }

    /// Each has to mean something that is there: a name that was mistyped drops nothing, silently.
    pub(crate) fn check(&self, names: &BTreeSet<&str>) -> Result<()> {
        let is_wrong = |p: &&Pattern| !matches!(p, Pattern::All) && !names.iter().any(|name| p.matches(name));
        match self.0.iter().find(is_wrong) {
            None => Ok(()),
            Some(pattern) => {
                let there: Vec<&str> = names.iter().copied().collect();
                let hint = if there.is_empty() {
                    "there is none".to_owned()
                } else {
                    format!("there are: {}", there.join(", "))
                };
                Err(Error::config(format!("no resource of the pipeline is called '{}'", pattern.as_str())).hint(hint))
            }
        }
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Name { written, normalized } => name == written || name == normalized,
            Pattern::Expression(expression) => expression.is_match(name),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Pattern::All => "*",
            Pattern::Name { written, .. } => written,
            Pattern::Expression(expression) => expression.as_str(),
        }
    }
}

/// A path into the state: `resources.orders.incremental` of every source, or from `sources` on; `*` is any key, and a
/// key with points in it stands in brackets: `resources.orders.incremental["data.at"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePath(Vec<String>);

impl StatePath {
    /// Reads a path.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::config(format!("'{text}' is no path into the state")).hint(
                "such as resources.orders.incremental, sources.shop.* or resources.orders.incremental[\"data.at\"]",
            )
        };
        let mut keys = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or(text).trim_start_matches('.');
        while !rest.is_empty() {
            if let Some(bracket) = rest.strip_prefix('[') {
                let (key, after) = bracket.split_once(']').ok_or_else(wrong)?;
                keys.push(key.trim_matches(['"', '\'']).to_owned());
                rest = after.strip_prefix('.').unwrap_or(after);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                keys.push(rest[..end].to_owned());
                rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
            }
        }
        if keys.is_empty() || keys.iter().any(String::is_empty) {
            return Err(wrong());
        }
        if keys[0] != "sources" {
            keys.splice(0..0, ["sources".to_owned(), "*".to_owned()]);
        }
        Ok(StatePath(keys))
    }

    /// Takes out what the path leads to, and returns the paths of that.
    pub(crate) fn forget(&self, state: &mut Value) -> Vec<String> {
        let mut found = Vec::new();
        forget(state, &self.0, "", &mut found);
        found
    }
}

fn forget(value: &mut Value, keys: &[String], at: &str, found: &mut Vec<String>) {
    let (Some(object), Some((key, rest))) = (value.as_object_mut(), keys.split_first()) else { return };
    let names: Vec<String> = object.keys().filter(|name| key == "*" || *name == key).cloned().collect();
    for name in names {
        let point = if at.is_empty() { "" } else { "." };
        let path = format!("{at}{point}{name}");
        if rest.is_empty() {
            object.shift_remove(&name);
            found.push(path);
        } else if let Some(inner) = object.get_mut(&name) {
            forget(inner, rest, &path, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn resources_are_named_or_described() {
        let of = |words: &[&str]| Selection::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).unwrap();
        let some = of(&["Orders", "re:cust.*s"]);
        assert!(some.matches("orders") && some.matches("customers") && !some.matches("my_customers"));
        assert!(some.check(&["orders", "customers"].into()).is_ok());
        let error = some.check(&["orders", "prices"].into()).unwrap_err();
        assert!(error.hint_text().unwrap().contains("orders, prices"), "{error}");
        assert!(Selection::parse(&["re:(".to_owned()]).is_err());
        assert!(Selection::all().check(&BTreeSet::new()).is_ok());
    }

    #[test]
    fn paths_lead_into_the_state_of_each_source_or_of_one() {
        let state = || {
            let of = json!({"resources": {"a": {"incremental": {"x.y": 1, "z": 2}}, "b": {"seen": 3}}});
            json!({"sources": {"one": of, "two": {"resources": {"a": {"incremental": {"z": 4}}}}}})
        };
        let forget = |path: &str| {
            let mut state = state();
            let found = StatePath::parse(path).unwrap().forget(&mut state);
            (found, state)
        };
        let (found, left) = forget("$.resources.a.incremental");
        assert_eq!(found, ["sources.one.resources.a.incremental", "sources.two.resources.a.incremental"]);
        assert_eq!(left["sources"]["one"]["resources"], json!({"a": {}, "b": {"seen": 3}}));
        let (found, left) = forget("sources.one.resources.a.incremental[\"x.y\"]");
        assert_eq!((found.len(), &left["sources"]["one"]["resources"]["a"]), (1, &json!({"incremental": {"z": 2}})));
        assert_eq!(forget("resources.*").0.len(), 3);
        assert!(forget("resources.c").0.is_empty());
        assert!(StatePath::parse("").is_err() && StatePath::parse("a..b").is_err() && StatePath::parse("a[b").is_err());
    }
}
