//! Distribution shift: how far a text is from the one that a model learnt from.
//!
//! A loss on new text that is higher than on the validation part has two causes, and only one of them
//! is the model. This module measures the other without any model of ours: by words, by short n-grams,
//! by what an n-gram model predicts, and by whether a classifier can tell the two texts apart.
//!
//! | | question | measure | where |
//! |---|---|---|---|
//! | S1 | Does the test have new words? | out-of-vocabulary rates, Jaccard | [`VocabularyShift`] |
//! | S2 | Are its n-grams distributed otherwise? | KL and JS divergence, above a noise floor | [`Divergence`] |
//! | S3 | What does that cost a model? | loss of Kneser-Ney there against held-out training text | [`PerplexityGap`] |
//! | S4 | Can one tell a passage's origin? | AUC of a domain classifier, 0.5 = no | [`DomainTest`] |
//! | S5 | What helps? | [`Report::remedies`] | |
//!
//! Every measure of two samples is positive by chance alone, so each comes with what it would be
//! without any shift: the floor of S2 and the error of S3 and S4.

mod divergence;
mod domain;
mod options;
mod passages;
mod perplexity;
mod remedies;
mod report;
mod vocabulary;

pub use divergence::{Divergence, divergences};
pub use domain::{DomainTest, domain_test};
pub use options::Options;
pub use passages::shuffled_split;
pub use perplexity::{PerplexityGap, perplexity_gap};
pub use report::Report;
pub use vocabulary::{VocabularyShift, vocabulary_shift};

use crate::{CharTokenizer, DataError};
use random::{Rng, Stream};

/// Measures how far `test` is from `train`; `stage` is told what is being measured.
///
/// # Errors
/// If a text is too short to be cut into parts (2,000 characters for the training text, 200 for the
/// test), or there is only one character.
pub fn compare(
    train: &str,
    test: &str,
    options: &Options,
    mut stage: impl FnMut(&'static str),
) -> Result<Report, DataError> {
    let rng = |purpose| Rng::new(options.seed, Stream::Other(purpose));
    let tokenizer = CharTokenizer::from_text(&format!("{train}{test}"))?;
    let (train_ids, test_ids) = (tokenizer.encode(train)?, tokenizer.encode(test)?);
    for (what, ids, least) in [("training", &train_ids, 2000), ("test", &test_ids, 200)] {
        if ids.len() < least {
            return Err(DataError::Malformed {
                what: format!("the {what} text"),
                place: String::new(),
                found: format!("{} characters", ids.len()),
                expected: format!("at least {least}"),
                remedy: "measure drift on longer texts: less is noise".into(),
            });
        }
    }
    stage("words");
    let vocabulary = vocabulary_shift(train, test);
    stage("n-grams");
    let divergence = divergences(&train_ids, &test_ids, tokenizer.vocab_size(), options, &mut rng(0));
    stage("perplexity");
    let perplexity = perplexity_gap(train, test, &tokenizer, options, &mut rng(1))?;
    stage("domain classifier");
    let domain = domain_test(train, test, options, &mut rng(2))?;
    let (train_chars, test_chars) = (train_ids.len(), test_ids.len());
    let remedies = Vec::new();
    let mut report = Report { train_chars, test_chars, vocabulary, divergence, perplexity, domain, remedies };
    report.remedies = remedies::remedies(&report);
    Ok(report)
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
