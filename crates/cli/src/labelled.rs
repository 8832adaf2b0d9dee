//! Labelled texts from CSV, TSV or JSONL files, and their division into texts to train, to validate and to test: the same
//! for simple classifiers and for fine-tuned models, so that their numbers can be compared.

use crate::failure::Failure;
use crate::reading::ReadArgs;
use data::DataError;
use data::read::{Document, Documents, Options, format_of};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Which files, and where the label stands.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelledArgs {
    /// Labelled texts: .csv or .tsv with a first line that names the columns, or .jsonl
    #[arg(long, value_name = "FILE")]
    pub(crate) train: PathBuf,
    /// Labelled texts to choose by [default: 1 in 10 of the others]
    #[arg(long, value_name = "FILE")]
    pub(crate) dev: Option<PathBuf>,
    /// Labelled texts to test on [default: 1 in 10 of the others]
    #[arg(long, value_name = "FILE")]
    pub(crate) test: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnArgs,
}

/// Where the text and the label stand in a file.
#[derive(Debug, clap::Args)]
pub(crate) struct ColumnArgs {
    #[command(flatten)]
    read: ReadArgs,
    /// The column (or JSON field) with the label
    #[arg(long, alias = "label_column", value_name = "NAME", default_value = "label")]
    label_column: String,
}

impl ColumnArgs {
    /// The text and the label of every row, and empty texts left out.
    pub(crate) fn rows(&self, path: &Path) -> Result<Rows, Failure> {
        Ok(read(path, &self.read.options()?, &self.label_column)?)
    }
}

/// Texts and labels.
pub(crate) type Rows = Vec<(String, String)>;

/// The parts of a file or of several.
pub(crate) struct Parts {
    pub(crate) train: Rows,
    pub(crate) validation: Rows,
    pub(crate) test: Rows,
    /// Rows that were left out because their text was there before.
    pub(crate) dropped: usize,
}

impl LabelledArgs {
    /// Reads the files. A part without a file of its own is one in ten of the training file, by the texts' hashes. A text
    /// of the training file says nothing about new texts, so it is left out of the other files.
    pub(crate) fn parts(&self) -> Result<Parts, Failure> {
        let rows = self.columns.rows(&self.train)?;
        let mut seen = HashSet::new();
        let mut total = rows.len();
        let rows: Rows = rows.into_iter().filter(|(text, _)| seen.insert(text.trim().to_string())).collect();
        let mut parts = Parts { train: Vec::new(), validation: Vec::new(), test: Vec::new(), dropped: 0 };
        for row in rows {
            match (bucket(row.0.trim()), &self.dev, &self.test) {
                (8, None, _) => parts.validation.push(row),
                (9, _, None) => parts.test.push(row),
                _ => parts.train.push(row),
            }
        }
        for (path, part) in [(&self.dev, &mut parts.validation), (&self.test, &mut parts.test)] {
            if let Some(path) = path {
                let rows = self.columns.rows(path)?;
                total += rows.len();
                part.extend(rows.into_iter().filter(|(text, _)| !seen.contains(text.trim())));
            }
        }
        let found = [&parts.train, &parts.validation, &parts.test].map(Vec::len);
        parts.dropped = total - found.iter().sum::<usize>();
        if found.contains(&0) {
            let [train, validation, test] = found;
            return Err(Failure::input(format!(
                "{}: expected enough different texts for a training, a validation and a test part, found {train}, \
                 {validation} and {test}: give at least 50, and test on texts that are not in the training file",
                self.train.display()
            )));
        }
        Ok(parts)
    }

    /// The file of a part, for messages.
    pub(crate) fn file(&self, part: &str) -> &Path {
        let own = match part {
            "test" => &self.test,
            "validation" => &self.dev,
            _ => &None,
        };
        own.as_ref().unwrap_or(&self.train)
    }
}

/// 0 to 9, by the text alone: the same text lands in the same part wherever it stands. The hash is
/// FNV-1a in 64 bits.
fn bucket(text: &str) -> u64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    // The low bits of FNV see only the low bits of the text; the upper half has been mixed.
    (text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv) >> 32) % 10
}

/// The formats that have a field for the label.
const WITH_FIELDS: [&str; 3] = ["csv", "tsv", "jsonl"];

fn read(path: &Path, options: &Options, label: &str) -> Result<Rows, DataError> {
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
