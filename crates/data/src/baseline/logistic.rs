//! Logistic regression on TF-IDF features: a weight for each word and label.
//!
//! ```text
//! P(label | x) = softmax over labels of (W x + b)
//! W, b         = argmin  (1/N) sum of -w ln P(label | x)  +  |W|^2 / (2 C N),    w = 1 or the weight of a text
//! ```
//!
//! The objective is scikit-learn's with the same `C` (divided by C N; with two labels the penalty is doubled, since there a
//! single row stands for both); the biases b are free. It is
//! convex, so there is one answer; [`minimise`] finds it. Everything is summed in a
//! fixed order with our own `exp` and `ln`, so the weights have the same bits on every machine.

use super::{Classifier, Counted, Features, Labelled, Sparse, minimise, softmax};
use crate::metrics::LabelScores;

/// See the module.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    features: Features,
    /// (feature and last the bias, label), row after row; each is an `f32` number
    pub(super) weights: Vec<f64>,
    labels: usize,
    iterations: usize,
}

/// The strengths C that a validation part chooses among.
const STRENGTHS: [f64; 4] = [1.0, 4.0, 16.0, 64.0];

/// Weights there are at most, which take 170 bytes each while they are fitted: what fewer texts have is left out.
const MOST_WEIGHTS: usize = 1 << 21;

/// Words that fewer texts have are not counted.
pub const MIN_DOCUMENTS: usize = 2;

impl LogisticRegression {
    /// Fits weights for what is counted and at least `min_documents` texts have. A smaller `c` keeps them smaller; 1 is the usual.
    pub fn fit(data: &Labelled, counted: Counted, min_documents: usize, c: f64) -> LogisticRegression {
        let (features, rows) = LogisticRegression::rows(data, counted, min_documents);
        let start = vec![0.0; data.names().len() * (features.len() + 1)];
        LogisticRegression::fit_from(start, features, &Rows::of(&rows, data), c)
    }

    /// The features that weights are for, with so many labels.
    pub(super) fn features_of<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        labels: usize,
        counted: Counted,
        min_documents: usize,
    ) -> Features {
        Features::fit(texts, counted, min_documents, (MOST_WEIGHTS / labels).max(1))
    }

    /// The features, and those of each text.
    fn rows(data: &Labelled, counted: Counted, min_documents: usize) -> (Features, Vec<Sparse>) {
        let texts = data.texts().iter().map(String::as_str);
        let features = LogisticRegression::features_of(texts, data.names().len(), counted, min_documents);
        let rows = data.texts().iter().map(|text| features.tf_idf(text)).collect();
        (features, rows)
    }

    /// The least of the objective, looked for from these weights on.
    pub(super) fn fit_from(start: Vec<f64>, features: Features, rows: &Rows<'_>, c: f64) -> Self {
        let labels = rows.labels;
        // Of two labels scikit-learn has one row w, the difference of the rows here: w/2 and -w/2 have half of its square.
        let c = if labels == 2 { c / 2.0 } else { c };
        let decay = 1.0 / (c * rows.features.len() as f64);
        let minimum =
            minimise(start, 300, 1e-5, |weights, gradient| objective(rows, decay, weights, gradient));
        let weights = minimum.x.into_iter().map(|weight| f64::from(weight as f32)).collect();
        LogisticRegression { features, weights, labels, iterations: minimum.iterations }
    }

    /// The fit whose strength suits the validation texts best; of equals, the weakest. Returns its strength, too. They are tried
    /// from the weakest on, each from where the one before ended, until one is worse.
    pub fn choose(train: &Labelled, validation: &Labelled, counted: Counted) -> (f64, LogisticRegression) {
        let (features, rows) = LogisticRegression::rows(train, counted, MIN_DOCUMENTS);
        let accuracy = |model: &LogisticRegression| LabelScores::of(model, validation).accuracy;
        let mut start = vec![0.0; train.names().len() * (features.len() + 1)];
        let mut best: Option<(f64, f64, LogisticRegression)> = None; // with its accuracy
        for c in STRENGTHS {
            let next = LogisticRegression::fit_from(start, features.clone(), &Rows::of(&rows, train), c);
            start = next.weights.clone();
            let reached = accuracy(&next);
            let before = best.as_ref().map_or(f64::NEG_INFINITY, |(before, ..)| *before);
            if reached < before {
                break;
            }
            if reached > before {
                best = Some((reached, c, next));
            }
        }
        let (_, c, model) = best.expect("there are strengths");
        (c, model)
    }

    /// From what [`LogisticRegression::features`] and [`LogisticRegression::weights`] return. `None` if there are not as many
    /// weights as for some number of labels.
    pub fn from_parts(features: Features, weights: &[f32]) -> Option<LogisticRegression> {
        let rows = features.len() + 1;
        let weights: Vec<f64> = weights.iter().copied().map(f64::from).collect();
        let fits = !weights.is_empty() && weights.len().is_multiple_of(rows);
        let labels = weights.len() / rows;
        fits.then_some(LogisticRegression { features, weights, labels, iterations: 0 })
    }

    /// The features of a text that it looks at.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The weights (feature and last the bias, label), row after row.
    pub fn weights(&self) -> Vec<f32> {
        self.weights.iter().map(|&weight| weight as f32).collect()
    }

    /// How many labels it predicts.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// How many steps the minimisation took; 0 of one that was read.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// P(label | text) of a text with these features.
    pub(super) fn of_features(&self, row: &Sparse) -> Vec<f64> {
        let mut p = scores(&self.weights, self.labels, row);
        softmax(&mut p);
        p
    }

    /// What each feature of a text adds to the score of a label over the mean of all labels, the largest first: which words
    /// speak for it.
    pub fn reasons(&self, text: &str, label: usize) -> Vec<(String, f64)> {
        let over_mean = |number: u32| {
            let row = &self.weights[number as usize * self.labels..][..self.labels];
            row[label] - row.iter().sum::<f64>() / self.labels as f64
        };
        let mut names = self.features.names(text);
        let mut reason = |(number, value): (u32, f64)| {
            (names.remove(&number).unwrap_or_default(), value * over_mean(number))
        };
        let mut reasons: Vec<(String, f64)> =
            self.features.tf_idf(text).into_iter().map(&mut reason).collect();
        reasons.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons
    }
}

