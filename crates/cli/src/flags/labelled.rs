//! Labelled texts from CSV, TSV or JSONL files, and their division into texts to train, to validate and to test: the same
//! for simple classifiers and for fine-tuned models, so that their numbers can be compared.

use crate::flags::reading::{ReadArgs, Reading};
use crate::screen::failure::Failure;
use data::DataError;
use data::dataset::SplitRule;
use data::read::{Document, Options, format_named, format_of};
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
    /// Texts with the same value in this column stay together where a file is divided
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
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
    /// The text and the label of every row. Rows without a text or without a label are left out and counted on stderr.
    pub(crate) fn rows(&self, path: &Path) -> Result<Rows, Failure> {
        Ok(self.keyed(path, None)?.into_iter().map(|keyed| keyed.row).collect())
    }

    fn keyed(&self, path: &Path, group: Option<&str>) -> Result<Vec<Keyed>, Failure> {
        read(path, &self.read.options()?, &self.label_column, group)
    }
}

/// Texts and labels.
pub(crate) type Rows = Vec<(String, String)>;

/// A text with its label (or its target), and what decides in which part it is, if that is not the text.
pub(crate) struct Keyed {
    pub(crate) row: (String, String),
    pub(crate) group: Option<String>,
}

/// The parts of a file or of several.
pub(crate) struct Parts {
    pub(crate) train: Rows,
    pub(crate) validation: Rows,
    pub(crate) test: Rows,
    /// Rows that were left out because their text was there before.
    pub(crate) dropped: usize,
}

/// What stands beside a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// One label of several: the training part must have a text of each.
    Labels,
    /// Something else: a number, a text.
    Others,
}

impl Parts {
    /// The parts of a file, and of those for validation and test, if there are such. A part without a file of its own is
    /// one in ten of the training file ([`SplitRule::usual`]). No text is in two parts: the first stays. A text has one label,
    /// the first; but it may have several translations, which are all in one part.
    pub(crate) fn divide(
        train: &Path,
        others: [Option<&Path>; 2],
        answers: Answers,
        read: impl Fn(&Path) -> Result<Vec<Keyed>, Failure>,
    ) -> Result<Self, Failure> {
        let mut files = vec![read(train)?];
        for path in others {
            files.push(path.map_or(Ok(Vec::new()), &read)?);
        }
        if answers == Answers::Labels {
            one_label_a_number(&mut files);
        }
        let total: usize = files.iter().map(Vec::len).sum();
        let mut before = HashSet::new();
        let mut fresh = files.into_iter().map(|rows| fresh(rows, answers, &mut before));
        let [own, given_validation, given_test] = [(); 3].map(|()| fresh.next().unwrap_or_default());
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        let rule = SplitRule::usual();
        for Keyed { row, group } in own {
            let part = rule.part(group.as_deref().unwrap_or(&row.0));
            let has_file = part > 0 && others[part - 1].is_some();
            parts[if has_file { 0 } else { part }].push(row);
        }
        let [mut train_rows, mut validation, mut test] = parts;
        if answers == Answers::Labels {
            one_of_each(&mut train_rows, [&mut validation, &mut test]);
        }
        let rows = |given: Vec<Keyed>| given.into_iter().map(|keyed| keyed.row);
        validation.extend(rows(given_validation));
        test.extend(rows(given_test));
        let found = [&train_rows, &validation, &test].map(Vec::len);
        let dropped = total - found.iter().sum::<usize>();
        if found.contains(&0) {
            let [own, validation, test] = found;
            return Err(Failure::input(format!(
                "{}: expected enough different texts for a training, a validation and a test part, found {own}, \
                 {validation} and {test}: give at least 50, and test on texts that are not in the other files",
                train.display()
            )));
        }
        Ok(Parts { train: train_rows, validation, test, dropped })
    }
}

/// The rows of a file whose text no file `before` has, without those that say the same again. Their texts are added to those
/// before.
fn fresh(rows: Vec<Keyed>, answers: Answers, before: &mut HashSet<String>) -> Vec<Keyed> {
    let mut seen = HashSet::new();
    let mut is_fresh = |Keyed { row: (text, answer), .. }: &Keyed| {
        let answer = if answers == Answers::Labels { "" } else { answer };
        !before.contains(text.trim()) && seen.insert((text.trim().to_string(), answer.to_string()))
    };
    let rows: Vec<Keyed> = rows.into_iter().filter(|keyed| is_fresh(keyed)).collect();
    before.extend(rows.iter().map(|keyed| keyed.row.0.trim().to_string()));
    rows
}

