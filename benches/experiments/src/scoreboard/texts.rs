//! Labelled texts to tune on and to measure by.

use super::{Result, Values};
use data::Tokenizer;
use data::baseline::{Classifier, Counted, Labelled, LogisticRegression, NaiveBayes};
use data::dataset::{SplitRule, k_shot};
use data::metrics::LabelScores;
use data::read::{Documents, Options};
use data::tokenizer::{PieceCounts, WordTokenizer};
use random::{Rng, Stream};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use synth::{Field, documents, kinds::sentiment::true_label};

/// Rows of a text and its label.
pub(super) type Rows = Vec<(String, String)>;

/// Texts in three parts.
#[derive(Clone, Debug)]
pub struct Reviews {
    /// To learn from.
    pub train: Labelled,
    /// To choose by.
    pub validation: Labelled,
    /// To test on.
    pub test: Labelled,
}

/// Runs of up to two words, as `newleaf baseline` counts them.
const NGRAMS: usize = 2;
/// Words that fewer texts have are not counted.
const MIN_DOCUMENTS: usize = 2;

impl Reviews {
    fn new(train: Rows, validation: Rows, test: Rows) -> Result<Reviews> {
        let train = Labelled::new(train)?;
        let of = |rows| Labelled::with_names(rows, train.names());
        Ok(Reviews { validation: of(validation)?, test: of(test)?, train })
    }

    /// Reviews of the generator `sentiment`. Each part has a seed of its own; no text is there twice, nor in two parts.
    ///
    /// # Errors
    /// If the generator is not what it was.
    pub fn generated(counts: [usize; 3], seed: u64) -> Result<Reviews> {
        let mut seen = HashSet::new();
        let mut part = |number: u64, count| reviews(1_000_000 * number + seed, count, &mut seen);
        let [train, validation, test] = counts;
        Reviews::new(part(1, train)?, part(2, validation)?, part(3, test)?)
    }

    /// The reviews of a table with the columns `review` and `label`, divided by their hashes as `newleaf baseline` does.
    ///
    /// # Errors
    /// If it cannot be read, has other columns, or is too short.
    pub fn of_file(path: &Path) -> Result<Reviews> {
        let options = Options { text_column: Some("review".into()), ..Options::default() };
        let (mut train, mut validation, mut test) = (Rows::new(), Rows::new(), Rows::new());
        let (mut seen, rule) = (HashSet::new(), SplitRule::usual());
        for document in Documents::open(path, &options)? {
            let document = document?;
            let Some(Value::String(label)) = document.fields.get("label") else {
                return Err(
                    format!("{}: line {}: expected a column label", path.display(), document.line).into()
                );
            };
            let text = document.text.trim();
            if !text.is_empty() && seen.insert(text.to_string()) {
                let part = match rule.part(text) {
                    0 => &mut train,
                    1 => &mut validation,
                    _ => &mut test,
                };
                part.push((document.text.clone(), label.trim().to_string()));
            }
        }
        Reviews::new(train, validation, test)
    }

    /// The same tests after `k` texts of each label to learn from and `k` others to choose by.
    ///
    /// # Errors
    /// If a label has fewer.
    pub fn few(&self, k: usize, seed: u64) -> Result<Reviews> {
        let mut rng = Rng::new(seed, Stream::Data);
        let mut chosen = |part: &Labelled| -> Result<Rows> {
            let row = |i: usize| (part.texts()[i].clone(), part.names()[part.labels()[i]].clone());
            Ok(k_shot(part.labels(), k, &mut rng)?.into_iter().map(row).collect())
        };
        let (train, validation) = (chosen(&self.train)?, chosen(&self.validation)?);
        let test = self.test.texts().iter().zip(self.test.labels());
        let test = test.map(|(text, &label)| (text.clone(), self.test.names()[label].clone())).collect();
        Reviews::new(train, validation, test)
    }

    /// The same, with more texts and their labels to learn from.
    ///
    /// # Errors
    /// If a label is a new one.
    pub(super) fn and(&self, more: Rows) -> Result<Reviews> {
        let label = |&label: &usize| self.train.names()[label].clone();
        let own = self.train.texts().iter().cloned().zip(self.train.labels().iter().map(label));
        let train = Labelled::with_names(own.chain(more).collect(), self.train.names())?;
        Ok(Reviews { train, validation: self.validation.clone(), test: self.test.clone() })
    }

