//! Logistic regression on TF-IDF features: a weight for each word and label.
//!
//! ```text
//! P(label | x) = softmax over labels of (W x + b)
//! W, b         = argmin  (1/N) sum of -ln P(label | x)  +  |W|^2 / (2 C N)
//! ```
//!
//! The objective is scikit-learn's with the same `C` (divided by C N; with two labels the penalty is doubled, since there a
//! single row stands for both); the biases b are free. It is
//! convex, so there is one answer; [`minimise`] finds it. Everything is summed in a
//! fixed order with our own `exp` and `ln`, so the weights have the same bits on every machine.

use super::{Classifier, Features, Labelled, Sparse, minimise, softmax};
use crate::metrics::LabelScores;

/// See the module.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    features: Features,
    /// (label, feature and last the bias), row after row; each is an `f32` number
    pub(super) weights: Vec<f64>,
    iterations: usize,
}

/// The strengths C that a validation part chooses among.
const STRENGTHS: [f64; 3] = [1.0, 4.0, 16.0];

/// Words that fewer texts have are not counted.
pub const MIN_DOCUMENTS: usize = 2;

impl LogisticRegression {
    /// Fits weights for runs of 1 to `max_n` words that at least `min_documents` texts have. A smaller
    /// `c` keeps them smaller; 1 is the usual.
    pub fn fit(data: &Labelled, max_n: usize, min_documents: usize, c: f64) -> LogisticRegression {
        let features = Features::fit(data.texts().iter().map(String::as_str), max_n, min_documents);
        let rows: Vec<Sparse> = data.texts().iter().map(|text| features.tf_idf(text)).collect();
        let labels = data.names().len();
        let start = vec![0.0; labels * (features.len() + 1)];
        // Of two labels scikit-learn has one row w, the difference of the rows here: w/2 and -w/2 have half of its square.
        let c = if labels == 2 { c / 2.0 } else { c };
        let decay = 1.0 / (c * rows.len() as f64);
        let minimum = minimise(start, 300, 1e-5, |weights, gradient| {
            objective(&rows, data.labels(), labels, decay, weights, gradient)
        });
        let weights = minimum.x.into_iter().map(|weight| f64::from(weight as f32)).collect();
        LogisticRegression { features, weights, iterations: minimum.iterations }
    }

    /// The fit whose strength suits the validation texts best; of equals, the weakest. Returns its strength, too.
    pub fn choose(train: &Labelled, validation: &Labelled, max_n: usize) -> (f64, LogisticRegression) {
        let fitted = STRENGTHS.map(|c| (c, LogisticRegression::fit(train, max_n, MIN_DOCUMENTS, c)));
        let accuracy = |model: &LogisticRegression| LabelScores::of(model, validation).accuracy;
        let better = |best: (f64, LogisticRegression), next: (f64, LogisticRegression)| {
            if accuracy(&next.1) > accuracy(&best.1) { next } else { best }
        };
        fitted.into_iter().reduce(better).expect("there are strengths")
    }

    /// From what [`LogisticRegression::features`] and [`LogisticRegression::weights`] return. `None` if there are not as many
    /// weights as for some number of labels.
    pub fn from_parts(features: Features, weights: &[f32]) -> Option<LogisticRegression> {
        let width = features.len() + 1;
        let weights: Vec<f64> = weights.iter().copied().map(f64::from).collect();
        let fits = !weights.is_empty() && weights.len().is_multiple_of(width);
        fits.then_some(LogisticRegression { features, weights, iterations: 0 })
    }

    /// The features of a text that it looks at.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The weights (label, feature and last the bias), row after row.
    pub fn weights(&self) -> Vec<f32> {
        self.weights.iter().map(|&weight| weight as f32).collect()
    }

    /// How many labels it predicts.
    pub fn labels(&self) -> usize {
        self.weights.len() / (self.features.len() + 1)
    }

    /// How many steps the minimisation took; 0 of one that was read.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// What each feature of a text adds to the score of a label over the mean of all labels, the largest first: which words
    /// speak for it.
    pub fn reasons(&self, text: &str, label: usize) -> Vec<(String, f64)> {
        let (width, labels) = (self.features.len() + 1, self.labels());
        let weight = |label: usize, number: u32| self.weights[label * width + number as usize];
        let over_mean = |number: u32| {
            weight(label, number) - (0..labels).map(|of| weight(of, number)).sum::<f64>() / labels as f64
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

/// The objective and its gradient. With p the probabilities and y the label of a text, the gradient of
/// its loss by the scores is p - y.
fn objective(
    rows: &[Sparse],
    answers: &[usize],
    labels: usize,
    decay: f64,
    weights: &[f64],
    gradient: &mut [f64],
) -> f64 {
    let (width, share) = (weights.len() / labels, 1.0 / rows.len() as f64);
    gradient.fill(0.0);
    let mut loss = 0.0;
    for (row, &answer) in rows.iter().zip(answers) {
        let mut p = scores(weights, labels, row);
        softmax(&mut p);
        loss -= share * random::ln(p[answer].max(f64::MIN_POSITIVE));
        p[answer] -= 1.0;
        for (label, error) in p.iter().enumerate() {
            let of_label = &mut gradient[label * width..(label + 1) * width];
            row.iter().for_each(|&(number, value)| of_label[number as usize] += share * error * value);
            of_label[width - 1] += share * error;
        }
    }
    for label in 0..labels {
        for i in label * width..(label + 1) * width - 1 {
            loss += 0.5 * decay * weights[i] * weights[i];
            gradient[i] += decay * weights[i];
        }
    }
    loss
}

/// W x + b.
fn scores(weights: &[f64], labels: usize, row: &Sparse) -> Vec<f64> {
    let of_label = |w: &[f64]| {
        row.iter().map(|&(number, value)| w[number as usize] * value).sum::<f64>() + w[w.len() - 1]
    };
    weights.chunks(weights.len() / labels).map(of_label).collect()
}

impl Classifier for LogisticRegression {
    fn probabilities(&self, text: &str) -> Vec<f64> {
        let mut p = scores(&self.weights, self.labels(), &self.features.tf_idf(text));
        softmax(&mut p);
        p
    }
}
