//! Dialogues and the forms in which they are found: who says what.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What holds for the whole dialogue.
    System,
    /// Who asks.
    User,
    /// Who answers: the model.
    Assistant,
}

impl Role {
    /// All of them, in the order of their markers.
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::User, Self::Assistant];

    pub(crate) fn marker(self) -> &'static str {
        match self {
            Self::System => "<|system|>",
            Self::User => "<|user|>",
            Self::Assistant => "<|assistant|>",
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Whose.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// A dialogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialogue {
    /// Its messages.
    pub messages: Vec<Message>,
}

/// What is expected of an object, for messages.
pub const EXPECTED: &str = "{\"messages\": [{\"role\": .., \"content\": ..}, ..]}, \
    {\"conversations\": [{\"from\": .., \"value\": ..}, ..]} or {\"instruction\": .., \"output\": ..}";

impl Dialogue {
    /// The dialogue in the fields of a JSON object: `messages` with `role` and `content` (as OpenAI's chat format),
    /// `conversations` with `from` and `value` (as ShareGPT's), or `instruction`, `input` and `output` (as Alpaca's; the
    /// input is a paragraph after the instruction). None for a dialogue whose messages are not all text: with calls of
    /// tools, their results, or pictures.
    ///
    /// # Errors
    /// What was found instead, if the object is none of [`EXPECTED`].
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Option<Dialogue>, String> {
        if let Some(messages) = fields.get("messages") {
            return of_messages(messages, "role", "content");
        }
        if let Some(messages) = fields.get("conversations") {
            return of_messages(messages, "from", "value");
        }
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let (Some(instruction), Some(output)) = (text("instruction"), text("output")) else {
            let names: Vec<&str> = fields.keys().map(String::as_str).take(10).collect();
            return Err(format!("the fields {}", names.join(", ")));
        };
        let question = match text("input").unwrap_or("") {
            "" => instruction.to_string(),
            input => format!("{instruction}\n\n{input}"),
        };
        let message = |role, content| Message { role, content };
        let messages = vec![message(Role::User, question), message(Role::Assistant, output.to_string())];
        Ok(Some(Dialogue { messages }))
    }
}

/// The messages of a list, in which `role` and `content` name the fields of each.
fn of_messages(list: &Value, role: &str, content: &str) -> Result<Option<Dialogue>, String> {
    let list = list.as_array().ok_or("no list of messages")?;
    let mut messages = Vec::with_capacity(list.len());
    for (i, message) in list.iter().enumerate() {
        let about = |problem: &str| format!("message {} {problem}", i + 1);
        let name =
            message.get(role).and_then(Value::as_str).ok_or_else(|| about(&format!("without {role:?}")))?;
        let role = match name {
            "system" | "developer" => Role::System,
            "user" | "human" => Role::User,
            "assistant" | "gpt" | "model" => Role::Assistant,
            "tool" | "function" | "observation" | "function_call" => return Ok(None),
            _ => return Err(about(&format!("by {name:?}"))),
        };
        match message.get(content) {
            Some(Value::String(text)) => messages.push(Message { role, content: text.clone() }),
            Some(Value::Array(parts)) => match text_of(parts) {
                Some(content) => messages.push(Message { role, content }),
                None => return Ok(None),
            },
            Some(Value::Null) => return Ok(None),
            None if message.get("tool_calls").is_some() => return Ok(None),
            _ => return Err(about(&format!("without a text in {content:?}"))),
        }
    }
    Ok(Some(Dialogue { messages }))
}

/// The text of a message in parts, if all are text.
fn text_of(parts: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> =
        parts.iter().map(|part| part.as_str().or_else(|| part.get("text").and_then(Value::as_str))).collect();
    Some(texts?.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Vec<(Role, String)>>, String> {
        let fields: Map<String, Value> = serde_json::from_str(line).unwrap();
        let said = |dialogue: Dialogue| dialogue.messages.into_iter().map(|m| (m.role, m.content)).collect();
        Ok(Dialogue::from_fields(&fields)?.map(said))
    }

    /// axolotl 752, llm_finetuning 5.
    #[test]
    fn every_form_gives_the_same_dialogue() {
        let expected = vec![(Role::User, "Hi?".to_string()), (Role::Assistant, "Oh.".to_string())];
        for line in [
            r#"{"messages":[{"role":"user","content":"Hi?"},{"role":"assistant","content":"Oh."}],"id":7}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi?"}]},{"role":"assistant","content":"Oh."}]}"#,
            r#"{"conversations":[{"from":"human","value":"Hi?"},{"from":"gpt","value":"Oh."}]}"#,
            r#"{"instruction":"Hi?","input":"","output":"Oh."}"#,
            r#"{"instruction":"Hi?","output":"Oh."}"#,
        ] {
            assert_eq!(read(line), Ok(Some(expected.clone())), "{line}");
        }
        let with_input = read(r#"{"instruction":"Add.","input":"1 1","output":"2"}"#).unwrap().unwrap();
        assert_eq!(with_input[0].1, "Add.\n\n1 1");
    }

    /// lmstudio-bug-tracker 261.
    #[test]
    fn what_is_not_all_text_is_none_and_the_rest_is_named() {
        for line in [
            r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}"#,
            r#"{"messages":[{"role":"assistant","tool_calls":[]}]}"#,
            r#"{"messages":[{"role":"tool","content":"4"}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
        ] {
            assert_eq!(read(line), Ok(None), "{line}");
        }
        for (line, words) in [
            (r#"{"text":"a"}"#, "the fields text"),
            (r#"{"messages":"a"}"#, "no list"),
            (r#"{"messages":[{"content":"a"}]}"#, "message 1 without \"role\""),
            (r#"{"messages":[{"role":"user"}]}"#, "message 1 without a text in \"content\""),
            (r#"{"conversations":[{"from":"bard","value":"a"}]}"#, "message 1 by \"bard\""),
        ] {
            let found = read(line).unwrap_err();
            assert!(found.contains(words), "{words} is not in: {found}");
        }
    }
}
