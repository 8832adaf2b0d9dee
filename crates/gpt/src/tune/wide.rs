//! Logistic regressions on words and on characters beside a fine-tuned model: wide and deep (Cheng et al. 2016), each trained by
//! itself and their probabilities mixed.
//!
//! A small model has read little; which words stand in a text is half of what there is to know of its label, and which runs of
//! characters (endings, spellings, signs, Chinese words of three characters) is a part of the rest; a convex problem finds it in
//! seconds. The validation texts say how much each counts ([`Mixture`]): zero and one included, so all together are hardly ever
//! worse than the best one.
//!
//! | file of a classifier | contents |
//! |---|---|
//! | `wide.json` | how much each counts; the features of each regression in their order, with the number of texts that have each |
//! | `wide.safetensors` | `words.weight` and `characters.weight`: (features and last the bias, labels) |

use crate::files::json;
use crate::files::store;
use crate::files::tensors::{self, Tensor, Tensors};
use crate::files::{CheckpointError, TensorsError};
use data::baseline::{Classifier as _, Counted, Features, Labelled, LogisticRegression, Mixture};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;

const CONFIG: &str = "wide.json";
const WEIGHTS: &str = "wide.safetensors";

/// The most bytes of either file that are read.
const MAX_BYTES: u64 = 1 << 30;

/// Linear models of a text, and how much each counts beside the fine-tuned one.
#[derive(Clone, Debug)]
pub struct Wide {
    /// What the words say, and what the characters.
    pub regressions: Vec<LogisticRegression>,
    /// How much the fine-tuned model counts, and how much each regression.
    pub mixture: Mixture,
}

/// `wide.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    mixture: Mixture,
    regressions: Vec<Regression>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Regression {
    counted: Counted,
    documents: u32,
    features: Vec<(String, u32)>,
}

/// The name of a regression's tensor.
fn weight(counted: Counted) -> &'static str {
    match counted {
        Counted::Words(_) => "words.weight",
        Counted::Characters(..) => "characters.weight",
    }
}

impl Wide {
    /// Fits runs of 1 to `max_n` words, and runs of characters, on the training texts, and the mixture on the validation texts, of
    /// which `deep` are the fine-tuned model's probabilities; each text counts what it weighs.
    #[must_use]
    pub fn fit(train: &Labelled, validation: &Labelled, max_n: usize, deep: &[Vec<f64>]) -> Self {
        let regressions: Vec<LogisticRegression> = [Counted::Words(max_n), Counted::CHARACTERS]
            .into_par_iter()
            .map(|counted| LogisticRegression::choose(train, validation, counted).1)
            .collect();
        let wide: Vec<Vec<Vec<f64>>> = regressions
            .iter()
            .map(|regression| validation.texts().iter().map(|text| regression.probabilities(text)).collect())
            .collect();
        let all: Vec<&[Vec<f64>]> = std::iter::once(deep).chain(wide.iter().map(|p| &p[..])).collect();
        let mixture = Mixture::fit(&all, (validation.labels(), validation.weights()));
        Self { regressions, mixture }
    }

    /// P(label | text) by all; `deep` is the fine-tuned model's.
    #[must_use]
    pub fn probabilities(&self, deep: &[f64], text: &str) -> Vec<f64> {
        let wide = self.regressions.iter().map(|regression| regression.probabilities(text));
        let all: Vec<Vec<f64>> = std::iter::once(deep.to_vec()).chain(wide).collect();
        self.mixture.probabilities(&all)
    }

    /// What each run of words, and of characters (in quotation marks), of a text adds to the score of a label over the mean of all
    /// labels, as much as its regression counts; the largest first.
    #[must_use]
    pub fn reasons(&self, text: &str, label: usize) -> Vec<(String, f64)> {
        let mut reasons = Vec::new();
        for (regression, weight) in self.regressions.iter().zip(&self.mixture.weights[1..]) {
            let of = regression.reasons(text, label).into_iter().map(|(run, by)| {
                let run = match regression.features().counted() {
                    Counted::Words(_) => run,
                    Counted::Characters(..) => format!("{run:?}"),
                };
                (run, weight * by)
            });
            reasons.extend(of);
        }
        reasons.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons
    }

    /// The files.
    ///
    /// # Errors
    /// If a weight is not finite.
    pub fn files(&self) -> Result<[(&'static str, Vec<u8>); 2], TensorsError> {
        let regression = |of: &LogisticRegression| {
            let parts = of.features().parts().into_iter();
            Regression {
                counted: of.features().counted(),
                documents: of.features().documents(),
                features: parts.map(|(name, found)| (name.to_string(), found)).collect(),
            }
        };
        let regressions = self.regressions.iter().map(regression).collect();
        let config = ConfigFile { mixture: self.mixture.clone(), regressions };
        let config = json::to_bytes(&config).expect("numbers and texts");
        let tensor = |of: &LogisticRegression| {
            let shape = vec![of.features().len() + 1, of.labels()];
            (weight(of.features().counted()).to_string(), Tensor { shape, data: of.weights() })
        };
        let tensors: Tensors = self.regressions.iter().map(tensor).collect();
        Ok([(CONFIG, config), (WEIGHTS, tensors::encode(&tensors)?)])
    }

    /// Reads it from the directory of a classifier of so many labels, if there is one.
    ///
    /// # Errors
    /// If a file is damaged, or made for other labels.
    pub fn load(path: &Path, labels: usize) -> Result<Option<Self>, CheckpointError> {
        let at = path.join(CONFIG);
        if !at.is_file() {
            return Ok(None);
        }
        let malformed = |problem: String| CheckpointError::Format {
            path: at.clone(),
            problem,
            remedy: "fine-tune again, use another copy, or remove it to classify without the words",
        };
        let config: ConfigFile =
            json::parse(&store::read_file(&at, MAX_BYTES)?).map_err(|e| malformed(e.to_string()))?;
        let ConfigFile { mixture, regressions } = config;
        let fits = |of: &Regression| {
            of.counted.is_valid() && of.features.iter().all(|(_, found)| *found <= of.documents)
        };
        let mut names: Vec<&str> = regressions.iter().map(|of| weight(of.counted)).collect();
        names.dedup();
        if !mixture.is_valid()
            || mixture.weights.len() != regressions.len() + 1
            || names.len() != regressions.len()
            || !regressions.iter().all(fits)
        {
            return Err(malformed(
                "expected a weight of 0 or more for the model and each regression, of words and of characters, with features of no \
                 more texts than there are"
                    .into(),
            ));
        }
        let weights = path.join(WEIGHTS);
        let in_weights = |source| CheckpointError::Tensors { path: weights.clone(), source };
        let tensors = tensors::decode(&store::read_file(&weights, MAX_BYTES)?).map_err(in_weights)?;
        let expected: Vec<(String, Vec<usize>)> = regressions
            .iter()
            .map(|of| (weight(of.counted).to_string(), vec![of.features.len() + 1, labels]))
            .collect();
        tensors::check(&tensors, &expected).map_err(in_weights)?;
        let regression = |of: Regression| {
            let weights = &tensors[weight(of.counted)].data;
            let features = Features::from_parts(of.features, of.documents, of.counted)
                .ok_or_else(|| malformed("a feature occurs twice".into()))?;
            LogisticRegression::from_parts(features, weights)
                .ok_or_else(|| malformed("expected a weight for each feature and label".into()))
        };
        let regressions = regressions.into_iter().map(regression).collect::<Result<_, _>>()?;
        Ok(Some(Self { regressions, mixture }))
    }
}
