//! Quoting of names and texts.

/// Returns a name in double quotes: any character, any case, reserved words too.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns `"dataset"."table"`.
pub fn qualified(dataset: &str, table: &str) -> String {
    format!("{}.{}", identifier(dataset), identifier(table))
}

/// Returns a text in single quotes. For SQL without backslash escapes.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(qualified("a\"b", "select"), "\"a\"\"b\".\"select\"");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
