//! What a query is told that names a table which is not there.

use crate::place::Place;
use longshore_core::destination::Destination;
use longshore_core::error::Error;
use longshore_core::misspelt::nearest;
use longshore_core::package::Target;

/// How many tables are listed when none is like the one that is named.
const MOST_LISTED: usize = 5;

/// The error, with the tables that may have been meant when it speaks of one that was not loaded.
pub(super) async fn explain(error: Error, destination: &dyn Destination, place: &Place, sql: &str) -> Error {
    let said = said(&error);
    let named: Vec<&str> = tables_of(sql).into_iter().filter(|name| has_word(&said, name)).collect();
    if named.is_empty() {
        return error;
    }
    let target = Target { pipeline: place.pipeline.clone(), dataset: place.dataset.clone() };
    // Another error than the first would only be in its way.
    let Ok(known) = destination.last_committed(&target).await else { return error };
    let tables: Vec<String> = known.map_or_else(Vec::new, |k| k.schema.tables.into_iter().map(|t| t.name).collect());
    match named.iter().find(|name| !tables.iter().any(|t| t.eq_ignore_ascii_case(name))) {
        Some(name) => error.hint(hint(name, &tables)),
        None => error,
    }
}

fn hint(name: &str, tables: &[String]) -> String {
    let near = nearest(name, tables.iter().map(String::as_str));
    let listed = || tables.iter().take(MOST_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match near {
        Some(near) => format!("did you mean '{near}'? 'longshore tables' lists what is there"),
        None if tables.is_empty() => "'longshore tables' lists what is there".to_owned(),
        None if tables.len() > MOST_LISTED => {
            format!("there are {}, and more: 'longshore tables' lists them", listed())
        }
        None => format!("the tables are: {}", listed()),
    }
}

/// The first line of each cause: behind it, some destinations repeat the statement.
fn said(error: &Error) -> String {
    let mut lines = error.message().to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(e) = cause {
        lines.push('\n');
        lines.push_str(e.to_string().lines().next().unwrap_or_default());
        cause = e.source();
    }
    lines
}

fn has_word(text: &str, word: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_inside) && !text[at + word.len()..].starts_with(is_inside))
}

/// The names behind `FROM` and `JOIN`, without what stands before a point and without quotes.
fn tables_of(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = sql;
    let mut is_next = false;
    while let Some((word, behind)) = next_word(rest) {
        rest = behind;
        if is_next && rest.trim_start().starts_with('.') {
            continue;
        }
        let is_key = ["from", "join"].iter().any(|k| word.eq_ignore_ascii_case(k));
        if is_next && !is_key {
            found.push(word);
        }
        is_next = is_key;
    }
    found
}

/// The next word or quoted name, and what follows it.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let start = text.find(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '`' | '\''))?;
    let text = &text[start..];
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '`' | '\'')) {
        let inside = &text[1..];
        let end = inside.find(quote)?;
        return Some((&inside[..end], &inside[end + 1..]));
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_a_statement_names() {
        assert_eq!(tables_of("FROM orders"), ["orders"]);
        let sql = "select a.x from \"my table\" a join shop.lines l on true where t = 'from here' limit 1";
        assert_eq!(tables_of(sql), ["my table", "lines"]);
        assert_eq!(tables_of("SELECT 1; FROM"), Vec::<&str>::new());
        assert_eq!(tables_of("SELECT FROM FROM t"), ["t"]);
        assert_eq!(tables_of("FROM 'open"), Vec::<&str>::new());
        assert_eq!(tables_of("from `größe`.\"é\""), ["é"]);
    }

    #[test]
    fn a_word_is_not_a_part_of_another() {
        assert!(has_word("relation \"orders\" does not exist", "orders"));
        assert!(has_word("Table with name order does not exist! Not orders", "order"));
        assert!(!has_word("Table with name orders__lines does not exist", "orders"));
    }

    #[test]
    fn near_names_come_first() {
        let tables = ["orders", "orders__lines", "people"].map(str::to_owned);
        assert_eq!(hint("Order", &tables), "did you mean 'orders'? 'longshore tables' lists what is there");
        assert_eq!(hint("zzz", &tables), "the tables are: orders, orders__lines, people");
        assert_eq!(hint("zzz", &[]), "'longshore tables' lists what is there");
    }
}
