//! The scores of labels as words in a text: what a language model thinks of each ([`data::pattern`]).
//!
//! score of a label = sum of ln p(token | all before it),   over the tokens from its word to the end of the pattern
//!
//! The softmax of the scores is the probability of each label, given that it is one of them. Nothing stands between the
//! scores and the model, so a model that is not fine-tuned has them too, and fine-tuning begins with what it knows.
//!
//! Where labels agree in all but their last token, one row of tokens has the scores of all of them; else there is a row a
//! label.

use super::rows::{Rows, cut};
use crate::Gpt;
use data::pattern::{Cloze, Frame};
use data::{DataError, Tokenizer};
use ndarray::{ArrayD, Axis};
use tensor::{Tape, Var};

/// Labels as words in a pattern, in tokens.
#[derive(Clone, Debug)]
pub struct Words {
    /// As people read it.
    pub cloze: Cloze,
    /// Whether a score is the mean over the tokens instead of their sum: words of many tokens are less likely for their
    /// length alone.
    pub per_token: bool,
    /// The tokens around a text, for each label.
    frames: Vec<Frame>,
}

/// A token that is scored: the token, and the place before it in the rows.
struct Asked {
    at: u32,
    token: u32,
}

impl Words {
    /// The pattern in the tokens of a model that reads `most` of them.
    ///
    /// # Errors
    /// If the tokenizer does not know a character of it, cannot tell two labels apart, or no token of a text has room.
    pub fn new(cloze: Cloze, tokenizer: &Tokenizer, most: usize) -> Result<Self, DataError> {
        let words = Self { frames: cloze.frames(tokenizer)?, cloze, per_token: false };
        if words.room(most) == 0 {
            return Err(DataError::Malformed {
                what: format!("the pattern {:?}", words.cloze.pattern.to_string()),
                place: String::new(),
                found: format!("{} tokens without a text", words.longest()),
                expected: format!("room for a text in the {most} tokens that the model reads"),
                remedy: "use a shorter pattern, shorter words or a model with a longer context".into(),
            });
        }
        Ok(words)
    }

    /// How many labels there are.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.frames.len()
    }

    fn longest(&self) -> usize {
        self.frames.iter().map(Frame::len).max().unwrap_or(0)
    }

    /// Tokens of a text that are read by a model that reads `most`: the same for all labels, or they could not be compared.
    /// (The last token of a row is asked for and not read.)
    #[must_use]
    pub fn room(&self, most: usize) -> usize {
        (most + 1).saturating_sub(self.longest())
    }

    /// Positions that a text of so many tokens takes in a model that reads `most`, with all its rows.
    pub(super) fn positions(&self, tokens: usize, most: usize) -> usize {
        let empty: Vec<Vec<u32>> = self.frames.iter().map(|frame| frame.around(&[]).0).collect();
        let read = |i: usize| empty[i].split_last().map(|(_, read)| read);
        let rows = if (1..empty.len()).all(|i| read(i) == read(0)) { 1 } else { empty.len() };
        rows * (tokens.min(self.room(most)) + self.longest()).saturating_sub(1)
    }

    /// The tokens of a text with its label: an example to learn from in context.
    #[must_use]
    pub fn shot(&self, text: &[u32], label: usize) -> Vec<u32> {
        self.frames[label].around(text).0
    }

    /// The same question after other tokens, such as those of examples.
    #[must_use]
    pub fn after(&self, tokens: &[u32]) -> Self {
        let frames = self.frames.iter().map(|frame| frame.after(tokens)).collect();
        Self { frames, ..self.clone() }
    }

    /// Scores (B, labels).
    pub(super) fn scores<'t>(&self, gpt: &Gpt, tape: &'t Tape<'_>, texts: &[&[u32]]) -> Var<'t> {
        let texts = cut(texts, self.room(gpt.max_tokens(tape.params())));
        let rows = texts.iter().flat_map(|text| self.frames.iter().map(|frame| frame.around(text)));
        let rows: Vec<(Vec<u32>, usize)> = rows.collect(); // a row a text and label
        let (read, row_of) = self.inputs(&rows);
        let inputs = Rows::new(&read);
        let count = rows.iter().map(|(row, first)| row.len() - first).max().unwrap_or(0); // S
        let (mut asked, mut weights) = (Vec::new(), Vec::new());
        for ((row, first), place) in rows.iter().zip(row_of) {
            let start = place * inputs.time;
            let tokens = row.len() - first;
            asked.extend((*first..row.len()).map(|i| Asked { at: (start + i - 1) as u32, token: row[i] }));
            asked.extend((tokens..count).map(|_| Asked { at: start as u32, token: 0 })); // weighs nothing
            let weight = if self.per_token { 1.0 / tokens as f32 } else { 1.0 };
            weights.extend((0..count).map(|i| if i < tokens { weight } else { 0.0 }));
        }
        let shape = [texts.len(), self.labels(), count];
        let weights = ArrayD::from_shape_vec(shape.to_vec(), weights).expect("a weight a token");
        let log_p = log_p(gpt, tape, &inputs, &asked).reshape(shape); // (B, L, S)
        (log_p * tape.constant(&weights)).sum_axis(2).reshape([shape[0], shape[1]])
    }

    /// What the model reads, and for each row of a text and label which of these it is.
    fn inputs<'r>(&self, rows: &'r [(Vec<u32>, usize)]) -> (Vec<&'r [u32]>, Vec<usize>) {
        let read: Vec<&[u32]> = rows.iter().map(|(row, _)| &row[..row.len() - 1]).collect();
        let labels = self.labels();
        // If it is so for one text, it is for all.
        if read[..labels].iter().all(|other| *other == read[0]) {
            return (
                read.into_iter().step_by(labels).collect(),
                (0..rows.len()).map(|row| row / labels).collect(),
            );
        }
        (read, (0..rows.len()).collect())
    }
}

/// ln p of each token that is asked for, (N).
fn log_p<'t>(gpt: &Gpt, tape: &'t Tape<'_>, rows: &Rows, asked: &[Asked]) -> Var<'t> {
    let x = gpt.hidden(&rows.ids, &mut gpt.causal(tape, rows.shape())); // (R, T, C)
    let [r, t] = rows.shape();
    let at: Vec<u32> = asked.iter().map(|asked| asked.at).collect();
    let tokens: Vec<u32> = asked.iter().map(|asked| asked.token).collect();
    // Only what is asked for meets the vocabulary.
    let x = x.reshape([r * t, gpt.config.n_embd]).embedding(&at, &[at.len()]); // (N, C)
    let logits = gpt.unembed(x); // (N, V)
    // Less the largest of each row, which changes nothing and keeps every exponential at most 1.
    let largest = logits.value().map_axis(Axis(1), |row| row.fold(f32::NEG_INFINITY, |a, &b| a.max(b)));
    let largest = tape.constant(&largest.insert_axis(Axis(1)).into_dyn()).broadcast_to(logits.shape());
    let logits = logits - largest;
    logits.gather(&tokens) - logits.exp().sum_axis(1).ln().reshape([asked.len()])
}
