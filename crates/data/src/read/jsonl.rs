//! JSON Lines: an object a line, one of whose fields is the text.

use super::blocks::Blocks;
use super::lines::Lines;
use super::malformed;
use super::notes::Notes;
use super::source::{Document, Options, Refused, Source, Wanted};
use crate::DataError;
use crate::error::listed;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// A reader of JSON Lines.
pub(super) struct Jsonl {
    lines: Lines,
    text_field: String,
    wanted: Wanted,
    /// Only surrogates and whole rows.
    notes: Notes,
}

impl Jsonl {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        let text_field = options.text_column.clone().unwrap_or_else(|| "text".into());
        let lines = Lines::new(blocks, options.longest);
        let wanted = match options.wanted {
            Wanted::TextOrRow if options.text_column.is_some() => Wanted::Text,
            wanted => wanted,
        };
        Ok(Box::new(Self { lines, text_field, wanted, notes: Notes::default() }))
    }
}

/// The document on a line.
fn document(line: &str, text_field: &str, wanted: Wanted) -> Result<Document, Wrong> {
    let object: Object<'_> = serde_json::from_str(line).map_err(|error| not_an_object(line, &error))?;
    let (mut fields, mut text, mut text_at) = (Map::new(), None, None);
    for (name, raw) in object.0 {
        let value = value_of(raw);
        if name == text_field && wanted != Wanted::Fields {
            let start = raw.get().as_ptr() as usize - line.as_ptr() as usize;
            text_at = Some(start..start + raw.get().len());
            text = Some(value);
            fields.insert(name, Value::Null);
        } else {
            fields.insert(name, value);
        }
    }
    let (raw, text_field) = (line.to_string(), text_field.to_string());
    if wanted == Wanted::Fields {
        return Ok(Document { fields, raw, ..Document::default() });
    }
    match text {
        Some(Value::String(text)) => Ok(Document { text, line: 0, fields, text_field, raw, text_at }),
        _ if wanted == Wanted::TextOrRow => {
            if let Some(text) = text {
                fields.insert(text_field, text);
            }
            let text_field = String::new();
            Ok(Document { text: line.to_string(), line: 0, fields, text_field, raw, text_at: None })
        }
        Some(other) => Err(Wrong {
            expected: format!("a string in the field {text_field:?}"),
            found: kind(&other).into(),
            remedy: "name the field with the text with --text-column".into(),
        }),
        None => Err(Wrong {
            expected: format!("a field {text_field:?}"),
            found: format!("the fields {}", listed(fields.keys().map(String::as_str))),
            remedy: "name the field with the text with --text-column, or mend the line".into(),
        }),
    }
}

/// A value beside the text. A number that no `Value` holds keeps its digits: what identifies a row must not be rounded.
fn value_of(raw: &RawValue) -> Value {
    let digits = || Value::String(raw.get().into());
    match serde_json::from_str(raw.get()) {
        Ok(Value::Number(number)) if number.is_f64() && !raw.get().contains(['.', 'e', 'E']) => digits(),
        Ok(value) => value,
        Err(_) => digits(),
    }
}

struct Wrong {
    expected: String,
    found: String,
    remedy: String,
}

fn not_an_object(line: &str, error: &serde_json::Error) -> Wrong {
    let array = line.trim_start().starts_with('[');
    let found = match serde_json::from_str::<Value>(line) {
        Ok(value) => kind(&value).to_string(),
        // A line that opens an array says nothing more by where the array breaks off.
        Err(_) if array => "an array".into(),
        Err(_) => {
            let (message, column) = (error.to_string(), error.column());
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
            format!("at column {column}: {message}")
        }
    };
    let remedy = if array { ARRAY } else { "mend the line, or leave such lines out with --skip-bad" };
    Wrong { expected: "a JSON object".into(), found, remedy: remedy.into() }
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

/// The fields of an object in their order, their values as they stand.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// The line with U+FFFD for every half of a surrogate pair that stands alone (`\ud83d`), and how many there are. Python
/// writes them, and no text in UTF-8 can hold them.
fn mend_surrogates(line: &str) -> (Cow<'_, str>, u64) {
    let bytes = line.as_bytes();
    let code = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut mended, mut kept, mut count, mut at) = (String::new(), 0, 0, 0);
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        match (code(at), code(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(&line[kept..at]);
                mended.push_str("\\ufffd");
                (at, count) = (at + 6, count + 1);
                kept = at;
            }
            _ => at = bytes.len().min(at + 2), // the escaped character, or the u of an escape
        }
    }
    match count {
        0 => (Cow::Borrowed(line), 0),
        _ => (Cow::Owned(mended + &line[kept..]), count),
    }
}

impl Source for Jsonl {
    fn next(&mut self) -> Result<Option<Document>, Refused> {
        let Some(line) = self.lines.next_filled()? else { return Ok(None) };
        let (line, surrogates) = mend_surrogates(line);
        self.notes.surrogates += surrogates;
        let found = document(&line, &self.text_field, self.wanted);
        let number = self.lines.number();
        match found {
            Ok(document) => {
                let is_whole = self.wanted == Wanted::TextOrRow && document.text_field.is_empty();
                self.notes.whole_rows += u64::from(is_whole);
                Ok(Some(Document { line: number, ..document }))
            }
            Err(Wrong { expected, found, remedy }) => {
                let (name, place) = (self.lines.blocks.name(), format!("line {number}"));
                Err(Refused::Row(malformed(name, place, expected, found, remedy)))
            }
        }
    }

    fn blocks(&self) -> &Blocks {
        &self.lines.blocks
    }

    fn notes(&self) -> Notes {
        self.notes.clone()
    }
}
