//! A logistic regression on words beside a fine-tuned model: wide and deep (Cheng et al. 2016), each trained by itself and
//! their probabilities mixed.
//!
//! A small model has read little; which words stand in a text is half of what there is to know of its label, and a
//! convex problem finds it in seconds. The validation texts say how much each counts ([`Mixture`]): zero and one included, so
//! the two together are hardly ever worse than the better one.
//!
//! | file of a classifier | contents |
//! |---|---|
//! | `wide.json` | how much each counts; the features (runs of words) in their order, with the number of texts that have each |
//! | `wide.safetensors` | `wide.weight` (labels, features and last the bias) |

use crate::files::json;
use crate::files::store;
use crate::files::tensors::{self, Tensor, Tensors};
use crate::files::{CheckpointError, TensorsError};
use data::baseline::{Classifier as _, Features, Labelled, LogisticRegression, Mixture};
use serde::{Deserialize, Serialize};
use std::path::Path;

const CONFIG: &str = "wide.json";
const WEIGHTS: &str = "wide.safetensors";
const WEIGHT: &str = "wide.weight";

/// The most bytes of either file that are read.
const MAX_BYTES: u64 = 1 << 30;

/// A linear model of the words of a text, and how much it counts beside the fine-tuned one.
#[derive(Clone, Debug)]
pub struct Wide {
    /// What the words say.
    pub regression: LogisticRegression,
    /// How much the fine-tuned model counts, and how much the words.
    pub mixture: Mixture,
}

/// `wide.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    mixture: Mixture,
    max_n: usize,
    documents: u32,
    features: Vec<(String, u32)>,
}

impl Wide {
    /// Fits the words on the training texts, and the mixture on the validation texts, of which `deep` are the fine-tuned
    /// model's probabilities.
    #[must_use]
    pub fn fit(train: &Labelled, validation: &Labelled, max_n: usize, deep: &[Vec<f64>]) -> Self {
        let (_, regression) = LogisticRegression::choose(train, validation, max_n);
        let of_words: Vec<Vec<f64>> =
            validation.texts().iter().map(|text| regression.probabilities(text)).collect();
        let mixture = Mixture::fit(deep, &of_words, validation.labels());
        Self { regression, mixture }
    }

    /// P(label | text) by both; `deep` is the fine-tuned model's.
    #[must_use]
    pub fn probabilities(&self, deep: &[f64], text: &str) -> Vec<f64> {
        self.mixture.probabilities(deep, &self.regression.probabilities(text))
    }

    /// The files.
    ///
    /// # Errors
    /// If a weight is not finite.
    pub fn files(&self) -> Result<[(&'static str, Vec<u8>); 2], TensorsError> {
        let features = self.regression.features();
        let config = ConfigFile {
            mixture: self.mixture,
            max_n: features.max_n(),
            documents: features.documents(),
            features: features.parts().into_iter().map(|(name, found)| (name.to_string(), found)).collect(),
        };
        let config = json::to_bytes(&config).expect("numbers and texts");
        let (labels, width) = (self.regression.labels(), features.len() + 1);
        let weight = Tensor { shape: vec![labels, width], data: self.regression.weights() };
        let tensors = Tensors::from([(WEIGHT.to_string(), weight)]);
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
            remedy: "use another copy, or remove it to classify without the words",
        };
        let config: ConfigFile =
            json::parse(&store::read_file(&at, MAX_BYTES)?).map_err(|e| malformed(e.to_string()))?;
        let ConfigFile { mixture, max_n, documents, features } = config;
        if !(1..=5).contains(&max_n)
            || !mixture.is_valid()
            || features.iter().any(|(_, found)| *found > documents)
        {
            return Err(malformed(
                "expected max_n from 1 to 5, weights of 0 or more, and features of no more texts than there are".into(),
            ));
        }
        let weights = path.join(WEIGHTS);
        let in_weights = |source| CheckpointError::Tensors { path: weights.clone(), source };
        let tensors = tensors::decode(&store::read_file(&weights, MAX_BYTES)?).map_err(in_weights)?;
        let expected = [(WEIGHT.to_string(), vec![labels, features.len() + 1])];
        tensors::check(&tensors, &expected).map_err(in_weights)?;
        let features = Features::from_parts(features, documents, max_n)
            .ok_or_else(|| malformed("a feature occurs twice".into()))?;
        let regression = LogisticRegression::from_parts(features, &tensors[WEIGHT].data)
            .ok_or_else(|| malformed("expected a weight for each label and feature".into()))?;
        Ok(Some(Self { regression, mixture }))
    }
}
