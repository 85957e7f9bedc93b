//! Queries of people, for the destinations that ask a DuckDB: what their columns are, and which of them Arrow has no
//! true form for.

use crate::identifier;

/// A column of a query's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name, which another one may have too.
    pub name: String,
    /// DuckDB's word for its type.
    pub data_type: String,
}

/// Returns the query for a query's columns, as names and types, which does not run it. DuckDB refuses it for what is
/// no query (`EXPLAIN`, `PRAGMA`) and for several statements.
pub fn describe(sql: &str) -> String {
    format!("SELECT column_name, column_type FROM (DESCRIBE {}\n)", bare(sql))
}

/// Returns the query with texts instead of the values that DuckDB hands to Arrow wrongly or not at all; `None` when it
/// may stay as it is.
pub fn faithful(sql: &str, columns: &[AnswerColumn]) -> Option<String> {
    if !columns.iter().any(|c| has_no_form(&c.data_type)) {
        return None;
    }
    // Names of our own in between, because the query's may be there twice.
    let own: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
    let chosen = columns.iter().zip(&own).map(|(column, own)| {
        let value = if has_no_form(&column.data_type) { format!("{own}::VARCHAR") } else { own.clone() };
        format!("{value} AS {}", identifier(&column.name))
    });
    let chosen = chosen.collect::<Vec<_>>().join(", ");
    Some(format!("SELECT {chosen} FROM (\n{}\n) AS answer({})", bare(sql), own.join(", ")))
}

/// Returns true for a column of JSON documents.
pub fn is_json(column: &AnswerColumn) -> bool {
    column.data_type == "JSON"
}

/// The query without the semicolon behind it. A comment at its end is ended by the line's end that follows.
fn bare(sql: &str) -> &str {
    sql.trim_end_matches(|c: char| c.is_whitespace() || c == ';')
}

/// A type with one of these in it: their bytes are those of DuckDB's memory, an offset is lost, the sign is wrong, or few
/// readers of Arrow know them.
fn has_no_form(data_type: &str) -> bool {
    let words = words(data_type);
    let is_one = |word: &String| ["UHUGEINT", "BIGNUM", "BIT", "UNION", "VARIANT"].contains(&word.as_str());
    words.iter().any(is_one) || words.windows(2).any(|w| w == ["TIME", "WITH"])
}

/// The words of a type. What stands in quotes is a name or a value.
fn words(data_type: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in data_type.chars() {
        match quote {
            Some(q) => quote = (c != q).then_some(q),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_alphanumeric() || c == '_' => words.last_mut().into_iter().for_each(|w| w.push(c)),
            None => words.push(String::new()),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(columns: &[(&str, &str)]) -> Vec<AnswerColumn> {
        let column = |(name, data_type): &(&str, &str)| AnswerColumn {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn only_what_has_no_form_becomes_text() {
        let usual =
            ["BIGINT", "HUGEINT", "TIMESTAMP WITH TIME ZONE", "ENUM('BIT')", "STRUCT(\"BIT\" DATE)", "DECIMAL(3,1)"];
        assert!(usual.iter().all(|t| !has_no_form(t)));
        let unusual = ["UHUGEINT", "BIT[]", "TIME WITH TIME ZONE", "STRUCT(a UNION(k INTEGER))", "MAP(BIT, BIGNUM)"];
        assert!(unusual.iter().all(|t| has_no_form(t)));
        assert_eq!(faithful("SELECT 1", &columns(&[("a", "INTEGER")])), None);
        assert_eq!(
            faithful("FROM t; ", &columns(&[("a", "INTEGER"), ("a", "BIT")])).as_deref(),
            Some("SELECT c0 AS \"a\", c1::VARCHAR AS \"a\" FROM (\nFROM t\n) AS answer(c0, c1)")
        );
    }
}
