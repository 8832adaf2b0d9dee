//! JSON Lines: an object a line, one of whose fields is the text.

use super::blocks::Blocks;
use super::lines::{Limit, Lines};
use super::malformed;
use super::source::{Document, Options, Source, listed};
use crate::DataError;
use serde_json::Value;

/// A reader of JSON Lines.
pub(super) struct Jsonl {
    lines: Lines,
    text_field: String,
}

impl Jsonl {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        let text_field = options.text_column.clone().unwrap_or_else(|| "text".into());
        let lines = Lines::new(blocks, Limit::of_option(options.longest));
        Ok(Box::new(Self { lines, text_field }))
    }

    /// The document on a line that was just read.
    fn document(&self, value: serde_json::Result<Value>, is_array: bool) -> Result<Document, DataError> {
        let line = self.lines.number();
        let wrong = |expected: &str, found: String, remedy: String| {
            malformed(self.lines.blocks.name(), format!("line {line}"), expected, found, remedy)
        };
        let remedy = if is_array { ARRAY } else { "mend or remove the line" };
        let value = value.map_err(|e| {
            let (message, column) = (e.to_string(), e.column());
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
            wrong("a JSON object", format!("at column {column}: {message}"), remedy.into())
        })?;
        let Value::Object(mut fields) = value else {
            return Err(wrong("a JSON object", kind(&value).into(), remedy.into()));
        };
        match fields.get_mut(&self.text_field).map(Value::take) {
            Some(Value::String(text)) => {
                Ok(Document { text, line, fields, text_field: self.text_field.clone() })
            }
            Some(other) => Err(wrong(
                &format!("a string in the field {:?}", self.text_field),
                kind(&other).into(),
                "name the field with the text with --text-column".into(),
            )),
            None => Err(wrong(
                &format!("a field {:?}", self.text_field),
                format!("the fields {}", listed(fields.keys().map(String::as_str))),
                "name the field with the text with --text-column, or mend the line".into(),
            )),
        }
    }
}

/// The remedy for a file that is one array.
const ARRAY: &str =
    "each line must be an object; an array of objects is split by: jq -c '.[]' INPUT > OUTPUT";

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Source for Jsonl {
    fn next(&mut self) -> Result<Option<Document>, DataError> {
        let Some(line) = self.lines.next_filled()? else { return Ok(None) };
        let (value, is_array) = (serde_json::from_str(line), line.trim_start().starts_with('['));
        self.document(value, is_array).map(Some)
    }

    fn blocks(&self) -> &Blocks {
        &self.lines.blocks
    }
}
