//! Labels for texts that have none: a classifier that has learnt from a few labelled texts says what it is surest of, learns from
//! that, too, and says it again (self-training: Yarowsky 1995; pseudo-labels: Lee 2013).
//!
//! The classifier is the logistic regression on words and the one on runs of characters, both counted in all texts, with and without
//! labels, and mixed as suits the validation texts. In each round every label is given to its surest texts, as many as the label's
//! share of the labelled texts asks for, until [`SHARE`] of all texts have one. The labels of the round after which the classifier
//! suits the validation texts best are kept, or none: it is no gain where many are labelled, and a loss where the surest are wrong.

use super::logistic::{LogisticRegression, MIN_DOCUMENTS, Rows};
use super::{Classifier, Counted, Features, Labelled, Mixture, Sparse};

/// The part of the texts without a label that is given one.
const SHARE: f64 = 0.3;
/// Rounds at most: the validation texts choose among them.
const ROUNDS: usize = 3;
/// Of a few texts a weak penalty: what is seen once must be able to count.
const STRENGTH: f64 = 16.0;

/// What a text counts whose label was not given by a person.
pub const WEIGHT: f64 = 0.3;

/// A text that was given a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taught {
    /// Its number among those without.
    pub text: usize,
    /// The number of the label.
    pub label: usize,
}

/// Gives labels to some of the texts that have none, in order of their numbers; to none if the validation texts say that the
/// classifier gets no better by it.
#[must_use]
pub fn self_training(labelled: &Labelled, validation: &Labelled, unlabelled: &[String]) -> Vec<Taught> {
    let views: Vec<View> = [Counted::Words(2), Counted::CHARACTERS]
        .map(|counted| View::new(labelled, unlabelled, counted))
        .into();
    let (mut taught, mut best) = (Vec::new(), (f64::INFINITY, Vec::new()));
    for round in 0..=ROUNDS {
        let fitted: Vec<LogisticRegression> = views.iter().map(|view| view.fit(labelled, &taught)).collect();
        let of_validation: Vec<Vec<Vec<f64>>> = fitted
            .iter()
            .map(|model| validation.texts().iter().map(|text| model.probabilities(text)).collect())
            .collect();
        let mixture = Mixture::fit(
            &[&of_validation[0], &of_validation[1]],
            (validation.labels(), validation.weights()),
        );
        let mixed = |of: &dyn Fn(usize) -> Vec<f64>| mixture.probabilities(&[of(0), of(1)]);
        let loss: f64 = validation
            .labels()
            .iter()
            .enumerate()
            .map(|(text, &label)| -random::ln(mixed(&|i| of_validation[i][text].clone())[label]))
            .sum();
        if loss < best.0 {
            best = (loss, taught.clone());
        }
        if round < ROUNDS {
            let p: Vec<Vec<f64>> = (0..unlabelled.len())
                .map(|text| mixed(&|i| fitted[i].of_features(&views[i].unlabelled[text])))
                .collect();
            taught = surest(labelled, &p);
        }
    }
    best.1
}

/// Of each label the surest texts. A text that is among the surest of two labels has the likelier.
fn surest(labelled: &Labelled, p: &[Vec<f64>]) -> Vec<Taught> {
    let all = labelled.labels().len() as f64;
    let mut label_of: Vec<Option<usize>> = vec![None; p.len()];
    for label in 0..labelled.names().len() {
        let share = labelled.labels().iter().filter(|&&of| of == label).count() as f64 / all;
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[b][label].total_cmp(&p[a][label]).then(a.cmp(&b)));
        for &text in order.iter().take((SHARE * share * p.len() as f64) as usize) {
            match label_of[text] {
                Some(other) if p[text][other] >= p[text][label] => {}
                _ => label_of[text] = Some(label),
            }
        }
    }
    let taught = label_of.into_iter().enumerate();
    taught.filter_map(|(text, label)| Some(Taught { text, label: label? })).collect()
}

/// All texts as one of the regressions sees them.
struct View {
    features: Features,
    labelled: Vec<Sparse>,
    unlabelled: Vec<Sparse>,
}

impl View {
    fn new(labelled: &Labelled, unlabelled: &[String], counted: Counted) -> Self {
        let all = labelled.texts().iter().chain(unlabelled).map(String::as_str);
        let features = LogisticRegression::features_of(all, labelled.names().len(), counted, MIN_DOCUMENTS);
        let rows = |texts: &[String]| texts.iter().map(|text| features.tf_idf(text)).collect();
        Self { labelled: rows(labelled.texts()), unlabelled: rows(unlabelled), features }
    }

