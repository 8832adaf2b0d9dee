//! Documents as text to train a language model on, or as records for a task.
//!
//! | Layout | as text | as records |
//! |---|---|---|
//! | stream | one line without end | the same |
//! | lines, stories | documents one after another, ended by a line end or a blank line | the same |
//! | labelled | `text TAB label` | JSONL `{"text": .., "label": ..}` |
//! | parallel | `source TAB target` | JSONL `{"source": .., "target": ..}` |
//! | prompt and answer | `prompt = answer` without the spaces | JSONL `{"prompt": .., "answer": ..}` |
//! | dialogue | `User: ..` and `Assistant: ..`, a blank line at the end | JSONL `{"messages": [{"role": .., "content": ..}, ..]}` |
//! | episodes | `text: label` lines, a blank line at the end | JSONL `{"shots": [{"text": .., "label": ..}, ..], "text": .., "label": ..}` |

use crate::{Document, Field};
use serde_json::{Map, Value, json};

/// What a document consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// There are no documents: symbols without end.
    Stream,
    /// A document a line, or several lines and a blank one.
    Lines,
    /// A text and its label.
    Labelled,
    /// A sentence and its translation.
    Parallel,
    /// A prompt and its answer.
    PromptAnswer,
    /// Turns of a user and an assistant.
    Dialogue,
    /// Texts with labels, and a last one to be labelled as they are.
    Episodes,
}

impl Layout {
    /// Its name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Stream => "stream",
            Layout::Lines => "lines",
            Layout::Labelled => "labelled",
            Layout::Parallel => "parallel",
            Layout::PromptAnswer => "prompt and answer",
            Layout::Dialogue => "dialogue",
            Layout::Episodes => "episodes",
        }
    }

    /// Whether records are JSON lines, unlike the text.
    pub fn has_records(self) -> bool {
        !matches!(self, Layout::Stream | Layout::Lines)
    }
}

/// How documents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// All symbols as they are: for language models.
    Text,
    /// One record a document: for fine-tuning. Layouts without records of their own stay text.
    Records,
}

/// Appends a document.
pub(crate) fn append(
    layout: Layout,
    format: Format,
    alphabet: &[char],
    document: &Document,
    out: &mut String,
) {
    if format == Format::Text || !layout.has_records() {
        out.push_str(&document.text(alphabet));
        return;
    }
    let fields = document.field_texts(alphabet);
    let record = match layout {
        Layout::Dialogue => json!({ "messages": fields.into_iter().map(message).collect::<Vec<_>>() }),
        Layout::Episodes => episode(fields),
        _ => Value::Object(fields.into_iter().map(named).collect()),
    };
    out.push_str(&record.to_string());
    out.push('\n');
}

fn named((field, text): (Field, String)) -> (String, Value) {
    let name = match field {
        Field::Text => "text",
        Field::Label => "label",
        Field::Prompt => "prompt",
        Field::Answer => "answer",
        Field::Source => "source",
        Field::Target => "target",
        Field::User => "user",
        Field::Assistant => "assistant",
        Field::Separator => "separator",
    };
    (name.into(), text.into())
}

fn message(field: (Field, String)) -> Value {
    let (role, content) = named(field);
    json!({ "role": role, "content": content })
}

/// Text and label by turns, the last two being the question.
fn episode(fields: Vec<(Field, String)>) -> Value {
    let pair = |pair: &[(Field, String)]| pair.iter().cloned().map(named).collect::<Map<_, _>>();
    let mut pairs: Vec<_> = fields.chunks(2).map(pair).collect();
    let question = pairs.pop().unwrap_or_default();
    let mut record = Map::new();
    record.insert("shots".into(), pairs.into());
    record.extend(question);
    record.into()
}