/// Makes "1.0" the label "1" where there is one: an integer column becomes one of decimals when a cell of it is empty.
fn one_label_a_number(files: &mut [Vec<Keyed>]) {
    let integer = |label: &str| {
        let (whole, zeros) = label.split_once('.')?;
        let is_whole =
            whole.parse::<i64>().is_ok() && zeros.bytes().all(|byte| byte == b'0') && !zeros.is_empty();
        is_whole.then(|| whole.to_string())
    };
    let labels: HashSet<String> = files.iter().flatten().map(|keyed| keyed.row.1.clone()).collect();
    let mut changed = 0;
    for keyed in files.iter_mut().flatten() {
        if let Some(whole) = integer(&keyed.row.1).filter(|whole| labels.contains(whole)) {
            keyed.row.1 = whole;
            changed += 1;
        }
    }
    if changed > 0 {
        eprintln!("note: {changed} labels such as 1.0 are read as 1, which is a label too");
    }
}

/// Moves the first text of every label that the training part lacks there: what a label is can be learnt from texts only.
fn one_of_each(train: &mut Rows, others: [&mut Rows; 2]) {
    let mut known: HashSet<String> = train.iter().map(|(_, label)| label.clone()).collect();
    let mut moved = Vec::new();
    for part in others {
        let (own, rest) =
            std::mem::take(part).into_iter().partition(|(_, label)| known.insert(label.clone()));
        moved.extend::<Rows>(own);
        *part = rest;
    }
    if !moved.is_empty() {
        let labels = data::listed(moved.iter().map(|(_, label)| label));
        eprintln!(
            "note: the training part had no text of {labels}: the first text of each went there, out of the others"
        );
        train.extend(moved);
    }
}

impl LabelledArgs {
    /// Reads the files, and divides them as [`Parts::divide`] says.
    pub(crate) fn parts(&self, answers: Answers) -> Result<Parts, Failure> {
        let others = [self.dev.as_deref(), self.test.as_deref()];
        Parts::divide(&self.train, others, answers, |path| self.columns.keyed(path, self.group.as_deref()))
    }

    /// The texts of more files, in which no label is looked for: each once, and none that `others` has. Of more than `most`, some
    /// from everywhere. What is left out is counted on stderr.
    pub(crate) fn unlabelled(
        &self,
        paths: &[PathBuf],
        others: &HashSet<&str>,
        most: usize,
    ) -> Result<Vec<String>, Failure> {
        let (mut texts, mut seen, mut found) = (Vec::new(), HashSet::new(), 0);
        for path in paths {
            // A text file has no column, whatever the labelled files have.
            let options = match format_of(path).has_fields {
                true => self.columns.read.options()?,
                false => self.columns.read.file.options(None)?,
            };
            for document in Reading::open(std::slice::from_ref(path), &options)? {
                let text = document?.text;
                if text.trim().is_empty() {
                    continue;
                }
                found += 1;
                if !others.contains(text.trim()) && seen.insert(text.trim().to_string()) {
                    texts.push(text);
                }
            }
        }
        if found == 1 {
            eprintln!("note: this is one text: an empty line separates texts in a text file");
        }
        let fresh = texts.len();
        if fresh > most {
            texts = (0..most).map(|i| std::mem::take(&mut texts[i * fresh / most])).collect();
        }
        eprintln!(
            "{found} texts without labels: {} were there before or have a label, {} of the others are read",
            found - fresh,
            texts.len()
        );
        Ok(texts)
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

/// Opens a file that has fields, and says what it is.
pub(crate) fn open(path: &Path, options: &Options) -> Result<Reading, Failure> {
    let format = options.format.as_deref().map_or(Ok(format_of(path)), format_named)?;
    if !format.has_fields {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let found = match &options.format {
            Some(format) => format!("--format {format}"),
            None => format!("the ending {extension:?}"),
        };
        let remedy = "rename the file, convert it, or name its --format: csv, tsv or jsonl";
        return Err(malformed(path, "", &found, "a .csv, .tsv or .jsonl file", remedy).into());
    }
    Reading::open(&[path.to_path_buf()], options)
}

fn read(path: &Path, options: &Options, label: &str, group: Option<&str>) -> Result<Vec<Keyed>, Failure> {
    let documents = open(path, options)?;
    let is_table = documents.layout().format != "jsonl";
    let (mut rows, mut without_text, mut without_label) = (Vec::new(), 0, 0);
    for document in documents {
        let document = document?;
        let flags = "--text-column and --label-column";
        let label = beside(&document, label, path, is_table, flags)?;
        let group = group.map(|name| beside(&document, name, path, is_table, "--group")).transpose()?;
        if document.text.trim().is_empty() {
            without_text += 1;
        } else if label.is_empty() {
            without_label += 1;
        } else {
            rows.push(Keyed { row: (document.text, label), group });
        }
    }
    for (count, what) in [(without_text, "text"), (without_label, "label")] {
        if count > 0 {
            eprintln!("note: {}: rows without a {what}, which are left out: {count}", path.display());
        }
    }
    if rows.is_empty() {
        let found = "no row with a text and a label";
        return Err(malformed(path, "", found, "labelled texts", "use another file").into());
    }
    Ok(rows)
}

/// What stands in a field beside the text; of null nothing. In a table a column that is not there is a mistake of the first line.
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
        Some(Value::Null) => Ok(String::new()),
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
