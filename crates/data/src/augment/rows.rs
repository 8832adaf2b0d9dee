//! Where the text stands in a line of a file, so that everything else in the line can be kept.

use crate::DataError;
use serde_json::Value;

/// The layout of a file: a line an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The line is the text.
    Lines,
    /// Columns separated by tabs; the text is in the column of this number, from 0.
    Tsv(usize),
    /// JSON objects; the text is the value of this key.
    Jsonl(String),
}

impl Rows {
    /// The text of a line.
    ///
    /// # Errors
    /// What was found, and what was expected, if there is no text: with `name` and `line`, from 1.
    pub fn text(&self, line: &str, name: &str, number: usize) -> Result<String, DataError> {
        let malformed = |found: String, expected: String| DataError::Malformed {
            what: name.into(),
            place: format!("line {number}"),
            found,
            expected,
            remedy: "correct the line, or name another column with --text-column".into(),
        };
        match self {
            Rows::Lines => Ok(line.to_string()),
            Rows::Tsv(column) => line.split('\t').nth(*column).map(str::to_string).ok_or_else(|| {
                let found = format!("{} columns", line.split('\t').count());
                malformed(found, format!("a text in column {}, columns separated by tabs", column + 1))
            }),
            Rows::Jsonl(key) => {
                let value: Value = serde_json::from_str(line)
                    .map_err(|e| malformed(e.to_string(), "a JSON object".into()))?;
                match value.get(key) {
                    Some(Value::String(text)) => Ok(text.clone()),
                    _ => Err(malformed(
                        if value.is_object() { "none".into() } else { "no object".into() },
                        format!("a JSON object with a string {key:?}"),
                    )),
                }
            }
        }
    }

    /// The line with another text in it.
    ///
    /// # Panics
    /// If [`Rows::text`] has not found a text in the line.
    pub fn with_text(&self, line: &str, text: &str) -> String {
        match self {
            Rows::Lines => text.to_string(),
            Rows::Tsv(column) => {
                let mut columns: Vec<&str> = line.split('\t').collect();
                columns[*column] = text;
                columns.join("\t")
            }
            Rows::Jsonl(key) => {
                let mut value: Value = serde_json::from_str(line).expect("it was read before");
                value[key] = text.into();
                value.to_string()
            }
        }
    }
}
