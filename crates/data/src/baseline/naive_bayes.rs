//! Multinomial naive Bayes: each word speaks for the labels that have it, independently of the others.
//!
//! ```text
//! ln P(label | text) = ln P(label) + sum over words of ln P(word | label) + constant
//! P(word | label)    = (count(word, label) + 1) / (count(all words, label) + number of words)
//! ```
//!
//! The 1 is Laplace's: a word never seen with a label does not rule it out. Words that no training text
//! has are left out. Source: Manning, Raghavan and Schuetze, "Introduction to Information Retrieval"
//! (2008), section 13.2.

use super::{Classifier, Counted, Features, Labelled, softmax};

/// See the module.
#[derive(Clone, Debug)]
pub struct NaiveBayes {
    features: Features,
    /// ln P(label)
    prior: Vec<f64>,
    /// ln P(word | label): (label, feature), row after row
    likelihood: Vec<f64>,
}

impl NaiveBayes {
    /// Counts runs of 1 to `max_n` words that at least `min_documents` texts have.
    pub fn fit(data: &Labelled, max_n: usize, min_documents: usize) -> NaiveBayes {
        let texts = data.texts().iter().map(String::as_str);
        let features = Features::fit(texts, Counted::Words(max_n), min_documents, usize::MAX);
        let (labels, width) = (data.names().len(), features.len());
        let mut texts = vec![0.0_f64; labels];
        let mut counts = vec![1.0_f64; labels * width];
        for ((text, &label), weight) in data.texts().iter().zip(data.labels()).zip(data.weights()) {
            texts[label] += weight;
            for (number, count) in features.counts(text) {
                counts[label * width + number as usize] += weight * count;
            }
        }
        // Also here one more than was counted: a label without texts stays possible.
        let all = data.weights().iter().sum::<f64>() + labels as f64;
        let prior = texts.iter().map(|&n| random::ln((n + 1.0) / all)).collect();
        for row in counts.chunks_mut(width.max(1)) {
            let total: f64 = row.iter().sum();
            row.iter_mut().for_each(|count| *count = random::ln(*count / total));
        }
        NaiveBayes { features, prior, likelihood: counts }
    }

    /// How many features there are.
    pub fn features(&self) -> usize {
        self.features.len()
    }
}

impl Classifier for NaiveBayes {
    fn probabilities(&self, text: &str) -> Vec<f64> {
        let (mut scores, width) = (self.prior.clone(), self.features.len());
        for (number, count) in self.features.counts(text) {
            for (label, score) in scores.iter_mut().enumerate() {
                *score += count * self.likelihood[label * width + number as usize];
            }
        }
        softmax(&mut scores);
        scores
    }
}
