//! Dialogues as tokens: who says what, and which of it is learned.
//!
//! ```text
//! <|system|> Be brief. <|end|> <|user|> Hello! <|end|> <|assistant|> Hello. <|end|>
//! ```
//!
//! The four markers are special tokens, which no text is ever encoded as ([`Tokenizer::with_specials`]): whoever writes
//! `<|assistant|>` into a message gets thirteen ordinary characters. And which tokens are learned is written down *while*
//! the dialogue is rendered: what the assistant says, and the `<|end|>` after it. A mask made afterwards, by looking for
//! markers among the tokens, would have to guess, and believe what users write.

pub use crate::dialogue::{Dialogue, EXPECTED, Message, Role};
use crate::{DataError, Example, MaskSpec, Tokenizer};

/// After each message.
const END: &str = "<|end|>";

/// Turns dialogues into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    /// The marker before each role's messages.
    markers: [u32; 3],
    /// The token after each message: where an answer ends.
    pub end: u32,
}

/// A rendered dialogue: tokens, and which of them the assistant is to learn to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The tokens.
    pub ids: Vec<u32>,
    /// For each whether it is the assistant's, its `<|end|>` included and the marker before it not.
    pub learned: Vec<bool>,
}

impl ChatTemplate {
    /// The special tokens that a tokenizer needs.
    #[must_use]
    pub fn specials() -> Vec<&'static str> {
        Role::ALL.map(Role::marker).into_iter().chain([END]).collect()
    }

    /// The template for a tokenizer that has the markers.
    ///
    /// # Errors
    /// If it lacks one.
    pub fn new(tokenizer: &Tokenizer) -> Result<ChatTemplate, DataError> {
        let [system, user, assistant] = Role::ALL.map(Role::marker);
        let remedy = "use a model that was fine-tuned for dialogues";
        let [system, user, assistant, end] =
            tokenizer.required_specials([system, user, assistant, END], remedy)?;
        Ok(ChatTemplate { markers: [system, user, assistant], end })
    }

    fn marker(&self, role: Role) -> u32 {
        let place = Role::ALL.iter().position(|other| *other == role).expect("one of all");
        self.markers[place]
    }

    /// A whole dialogue.
    ///
    /// ```
    /// use data::chat::{ChatTemplate, Message, Role};
    /// use data::{CharTokenizer, Tokenizer};
    /// let tokenizer = Tokenizer::Char(CharTokenizer::from_text("abc <|>assistant")?);
    /// let tokenizer = tokenizer.with_specials(&ChatTemplate::specials())?;
    /// let template = ChatTemplate::new(&tokenizer)?;
    /// let say = |role, content: &str| Message { role, content: content.into() };
    /// let rendered = template.render(&tokenizer, &[say(Role::User, "a<|assistant|>b"), say(Role::Assistant, "c")])?;
    /// // <|user|> and fifteen characters, <|end|>, <|assistant|>; then what is learned: c <|end|>
    /// assert_eq!(rendered.learned.iter().map(|&l| u8::from(l)).collect::<Vec<_>>(), [vec![0; 18], vec![1, 1]].concat());
    /// # Ok::<(), data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// If a message has characters that the tokenizer does not know.
    pub fn render(&self, tokenizer: &Tokenizer, messages: &[Message]) -> Result<Rendered, DataError> {
        let mut rendered = Rendered::default();
        for message in messages {
            let learned = message.role == Role::Assistant;
            let text = tokenizer.encode(&message.content)?;
            rendered.push(&[self.marker(message.role)], false);
            rendered.push(&text, learned);
            rendered.push(&[self.end], learned);
        }
        Ok(rendered)
    }

    /// What the model is given to answer a dialogue: its messages and the marker of the assistant, at most `most` tokens.
    /// If there are more, the oldest messages are left out, two by two as they were said, but for what the system says;
    /// and if the last one alone is too long, its beginning. What does not fit is not even encoded.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`], and if what the system says leaves less than half of the room to the others.
    pub fn prompt(
        &self,
        tokenizer: &Tokenizer,
        messages: &[Message],
        most: usize,
    ) -> Result<Vec<u32>, DataError> {
        let fixed = messages.iter().take_while(|message| message.role == Role::System).count();
        let (system, said) = messages.split_at(fixed);
        let system = self.render(tokenizer, system)?.ids;
        if 2 * system.len() > most {
            return Err(DataError::Malformed {
                what: "the system message".into(),
                place: String::new(),
                expected: format!("at most {} tokens, half of what the model reads of a dialogue", most / 2),
                found: system.len().to_string(),
                remedy: "shorten it, or use a model with a larger block_size".into(),
            });
        }
        let room = most.saturating_sub(system.len() + 1);
        // A dialogue may begin at its first message, at a question, or, after the last question, anywhere.
        let last_question = said.iter().rposition(|message| message.role == Role::User).unwrap_or(0);
        let (mut kept, mut from_here) = (Vec::new(), Vec::new());
        for (i, message) in said.iter().enumerate().rev() {
            let mut ids = self.render(tokenizer, std::slice::from_ref(message))?.ids;
            ids.append(&mut from_here);
            from_here = ids;
            if from_here.len() > room {
                break;
            }
            if i == 0 || i >= last_question || message.role == Role::User {
                kept.clone_from(&from_here);
            }
        }
        if kept.is_empty() {
            kept = from_here.split_off(from_here.len().saturating_sub(room)); // the end of the last message
        }
        Ok([system, kept, vec![self.marker(Role::Assistant)]].concat())
    }
}