    fn fit(&self, labelled: &Labelled, taught: &[Taught]) -> LogisticRegression {
        let more = || taught.iter();
        let features = self.labelled.iter().chain(more().map(|of| &self.unlabelled[of.text])).collect();
        let answers: Vec<usize> =
            labelled.labels().iter().copied().chain(more().map(|of| of.label)).collect();
        let weights: Vec<f64> = labelled.weights().iter().copied().chain(more().map(|_| WEIGHT)).collect();
        let labels = labelled.names().len();
        let rows = Rows { features, answers: &answers, weights: &weights, labels };
        let start = vec![0.0; labels * (self.features.len() + 1)];
        LogisticRegression::fit_from(start, self.features.clone(), &rows, STRENGTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::{Rng, Stream};

    /// Words of two labels: each text has three of its own label's ten, and some that say nothing.
    fn text(rng: &mut Rng, label: usize) -> String {
        let own = |rng: &mut Rng| format!("{}{}", ["p", "n"][label], rng.below(10));
        let none = |rng: &mut Rng| format!("x{}", rng.below(30));
        (0..6).map(|i| if i < 3 { own(rng) } else { none(rng) }).collect::<Vec<_>>().join(" ")
    }

    /// A label's words that no labelled text has are learnt from texts that have them beside others.
    #[test]
    fn texts_without_labels_teach_words_that_the_labelled_do_not_have() {
        let mut rng = Rng::new(3, Stream::Data);
        let names = ["n".to_string(), "p".to_string()];
        let mut set = |n: usize| {
            let row = |i: usize| (text(&mut rng, i % 2), ["p", "n"][i % 2].to_string());
            Labelled::with_names((0..n).map(row).collect(), &names).unwrap()
        };
        let (labelled, validation) = (set(4), set(20));
        let truth: Vec<usize> = (0..600).map(|i| i % 2).collect();
        let unlabelled: Vec<String> = truth.iter().map(|&label| text(&mut rng, label)).collect();
        let taught = self_training(&labelled, &validation, &unlabelled);
        assert!((100..=180).contains(&taught.len()), "{}", taught.len());
        assert!(taught.windows(2).all(|pair| pair[0].text < pair[1].text), "each once, in order");
        // Where the validation texts say the contrary of the labelled, nothing is taught.
        let contrary = validation.labels().iter().map(|label| names[1 - label].clone());
        let contrary = validation.texts().iter().cloned().zip(contrary).collect();
        let contrary = Labelled::with_names(contrary, &names).unwrap();
        assert_eq!(self_training(&labelled, &contrary, &unlabelled), []);
        // "p" is name 1, and label 0 of the generator.
        let right = taught.iter().filter(|of| truth[of.text] == 1 - of.label).count();
        assert!(right as f64 > 0.9 * taught.len() as f64, "{right} of {}", taught.len());
        let rows = taught.iter().map(|of| (unlabelled[of.text].clone(), of.label));
        let all = labelled.clone().and(rows, WEIGHT);
        assert_eq!((all.weights()[0], all.weights()[4]), (1.0, WEIGHT));
        let accuracy = |data: &Labelled| {
            let model = LogisticRegression::fit(data, Counted::Words(1), 1, 4.0);
            let mut rng = Rng::new(4, Stream::Data);
            (0..400).filter(|i| model.predict(&text(&mut rng, i % 2)) == 1 - i % 2).count()
        };
        let (before, after) = (accuracy(&labelled), accuracy(&all));
        assert!(after > before + 20, "{before} {after}");
    }

    #[test]
    fn a_weight_counts_as_so_many_texts() {
        let rows = |n: usize| {
            let one = ("a b".to_string(), "x".to_string());
            std::iter::repeat_n(one, n).chain([("b c".to_string(), "y".to_string())]).collect::<Vec<_>>()
        };
        let names = ["x".to_string(), "y".to_string()];
        let twice = Labelled::with_names(rows(2), &names).unwrap();
        let weighted = Labelled::with_names(rows(1), &names).unwrap().and([("a b".to_string(), 0)], 1.0);
        let p = |data: &Labelled| LogisticRegression::fit(data, Counted::Words(1), 1, 1.0).probabilities("a");
        assert!((p(&twice)[0] - p(&weighted)[0]).abs() < 1e-9);
        let light = Labelled::with_names(rows(1), &names).unwrap().and([("a b".to_string(), 0)], 0.0);
        // C counts texts: a text of weight 0 is still one of N, for the loss and for the penalty alike.
        let once = Labelled::with_names(rows(1), &names).unwrap();
        assert!((p(&light)[0] - p(&once)[0]).abs() < 1e-2, "{:?} {:?}", p(&light), p(&once));
        assert!(p(&twice)[0] > p(&once)[0] + 0.01);
    }
}