    /// The share of the test labels that are right, for texts of the generator: what the best classifier reaches on them.
    #[must_use]
    pub fn right_labels(&self) -> f64 {
        let is_right = |(text, &label): (&String, &usize)| {
            true_label(text).is_some_and(|truth| self.test.names()[label] == truth.to_string())
        };
        let right = self.test.texts().iter().zip(self.test.labels()).filter(|row| is_right(*row)).count();
        right as f64 / self.test.texts().len() as f64
    }

    /// Naive Bayes.
    #[must_use]
    pub fn naive_bayes(&self) -> Values {
        self.scored(&NaiveBayes::fit(&self.train, NGRAMS, MIN_DOCUMENTS))
    }

    /// Logistic regression of the strength that suits the validation part best; of equals, the weakest.
    #[must_use]
    pub fn logistic_regression(&self) -> Values {
        let counted = Counted::Words(NGRAMS);
        self.scored(&LogisticRegression::choose(&self.train, &self.validation, counted).1)
    }

    fn scored(&self, classifier: &impl Classifier) -> Values {
        let scores = LabelScores::of(classifier, &self.test);
        vec![("accuracy", scores.accuracy), ("macro_f1", scores.macro_f1)]
    }

    /// The texts of the training part, a line each, for a model to be pretrained on.
    #[must_use]
    pub fn training_text(&self) -> String {
        let line = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
        self.train.texts().iter().map(line).collect()
    }
}

/// The reviews of the generator `sentiment` with their labels, as they come.
fn generated(seed: u64) -> Result<impl Iterator<Item = (String, String)>> {
    let pair = |fields: Vec<(Field, String)>| {
        let [(_, text), (_, label)] = <[_; 2]>::try_from(fields).expect("a review has a text and a label");
        (text, label)
    };
    Ok(documents("sentiment", &[], seed)?.map(pair))
}

/// So many reviews of the generator that were not seen before, with their labels.
fn reviews(seed: u64, count: usize, seen: &mut HashSet<String>) -> Result<Rows> {
    Ok(generated(seed)?.filter(|(text, _)| seen.insert(text.clone())).take(count).collect())
}

/// So many texts of the generator `sentiment`, a line each and without labels, as they come.
///
/// # Errors
/// If the generator is not what it was.
pub fn unlabelled(count: usize, seed: u64) -> Result<String> {
    Ok(generated(4_000_000 + seed)?.take(count).map(|(text, _)| text + "\n").collect())
}

/// The words of a text as tokens.
///
/// # Errors
/// If it has none.
pub fn words_of(text: &str) -> Result<Tokenizer> {
    let mut counts = PieceCounts::new(None);
    text.split_inclusive('\n').for_each(|line| counts.add(line));
    Ok(Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_in_two_parts() {
        let reviews = Reviews::generated([300, 100, 200], 1).unwrap();
        let parts = [&reviews.train, &reviews.validation, &reviews.test];
        let texts: HashSet<&String> = parts.iter().flat_map(|part| part.texts()).collect();
        assert_eq!(texts.len(), 600);
        // The share of wrong labels is 0.05.
        assert!((0.9..0.99).contains(&reviews.right_labels()), "{}", reviews.right_labels());
    }

    #[test]
    fn few_texts_of_each_label() {
        let reviews = Reviews::generated([300, 100, 200], 1).unwrap().few(4, 2).unwrap();
        for part in [&reviews.train, &reviews.validation] {
            assert_eq!(
                (0..2).map(|l| part.labels().iter().filter(|&&x| x == l).count()).collect::<Vec<_>>(),
                [4, 4]
            );
        }
        assert_eq!(reviews.test.texts().len(), 200);
    }

    /// What is pretrained on has no labels in it: every line is a text that the generator's own reader understands.
    #[test]
    fn unlabelled_texts_have_no_labels() {
        let text = unlabelled(100, 1).unwrap();
        assert_eq!(text.lines().count(), 100);
        assert!(text.lines().all(|line| true_label(line).is_some()));
    }
}
