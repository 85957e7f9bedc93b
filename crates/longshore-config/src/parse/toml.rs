//! TOML, by the `toml` crate's tree with spans.

use super::Places;
use crate::node::{Entry, Node, Table, Value};
use crate::problem::{Problem, Problems};
use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) fn parse(text: &str, places: &Places<'_>) -> Result<Node, Problems> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let problem = |e: &toml::de::Error| {
        let origin = places.at(e.span().map_or(0, |s| s.start));
        Problem::new(&origin, "", format!("not TOML: {}", e.message().replace('\n', ", ")))
    };
    Problems::none(errors.iter().map(problem).collect())?;
    let span = document.span().start;
    let table = table(document.get_ref(), places).map_err(Problems::one)?;
    Ok(Node { value: Value::Table(table), origin: places.at(span) })
}

/// The crate sorts keys by name; here they stand as in the file.
fn table(from: &DeTable<'_>, places: &Places<'_>) -> Result<Table, Problem> {
    let mut sorted: Vec<_> = from.iter().collect();
    sorted.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        let origin = places.at(key.span().start);
        Ok(Entry { key: key.get_ref().to_string(), origin, value: node(value, places)? })
    };
    Ok(Table { entries: sorted.into_iter().map(entry).collect::<Result<_, _>>()? })
}

fn node(from: &Spanned<DeValue<'_>>, places: &Places<'_>) -> Result<Node, Problem> {
    let origin = places.at(from.span().start);
    let wrong = |what: &str| Problem::new(&origin, "", format!("the number {what}"));
    let value = match from.get_ref() {
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(i) => {
            let number = i128::from_str_radix(&i.as_str().replace('_', ""), i.radix());
            let number = number.ok().and_then(Number::from_i128);
            Value::Number(number.ok_or_else(|| wrong("does not fit 64 bits"))?)
        }
        DeValue::Float(f) => {
            let number = f.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| wrong("is not finite"))?)
        }
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(d) => Value::Text(d.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|i| node(i, places)).collect::<Result<_, _>>()?),
        DeValue::Table(t) => Value::Table(table(t, places)?),
    };
    Ok(Node { value, origin })
}
