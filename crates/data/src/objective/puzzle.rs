//! An example seen from its text: what shows of it, what is asked, and in which order.

use crate::Example;

/// What an example says about its text, and asks. From this and the process that wrote the text follows the
/// best possible loss, see `synth::process::oracle`.
#[derive(Clone, Debug, PartialEq)]
pub struct Puzzle {
    /// What shows of each token of the text, before anything is asked.
    pub seen: Vec<Seen>,
    /// The questions in their order.
    pub asked: Vec<Question>,
    /// Whether who answers a question has seen the answers of those before it.
    pub reveals: bool,
}

/// What shows of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// It is this.
    Token(u32),
    /// It is hidden.
    Hidden,
    /// This stands there, and may be right or not.
    Doubtful {
        /// What stands there.
        token: u32,
        /// The probability that it would, if it were right.
        if_right: f64,
        /// The probability that it would, if the token were a certain other one.
        if_wrong: f64,
    },
}

/// A token that is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The position in the example that answers.
    pub position: usize,
    /// The place of the token in the text.
    pub place: usize,
    /// What shows of it to someone who knows that it is asked.
    pub seen: Seen,
}

impl Puzzle {
    /// The text of an example, with the answers in.
    pub fn text(&self, example: &Example) -> Vec<u32> {
        let token = |seen: &Seen| match *seen {
            Seen::Token(token) | Seen::Doubtful { token, .. } => token,
            Seen::Hidden => 0,
        };
        let mut text: Vec<u32> = self.seen.iter().map(token).collect();
        for question in &self.asked {
            text[question.place] = example.labels[question.position];
        }
        text
    }

    /// The puzzle of a text of which the first `known` tokens show and the others are asked from left to
    /// right, each from the position before it.
    pub(super) fn continuation(example: &Example, known: usize) -> Puzzle {
        let hidden = example.ids.len() + 1 - known;
        let mut seen: Vec<Seen> = example.ids[..known].iter().map(|&id| Seen::Token(id)).collect();
        seen.extend(vec![Seen::Hidden; hidden]);
        let question = |place| Question { position: place - 1, place, seen: Seen::Hidden };
        Puzzle { seen, asked: (known..known + hidden).map(question).collect(), reveals: true }
    }
}
