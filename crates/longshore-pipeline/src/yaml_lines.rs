//! Where in a YAML text a value stands, for messages.

use saphyr_parser::{Event, Parser};

/// Returns the line, from 1, of what `path` leads to (keys, and numbers into lists), or of the last of its keys that is
/// there; `None` when the text is no YAML, or nothing of the path is there.
pub(crate) fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let mut finder = Finder { path, open: Vec::new(), found: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        finder.take(&event, span.start.line());
    }
    finder.found.map(|(_, line)| line)
}

struct Finder<'a> {
    path: &'a [String],
    open: Vec<Open>,
    /// Depth and line of the longest part of the path so far.
    found: Option<(usize, usize)>,
}

/// A list or table under way.
struct Open {
    is_list: bool,
    /// Entries so far.
    entries: usize,
    /// Of a table: the key that waits for its value.
    key: Option<String>,
    /// All keys to here are those of the path.
    on_path: bool,
}

impl Finder<'_> {
    fn take(&mut self, event: &Event<'_>, line: usize) {
        match event {
            Event::Scalar(text, ..) if self.is_key(text, line) => {}
            Event::Scalar(..) | Event::Alias(_) => {
                self.value(line);
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let on_path = self.value(line);
                let is_list = matches!(event, Event::SequenceStart(..));
                self.open.push(Open { is_list, entries: 0, key: None, on_path });
            }
            Event::SequenceEnd | Event::MappingEnd => _ = self.open.pop(),
            _ => {}
        }
    }

    /// Takes a scalar for a key where one has to come.
    fn is_key(&mut self, text: &str, line: usize) -> bool {
        let depth = self.open.len();
        let Some(open) = self.open.last_mut().filter(|o| !o.is_list && o.key.is_none()) else { return false };
        open.key = Some(text.to_owned());
        if open.on_path && self.path.get(depth - 1).is_some_and(|p| p == text) {
            self.note(depth, line);
        }
        true
    }

    /// Takes a value; returns true when it is on the path.
    fn value(&mut self, line: usize) -> bool {
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else { return true };
        let key = if open.is_list { open.entries.to_string() } else { open.key.take().unwrap_or_default() };
        open.entries += 1;
        let on_path = open.on_path && self.path.get(depth - 1).is_some_and(|p| *p == key);
        if on_path && open.is_list {
            self.note(depth, line);
        }
        on_path
    }

    fn note(&mut self, depth: usize, line: usize) {
        if self.found.is_none_or(|(deepest, _)| depth > deepest) {
            self.found = Some((depth, line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn the_longest_part_of_a_path_is_found() {
        let text = "name: s\ntables:\n- name: a\n  columns:\n  - name: x\n    data_type: text\n  - {name: y,\n     data_type: int}\n- name: b\n";
        let line = |path: &str| line_of(text, &path.split('.').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(line("name"), Some(1));
        assert_eq!(line("tables.0.columns.0.data_type"), Some(6));
        assert_eq!(line("tables.0.columns.1.data_type"), Some(8));
        assert_eq!(line("tables.0.columns.1.nothing"), Some(7));
        assert_eq!(line("tables.1"), Some(9));
        assert_eq!(line("nothing"), None);
        assert_eq!(line_of("a: [", &["a".to_owned()]), None);
    }
}
