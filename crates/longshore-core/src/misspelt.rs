//! What a misspelt word most likely means: one rule for keys, settings, tables and columns, wherever a name is not known.

/// Returns "did you mean 'x'?" when one of the known words is near.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean '{near}'?"))
}

/// Returns the known word that a misspelt one most likely means: a third of its letters may be wrong, missing or swapped, three
/// at most and one at least; capitals and hyphens for underscores do not count.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |w: &str| w.to_lowercase().replace('-', "_");
    let word = plain(word);
    let most = (word.chars().count() / 3).clamp(1, 3);
    let distance = |k: &str| strsim::osa_distance(&word, &plain(k));
    known.into_iter().map(|k| (distance(k), k)).filter(|(d, _)| *d <= most).min_by_key(|(d, _)| *d).map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_are_recognised() {
        let known = ["destination", "dataset", "name"];
        assert_eq!(suggest("destinaton", known).as_deref(), Some("did you mean 'destination'?"));
        assert_eq!(suggest("data-set", known).as_deref(), Some("did you mean 'dataset'?"));
        assert_eq!(suggest("nmae", known).as_deref(), Some("did you mean 'name'?"));
        assert_eq!(suggest("colour", known), None);
        assert_eq!(suggest("", known), None);
    }
}
