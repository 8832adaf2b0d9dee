//! Labelled texts from CSV, TSV or JSONL files, and their division into texts to train, to validate and to test: the same
//! for simple classifiers and for fine-tuned models, so that their numbers can be compared.

use crate::flags::reading::ReadArgs;
use crate::screen::failure::Failure;
use data::DataError;
use data::dataset::HashPart;
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

impl Parts {
    /// The parts of a file, and of those for validation and test, if there are such.
    pub(crate) fn divide(
        train: &Path,
        others: [Option<&Path>; 2],
        read: impl Fn(&Path) -> Result<Rows, Failure>,
    ) -> Result<Self, Failure> {
        let rows = read(train)?;
        let mut seen = HashSet::new();
        let mut total = rows.len();
        let rows: Rows = rows.into_iter().filter(|(text, _)| seen.insert(text.trim().to_string())).collect();
        let mut parts = Parts { train: Vec::new(), validation: Vec::new(), test: Vec::new(), dropped: 0 };
        for row in rows {
            match (HashPart::of(&row.0), others) {
                (HashPart::Validation, [None, _]) => parts.validation.push(row),
                (HashPart::Test, [_, None]) => parts.test.push(row),
                _ => parts.train.push(row),
            }
        }
        for (path, part) in others.into_iter().zip([&mut parts.validation, &mut parts.test]) {
            if let Some(path) = path {
                let rows = read(path)?;
                total += rows.len();
                part.extend(rows.into_iter().filter(|(text, _)| !seen.contains(text.trim())));
            }
        }
        let found = [&parts.train, &parts.validation, &parts.test].map(Vec::len);
        parts.dropped = total - found.iter().sum::<usize>();
        if found.contains(&0) {
            let [own, validation, test] = found;
            return Err(Failure::input(format!(
                "{}: expected enough different texts for a training, a validation and a test part, found {own}, \
                 {validation} and {test}: give at least 50, and test on texts that are not in the training file",
                train.display()
            )));
        }
        Ok(parts)
    }
}

impl LabelledArgs {
    /// Reads the files. A part without a file of its own is one in ten of the training file, by the texts' hashes. A text
    /// of the training file says nothing about new texts, so it is left out of the other files.
    pub(crate) fn parts(&self) -> Result<Parts, Failure> {
        let others = [self.dev.as_deref(), self.test.as_deref()];
        Parts::divide(&self.train, others, |path| self.columns.rows(path))
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

/// The formats that have a field for the label.
const WITH_FIELDS: [&str; 3] = ["csv", "tsv", "jsonl"];

/// Opens a file that has fields, and says what it is.
pub(crate) fn open(path: &Path, options: &Options) -> Result<Documents, DataError> {
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
    Ok(documents)
}

fn read(path: &Path, options: &Options, label: &str) -> Result<Rows, DataError> {
    let documents = open(path, options)?;
    let is_table = documents.format().name != "jsonl";
    let mut rows = Vec::new();
    for document in documents {
        let document = document?;
        let label = beside(&document, label, path, is_table, "--text-column and --label-column")?;
        if !document.text.trim().is_empty() {
            rows.push((document.text, label));
        }
    }
    if rows.is_empty() {
        return Err(malformed(path, "", "no row with a text", "labelled texts", "use another file"));
    }
    Ok(rows)
}

/// What stands in a field beside the text. In a table a column that is not there is a mistake of the first line.
pub(crate) fn beside(
    document: &Document,
    name: &str,
    path: &Path,
    is_table: bool,
    flags: &str,
) -> Result<String, DataError> {
    let remedy = &format!("correct the line, or name the fields with {flags}");
    let line = if is_table { 1 } else { document.line };
    match document.fields.get(name) {
        _ if document.text_field == name => {
            let expected = "two fields";
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

pub(crate) fn malformed(path: &Path, place: &str, found: &str, expected: &str, remedy: &str) -> DataError {
    DataError::Malformed {
        what: path.display().to_string(),
        place: place.into(),
        found: found.into(),
        expected: expected.into(),
        remedy: remedy.into(),
    }
}
