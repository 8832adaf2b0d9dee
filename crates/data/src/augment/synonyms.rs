//! Words that may stand for one another.

use crate::DataError;
use std::collections::HashMap;

/// Sets of synonyms.
#[derive(Clone, Debug, Default)]
pub struct Synonyms {
    /// The synonyms of a word in small letters, in the order of the file.
    others: HashMap<String, Vec<String>>,
}

impl Synonyms {
    /// The English and Chinese sets that ship inside, `datasets/synonyms-en.tsv` and `synonyms-zh.tsv`.
    pub fn built_in() -> Synonyms {
        let english = include_str!("../../../../datasets/synonyms-en.tsv");
        let chinese = include_str!("../../../../datasets/synonyms-zh.tsv");
        Synonyms::parse(&format!("{english}{chinese}"), "synonyms (ship inside)").expect("tests read them")
    }

    /// Reads a set a line, its words separated by tabs. A word of several sets has the synonyms of all. Empty
    /// lines and lines that begin with `#` are passed over. `name` is for messages.
    ///
    /// # Errors
    /// If a line has fewer than two words, or there is no line.
    pub fn parse(text: &str, name: &str) -> Result<Synonyms, DataError> {
        let malformed = |place: String, found: String| DataError::Malformed {
            what: name.into(),
            place,
            found,
            expected: "two or more synonyms separated by tabs".into(),
            remedy: "correct the line or delete it; words separated by spaces count as one phrase".into(),
        };
        let mut synonyms = Synonyms::default();
        let lines = text.lines().enumerate();
        for (i, line) in lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty()) {
            let set: Vec<&str> = line.split('\t').map(str::trim).filter(|word| !word.is_empty()).collect();
            if set.len() < 2 {
                let shown: String = line.chars().take(40).collect();
                return Err(malformed(format!("line {}", i + 1), format!("{shown:?}")));
            }
            set.iter().for_each(|word| synonyms.add(word, &set));
        }
        if synonyms.others.is_empty() { Err(malformed(String::new(), "none".into())) } else { Ok(synonyms) }
    }

    fn add(&mut self, word: &str, set: &[&str]) {
        let others = self.others.entry(word.to_lowercase()).or_default();
        for other in set {
            if *other != word && !others.iter().any(|known| known == other) {
                others.push(other.to_string());
            }
        }
    }

    /// The synonyms of a word, none if it has none.
    ///
    /// ```
    /// let synonyms = data::augment::Synonyms::parse("big\tlarge\thuge\n", "mine")?;
    /// assert_eq!(synonyms.of("Big"), ["large", "huge"]);
    /// # Ok::<(), data::DataError>(())
    /// ```
    pub fn of(&self, word: &str) -> &[String] {
        self.others.get(&word.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// All words that have synonyms, sorted.
    pub fn words(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.others.keys().map(String::as_str).collect();
        words.sort_unstable();
        words
    }
}
