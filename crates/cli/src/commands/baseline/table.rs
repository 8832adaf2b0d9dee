//! Labelled texts from a CSV, TSV or JSONL file.

use data::DataError;
use serde_json::Value;
use std::path::Path;

/// The text and the label of every row, and empty texts left out.
pub(super) fn read(path: &Path, text: &str, label: &str) -> Result<Vec<(String, String)>, DataError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    let content = || data::read_text(path);
    let mut rows = match extension.as_str() {
        "csv" => columns(path, &content()?, ',', text, label)?,
        "tsv" => columns(path, &content()?, '\t', text, label)?,
        "jsonl" | "ndjson" => objects(path, &content()?, text, label)?,
        _ => {
            let remedy = "rename the file, or convert it to one of these";
            let found = format!("the ending {extension:?}");
            return Err(malformed(path, "", &found, "a .csv, .tsv or .jsonl file", remedy));
        }
    };
    rows.retain(|(text, _)| !text.trim().is_empty());
    if rows.is_empty() {
        return Err(malformed(path, "", "no row with a text", "labelled texts", "use another file"));
    }
    Ok(rows)
}

fn malformed(path: &Path, place: &str, found: &str, expected: &str, remedy: &str) -> DataError {
    DataError::Malformed {
        what: path.display().to_string(),
        place: place.into(),
        found: found.into(),
        expected: expected.into(),
        remedy: remedy.into(),
    }
}

/// Rows of a table whose first line names the columns.
fn columns(
    path: &Path,
    content: &str,
    separator: char,
    text: &str,
    label: &str,
) -> Result<Vec<(String, String)>, DataError> {
    let mut records = Records { path, rest: content, separator, line: 1 };
    let (_, header) = records.next().transpose()?.unwrap_or_default();
    let column = |name: &str| {
        header.iter().position(|field| field.trim() == name).ok_or_else(|| {
            let found = format!("the columns {}", header.join(", "));
            let remedy = "give the names with --text-column and --label-column";
            malformed(path, "line 1", &found, &format!("a column {name:?}"), remedy)
        })
    };
    let (text, label) = (column(text)?, column(label)?);
    let mut rows = Vec::new();
    for record in records {
        let (line, mut fields) = record?;
        if fields.len() != header.len() {
            let remedy = "quote a field that has separators or line ends in it, and double the quotes in it";
            let (found, expected) = (format!("{} fields", fields.len()), format!("{}", header.len()));
            return Err(malformed(path, &format!("line {line}"), &found, &expected, remedy));
        }
        rows.push((std::mem::take(&mut fields[text]), fields[label].trim().to_string()));
    }
    Ok(rows)
}

/// The records of RFC 4180, each with the line that it begins on.
struct Records<'a> {
    path: &'a Path,
    rest: &'a str,
    separator: char,
    line: usize,
}

impl Iterator for Records<'_> {
    type Item = Result<(usize, Vec<String>), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.rest.strip_prefix('\n') {
            (self.rest, self.line) = (rest, self.line + 1); // an empty line is no record
        }
        let line = self.line;
        let mut fields = Vec::new();
        while !self.rest.is_empty() {
            match self.field() {
                Ok((field, last)) => {
                    fields.push(field);
                    if last {
                        return Some(Ok((line, fields)));
                    }
                }
                Err(error) => {
                    self.rest = "";
                    return Some(Err(error));
                }
            }
            if self.rest.is_empty() {
                fields.push(String::new()); // the file ends with a separator
            }
        }
        (!fields.is_empty()).then_some(Ok((line, fields)))
    }
}

impl Records<'_> {
    /// The next field, and whether it is the last of its record.
    fn field(&mut self) -> Result<(String, bool), DataError> {
        let mut field = String::new();
        if let Some(rest) = self.rest.strip_prefix('"') {
            let begin = self.line;
            self.rest = rest;
            loop {
                let Some(end) = self.rest.find('"') else {
                    let remedy = "add the missing quote; quotes inside of a field are doubled";
                    let place = format!("line {begin}");
                    let found = "a quoted field that never ends";
                    return Err(malformed(self.path, &place, found, "a closing quote", remedy));
                };
                field += &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                match self.rest.strip_prefix('"') {
                    Some(rest) => (self.rest, field) = (rest, field + "\""),
                    None => break,
                }
            }
            self.line += field.matches('\n').count();
        } else {
            let end = self.rest.find([self.separator, '\n', '"']).unwrap_or(self.rest.len());
            field += &self.rest[..end];
            self.rest = &self.rest[end..];
        }
        match self.rest.chars().next() {
            Some(c) if c == self.separator => self.rest = &self.rest[c.len_utf8()..],
            Some('\n') => {
                (self.rest, self.line) = (&self.rest[1..], self.line + 1);
                return Ok((field, true));
            }
            None => return Ok((field, true)),
            Some(c) => {
                let remedy = "put the whole field in quotes, and double the quotes in it";
                let expected = format!("{:?} or the end of the line", self.separator);
                let place = format!("line {}", self.line);
                return Err(malformed(self.path, &place, &format!("{c:?} in a field"), &expected, remedy));
            }
        }
        Ok((field, false))
    }
}

/// One JSON object a line.
fn objects(path: &Path, content: &str, text: &str, label: &str) -> Result<Vec<(String, String)>, DataError> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(content.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("line {number}");
        let wrong = |found: String, expected: String| {
            malformed(
                path,
                &place,
                &found,
                &expected,
                "correct the line, or name the fields with --text-column and --label-column",
            )
        };
        let value: Value =
            serde_json::from_str(line).map_err(|e| wrong(format!("{e}"), "one JSON object".into()))?;
        let object =
            value.as_object().ok_or_else(|| wrong("another JSON value".into(), "an object".into()))?;
        let field = |name: &str| {
            object.get(name).ok_or_else(|| wrong("an object without it".into(), format!("a field {name:?}")))
        };
        let Value::String(content) = field(text)? else {
            return Err(wrong(format!("{}", field(text)?), format!("a string in {text:?}")));
        };
        let label = match field(label)? {
            Value::String(label) => label.clone(),
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            other => return Err(wrong(other.to_string(), format!("a string or a number in {label:?}"))),
        };
        rows.push((content.clone(), label));
    }
    Ok(rows)
}
