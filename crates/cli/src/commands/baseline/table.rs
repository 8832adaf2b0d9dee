//! Labelled texts from a CSV, TSV or JSONL file.

use data::DataError;
use data::read::{Document, Documents, Options, format_of};
use serde_json::Value;
use std::path::Path;

/// The formats that have a field for the label.
const WITH_FIELDS: [&str; 3] = ["csv", "tsv", "jsonl"];

/// The text and the label of every row, and empty texts left out.
pub(super) fn read(path: &Path, options: &Options, label: &str) -> Result<Vec<(String, String)>, DataError> {
    if !WITH_FIELDS.contains(&options.format.as_deref().unwrap_or(format_of(path).name)) {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let found = match &options.format {
            Some(format) => format!("--format {format}"),
            None => format!("the ending {extension:?}"),
        };
        let remedy = "rename the file, convert it, or name its --format: csv, tsv or jsonl";
        return Err(malformed(path, "", &found, "a .csv, .tsv or .jsonl file", remedy));
    }
    let documents = Documents::open(path, options)?;
    eprintln!("{}: {}, {}", path.display(), documents.format().name, documents.encoding());
    let is_table = documents.format().name != "jsonl";
    let mut rows = Vec::new();
    for document in documents {
        let document = document?;
        let label = label_of(&document, label, path, is_table)?;
        if !document.text.trim().is_empty() {
            rows.push((document.text, label));
        }
    }
    if rows.is_empty() {
        return Err(malformed(path, "", "no row with a text", "labelled texts", "use another file"));
    }
    Ok(rows)
}

/// The label beside a text. In a table a column that is not there is a mistake of the first line.
fn label_of(document: &Document, name: &str, path: &Path, is_table: bool) -> Result<String, DataError> {
    let remedy = "correct the line, or name the fields with --text-column and --label-column";
    let line = if is_table { 1 } else { document.line };
    match document.fields.get(name) {
        _ if document.text_field == name => {
            let expected = "a label in a field of its own";
            Err(malformed(path, &format!("line {line}"), &format!("{name:?} for both"), expected, remedy))
        }
        Some(Value::String(label)) => Ok(label.trim().to_string()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        Some(other) => {
            let expected = format!("a string or a number in {name:?}");
            let place = format!("line {}", document.line);
            Err(malformed(path, &place, &other.to_string(), &expected, remedy))
        }
        None => {
            let names: Vec<&str> = document.fields.keys().map(String::as_str).collect();
            let (what, found) = match is_table {
                true => ("column", format!("the columns {}", names.join(", "))),
                false => ("field", format!("the fields {}", names.join(", "))),
            };
            Err(malformed(path, &format!("line {line}"), &found, &format!("a {what} {name:?}"), remedy))
        }
    }
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
