//! What of a model tells the answer: a new layer, or words.
//!
//! logits = W dropout(p) + b,   p = the mean of the last block's outputs over the text, or that of its last token
//!
//! A causal model has seen the whole text at its last token only (so did GPT-1: Radford et al. 2018, section 3.2); the mean
//! also asks what each position says of what stands before it. With `both_sides` every position sees all of the text, as in
//! masked language modelling.

use super::rows::{Rows, pieces, stride};
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
    /// The most pieces of the model's context that are read of a text; 1: its beginning.
    #[serde(default = "one")]
    pub pieces: usize,
}

/// As before there were pieces.
fn one() -> usize {
    1
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

    /// Rows of tokens that a text of so many tokens becomes.
    pub(super) fn rows(&self, tokens: usize, max: usize) -> usize {
        match self {
            Self::Linear(head) => pieces(tokens, max, head.config.pieces).len(),
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

    /// Tokens of a text that are read by a model that reads so many at a time.
    pub(super) fn max_tokens(&self, max: usize) -> usize {
        max + (self.config.pieces.max(1) - 1) * stride(max)
    }

    /// Scores (B, outputs). A text longer than the context is R rows of a piece each, and p the mean over all of them, or the
    /// last token of the last.
    pub(super) fn scores<'t>(&self, gpt: &Gpt, tape: &'t Tape<'_>, texts: &[&[u32]]) -> Var<'t> {
        let max = gpt.max_tokens(tape.params());
        let cut = texts.iter().map(|text| pieces(text.len(), max, self.config.pieces));
        let (mut parts, mut of) = (Vec::new(), Vec::new()); // the rows, and the text of each
        for (text, pieces) in cut.enumerate() {
            of.extend(pieces.iter().map(|_| text));
            parts.extend(pieces.into_iter().map(|piece| &texts[text][piece]));
        }
        let rows = Rows::new(&parts);
        let intervals = gpt.visibility().texts(&rows.lens, rows.time, self.config.both_sides);
        let x = gpt.hidden(&rows.ids, &mut Context::new(tape, rows.shape(), intervals)); // (B, T, C)
        let [b, t] = rows.shape();
        let weights = match self.config.pool {
            Pool::Mean => rows.means(),
            Pool::Last => rows.lasts(),
        };
        let weights = ArrayD::from_shape_vec(vec![b, t, 1], weights).expect("a weight a position");
        let weights = tape.constant(&weights).broadcast_to(x.shape());
        let mut pooled = (x * weights).sum_axis(1); // (R, 1, C)
        if b > texts.len() {
            let (n, c) = (texts.len(), gpt.config.n_embd);
            let shares =
                ArrayD::from_shape_vec(vec![n, b], self.shares(&rows.lens, &of)).expect("a share a row");
            // (B, R) (R, C) = (B, C)
            pooled = tape.constant(&shares).matmul(pooled.reshape([b, c])).reshape([n, 1, c]);
        }
        self.layer.forward(self.dropout.forward(pooled))
    }

    /// (B, R): how much each row counts in the pooled output of each text: by its tokens, or the last one alone.
    fn shares(&self, lens: &[usize], of: &[usize]) -> Vec<f32> {
        let texts = of.last().map_or(0, |last| last + 1);
        let mut shares = vec![0.0; texts * of.len()];
        for (row, &text) in of.iter().enumerate() {
            let is_last = of.get(row + 1) != Some(&text);
            let all: usize = of.iter().zip(lens).filter(|(of, _)| **of == text).map(|(_, len)| len).sum();
            shares[text * of.len() + row] = match self.config.pool {
                Pool::Mean => lens[row] as f32 / all as f32,
                Pool::Last => f32::from(u8::from(is_last)),
            };
        }
        shares
    }
}