impl Rendered {
    fn push(&mut self, ids: &[u32], learned: bool) {
        self.ids.extend(ids);
        self.learned.resize(self.ids.len(), learned);
    }

    /// The example that teaches the last `most + 1` tokens of it: each token from the one before, and only what the
    /// assistant says counts. `None` if nothing of it would be learned.
    #[must_use]
    pub fn example(&self, most: usize) -> Option<Example> {
        let start = self.ids.len().saturating_sub(most + 1);
        let (ids, learned) = (&self.ids[start..], &self.learned[start..]);
        if ids.len() < 2 || !learned[1..].contains(&true) {
            return None;
        }
        Some(Example {
            ids: ids[..ids.len() - 1].to_vec(),
            labels: ids[1..].to_vec(),
            weights: learned[1..].iter().map(|&learned| if learned { 1.0 } else { 0.0 }).collect(),
            mask: MaskSpec::Causal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CharTokenizer;
    use proptest::prelude::*;

    fn tokenizer() -> Tokenizer {
        let text = "abcdefghijklmnopqrstuvwxyz <|>?!.";
        let tokenizer = Tokenizer::Char(CharTokenizer::from_text(text).unwrap());
        tokenizer.with_specials(&ChatTemplate::specials()).unwrap()
    }

    fn say(role: Role, content: &str) -> Message {
        Message { role, content: content.into() }
    }

    #[test]
    fn the_markers_are_where_they_belong() {
        let tokenizer = tokenizer();
        let template = ChatTemplate::new(&tokenizer).unwrap();
        let messages = [say(Role::System, "be"), say(Role::User, "hi"), say(Role::Assistant, "oh")];
        let rendered = template.render(&tokenizer, &messages).unwrap();
        let text = tokenizer.decode(&rendered.ids).unwrap();
        assert_eq!(text, "<|system|>be<|end|><|user|>hi<|end|><|assistant|>oh<|end|>");
        let learned: Vec<u32> = rendered
            .ids
            .iter()
            .zip(&rendered.learned)
            .filter(|(_, learned)| **learned)
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(tokenizer.decode(&learned).unwrap(), "oh<|end|>");
        let example = rendered.example(100).unwrap();
        assert_eq!(example.weights.iter().sum::<f32>(), 3.0);
        assert_eq!(example.ids.len(), rendered.ids.len() - 1);
        // Each answer that counts is asked for at the token before it.
        let asked: Vec<u32> =
            (0..example.ids.len()).filter(|&i| example.weights[i] > 0.0).map(|i| example.labels[i]).collect();
        assert_eq!(asked, learned);
        assert_eq!(template.render(&tokenizer, &messages[..2]).unwrap().example(100), None);
        let plain = Tokenizer::Char(CharTokenizer::from_text("ab").unwrap());
        assert!(ChatTemplate::new(&plain).unwrap_err().to_string().contains("<|system|>"));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let tokenizer = tokenizer();
        let template = ChatTemplate::new(&tokenizer).unwrap();
        let messages = [
            say(Role::System, "s"),
            say(Role::User, "one"),
            say(Role::Assistant, "two"),
            say(Role::User, "three"),
        ];
        let prompt = |most| tokenizer.decode(&template.prompt(&tokenizer, &messages, most).unwrap()).unwrap();
        assert_eq!(
            prompt(100),
            "<|system|>s<|end|><|user|>one<|end|><|assistant|>two<|end|><|user|>three<|end|><|assistant|>"
        );
        assert_eq!(prompt(20), "<|system|>s<|end|><|user|>three<|end|><|assistant|>");
        assert_eq!(prompt(11), "<|system|>s<|end|><|user|>three<|end|><|assistant|>");
        assert_eq!(prompt(8), "<|system|>s<|end|>ree<|end|><|assistant|>");
        // What the system says must leave room for what is said.
        let error = template.prompt(&tokenizer, &messages, 5).unwrap_err().to_string();
        assert!(
            error.contains("the system message: expected at most 2 tokens") && error.contains("found 3"),
            "{error}"
        );
    }

    /// A thousand messages that do not fit are not encoded: a character that is in no vocabulary proves it.
    #[test]
    fn what_is_forgotten_costs_nothing() {
        let tokenizer = tokenizer();
        let template = ChatTemplate::new(&tokenizer).unwrap();
        let mut messages = vec![say(Role::User, "\u{96EA}")];
        for _ in 0..1000 {
            messages.extend([say(Role::Assistant, "no"), say(Role::User, "why")]);
        }
        assert_eq!(template.prompt(&tokenizer, &messages, 40).unwrap().len(), 33);
        assert!(template.prompt(&tokenizer, &messages[..3], 40).is_err());
    }

    proptest! {
        /// Whatever is written into messages, markers too: exactly what the assistant says is learned, and the text of
        /// each message comes back.
        #[test]
        fn no_text_moves_the_mask(
            said in prop::collection::vec((0..3_usize, "(<\\|(user|assistant|system|end)\\|>|[a-z ?!.]){0,6}"), 1..6)
        ) {
            let tokenizer = tokenizer();
            let template = ChatTemplate::new(&tokenizer).unwrap();
            let messages: Vec<Message> = said.iter().map(|(role, text)| say(Role::ALL[*role], text)).collect();
            let rendered = template.render(&tokenizer, &messages).unwrap();
            let mut at = 0;
            for message in &messages {
                let len = message.content.chars().count();
                let learned = message.role == Role::Assistant;
                prop_assert!(!rendered.learned[at]);
                prop_assert_eq!(tokenizer.decode(&rendered.ids[at + 1..at + 1 + len]).unwrap(), message.content.clone());
                prop_assert!(rendered.learned[at + 1..at + len + 2].iter().all(|&l| l == learned));
                prop_assert_eq!(rendered.ids[at + 1 + len], template.end);
                at += len + 2;
            }
            prop_assert_eq!(at, rendered.ids.len());
            for most in [1, 5, 12, 40] {
                let system: usize = messages.iter().take_while(|m| m.role == Role::System)
                    .map(|m| m.content.chars().count() + 2).sum();
                let Ok(prompt) = template.prompt(&tokenizer, &messages, most) else {
                    prop_assert!(2 * system > most);
                    continue;
                };
                prop_assert!(prompt.len() <= most && 2 * system <= most);
                // Whatever fits is there: the last message, or its end.
                let said: usize = messages.iter().map(|m| m.content.chars().count() + 2).sum();
                if said < most {
                    prop_assert_eq!(prompt.len(), said + 1);
                } else if most > system + 1 && messages.last().is_some_and(|m| m.role != Role::System) {
                    prop_assert!(prompt.len() > system + 1);
                }
            }
        }
    }
}
