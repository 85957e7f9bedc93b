//! Names for columns where every name may stand once.

use arrow_schema::Schema;
use std::collections::HashSet;

/// The columns' names: one that stands there already gets a number behind it, and who looks at stderr reads so.
pub(super) fn distinct(schema: &Schema) -> Vec<String> {
    let given: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let names = numbered(&given);
    for (given, name) in given.iter().zip(&names).filter(|(given, name)| given != name) {
        eprintln!("note: there is more than one column {given:?}; a further one is called {name:?} here");
    }
    names
}

fn numbered(given: &[&str]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let name = |given_name: &&str| {
        let mut name = (*given_name).to_owned();
        let mut number = 2;
        while taken.contains(&name) || (number > 2 && given.contains(&name.as_str())) {
            name = format!("{given_name}_{number}");
            number += 1;
        }
        taken.insert(name.clone());
        name
    };
    given.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_the_next_free_number() {
        assert_eq!(numbered(&["a", "a", "A", "a"]), ["a", "a_2", "A", "a_3"]);
        assert_eq!(numbered(&["a", "a", "a_2"]), ["a", "a_3", "a_2"]);
    }
}
