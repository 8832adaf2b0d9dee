//! What of a model tells the answer: a new layer, or words.
//!
//! logits = W dropout(p) + b,   p = the mean of the last block's outputs over the text, or that of its last token
//!
//! A causal model has seen the whole text at its last token only (so did GPT-1: Radford et al. 2018, section 3.2); the mean
//! also asks what each position says of what stands before it. With `both_sides` every position sees all of the text, as in
//! masked language modelling.

use super::rows::{Rows, cut};
use super::target::Target;
use super::words::Words;
use crate::Gpt;
use data::pattern::{Cloze, Pattern};
use data::{DataError, Tokenizer};
use ndarray::ArrayD;
use nn::{Context, Dropout, Init, Linear, ParamBuilder};
use random::Rng;
use serde::{Deserialize, Serialize};
use tensor::{Params, Tape, Var};

/// What of the model's outputs predicts the label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The mean over the text.
    #[default]
    Mean,
    /// The last token's.
    Last,
}

/// Settings of a [`LinearHead`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearConfig {
    /// By what it predicts.
    pub pool: Pool,
    /// Whether each position sees what comes after it.
    pub both_sides: bool,
    /// Dropout before the layer.
    pub dropout: f32,
}

/// Settings of a [`Head`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadConfig {
    /// A layer on top of the model.
    Linear(LinearConfig),
    /// A pattern, and a word for each label.
    Words(Cloze),
}

impl HeadConfig {
    /// The pattern that texts are put into, if there is one: it says how a text is encoded.
    #[must_use]
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Linear(_) => None,
            Self::Words(cloze) => Some(&cloze.pattern),
        }
    }
}

/// What predicts the answer.
#[derive(Clone, Debug)]
pub enum Head {
    /// A layer on top of the model.
    Linear(LinearHead),
    /// What the model thinks of words.
    Words(Words),
}

/// A layer for labels: parameters `classifier.weight` and `classifier.bias`.
#[derive(Clone, Debug)]
pub struct LinearHead {
    config: LinearConfig,
    /// From C to a score for each label.
    layer: Linear,
    dropout: Dropout,
}

impl Head {
    /// Adds the parameters that a head has to those of a model.
    ///
    /// # Errors
    /// If a pattern does not go with the tokenizer, the model or the target.
    pub(super) fn new(
        gpt: &Gpt,
        (config, target): (&HeadConfig, &Target),
        tokenizer: &Tokenizer,
        params: &mut Params,
        rng: &mut Rng,
    ) -> Result<Self, DataError> {
        match (config, target) {
            (HeadConfig::Linear(config), _) => {
                Ok(Self::Linear(LinearHead::new(gpt, config, target.outputs(), params, rng)))
            }
            (HeadConfig::Words(cloze), Target::Label { names }) if cloze.words.len() == names.len() => {
                Ok(Self::Words(Words::new(cloze.clone(), tokenizer, gpt.max_tokens(params))?))
            }
            (HeadConfig::Words(cloze), _) => Err(DataError::InvalidSetting {
                name: "the words of a pattern",
                found: cloze.words.join(", "),
                expected: "one for each label",
            }),
        }
    }

    /// Rows of tokens that a text becomes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Linear(_) => 1,
            Self::Words(words) => words.labels(),
        }
    }
}

impl LinearHead {
    fn new(gpt: &Gpt, config: &LinearConfig, outputs: usize, params: &mut Params, rng: &mut Rng) -> Self {
        if !gpt.config.tied {
            params.set_trainable(gpt.lm_head.weight, false); // nobody asks what comes next
        }
        let mut builder = ParamBuilder::new(params, rng);
        let layer = Linear::new(builder.pp("classifier"), gpt.config.n_embd, outputs, true, Init::GPT2);
        Self { layer, dropout: Dropout::new(config.dropout), config: config.clone() }
    }

    /// Scores (B, outputs).
    pub(super) fn scores<'t>(&self, gpt: &Gpt, tape: &'t Tape<'_>, texts: &[&[u32]]) -> Var<'t> {
        let rows = Rows::new(&cut(texts, gpt.max_tokens(tape.params())));
        let intervals = gpt.visibility().texts(&rows.lens, rows.time, self.config.both_sides);
        let x = gpt.hidden(&rows.ids, &mut Context::new(tape, rows.shape(), intervals)); // (B, T, C)
        let [b, t] = rows.shape();
        let weights = match self.config.pool {
            Pool::Mean => rows.means(),
            Pool::Last => rows.lasts(),
        };
        let weights = ArrayD::from_shape_vec(vec![b, t, 1], weights).expect("a weight a position");
        let weights = tape.constant(&weights).broadcast_to(x.shape());
        let pooled = (x * weights).sum_axis(1); // (B, C)
        self.layer.forward(self.dropout.forward(pooled))
    }
}