/// What is learned from: the features of texts, their labels and what each counts.
pub(super) struct Rows<'a> {
    pub(super) features: Vec<&'a Sparse>,
    pub(super) answers: &'a [usize],
    pub(super) weights: &'a [f64],
    /// How many labels there are.
    pub(super) labels: usize,
}

impl<'a> Rows<'a> {
    fn of(rows: &'a [Sparse], data: &'a Labelled) -> Self {
        let (answers, weights) = (data.labels(), data.weights());
        Self { features: rows.iter().collect(), answers, weights, labels: data.names().len() }
    }
}

/// The objective and its gradient. With p the probabilities and y the label of a text, the gradient of
/// its loss by the scores is p - y.
fn objective(rows: &Rows<'_>, decay: f64, weights: &[f64], gradient: &mut [f64]) -> f64 {
    let labels = rows.labels;
    let even = 1.0 / rows.features.len() as f64;
    gradient.fill(0.0);
    let mut loss = 0.0;
    let (of_features, biases) = gradient.split_at_mut(gradient.len() - labels);
    for (row, (&answer, &weight)) in rows.features.iter().zip(rows.answers.iter().zip(rows.weights)) {
        let share = even * weight;
        let mut p = scores(weights, labels, row);
        softmax(&mut p);
        loss -= share * random::ln(p[answer].max(f64::MIN_POSITIVE));
        p[answer] -= 1.0;
        for &(number, value) in *row {
            let of_feature = &mut of_features[number as usize * labels..][..labels];
            of_feature.iter_mut().zip(&p).for_each(|(g, error)| *g += share * value * error);
        }
        biases.iter_mut().zip(&p).for_each(|(g, error)| *g += share * error);
    }
    for (g, w) in of_features.iter_mut().zip(weights) {
        loss += 0.5 * decay * w * w;
        *g += decay * w;
    }
    loss
}

/// x W + b
fn scores(weights: &[f64], labels: usize, row: &Sparse) -> Vec<f64> {
    let mut scores = weights[weights.len() - labels..].to_vec();
    for &(number, value) in row {
        let of_feature = &weights[number as usize * labels..][..labels];
        scores.iter_mut().zip(of_feature).for_each(|(score, w)| *score += value * w);
    }
    scores
}

impl Classifier for LogisticRegression {
    fn probabilities(&self, text: &str) -> Vec<f64> {
        self.of_features(&self.features.tf_idf(text))
    }
}
