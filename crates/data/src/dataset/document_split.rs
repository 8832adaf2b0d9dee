//! Train, validation and test parts of a collection, by the hash of each document.
//!
//! A document belongs to a part because of its own words alone: with h = the first 64 bits of
//! SHA-256(seed, document) as a fraction of 2^64, it goes to the part whose interval of [0, 1) holds h.
//! Therefore
//! - documents that are added or removed later move no other document, and a test document never
//!   slips into the training part of a new version of the collection;
//! - exact duplicates land in the same part, so none of them leaks (near-duplicates can: remove them
//!   first);
//! - the parts have the wanted sizes only on average: n documents at a fraction f are
//!   n f +- sqrt(n f (1-f)).

use crate::DataError;
use crate::error::listed;
use crate::new_file::{NewFile, remove_leftovers, sibling, unwritable};
use crate::read::{Document, Layout, malformed};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The parts by name, in the order of the fractions.
pub const PARTS: [&str; 3] = ["train", "val", "test"];

/// Which share of the documents goes to which part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitRule {
    /// Where the parts end in [0, 1].
    ends: [f64; 3],
    fractions: [f64; 3],
    seed: u64,
}

impl SplitRule {
    /// A rule from the fractions of [`PARTS`]; another seed gives other parts.
    ///
    /// ```
    /// use data::dataset::SplitRule;
    /// let rule = SplitRule::new([0.8, 0.1, 0.1], 0)?;
    /// assert_eq!(rule.part("a story\n"), rule.part("a story")); // whatever stands around it
    /// # Ok::<(), data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// If a fraction is negative or no number, the first is 0, or they do not add up to 1.
    pub fn new(fractions: [f64; 3], seed: u64) -> Result<SplitRule, DataError> {
        let [train, val, test] = fractions;
        let sum = train + val + test;
        if !(train > 0.0 && val >= 0.0 && test >= 0.0 && (sum - 1.0).abs() <= 1e-9) {
            return Err(DataError::InvalidSetting {
                name: "frac",
                found: format!("{train},{val},{test} (sum {sum})"),
                expected: "fractions for train, val and test that add up to 1, such as .8,.1,.1",
            });
        }
        // What rounding leaves over belongs to the last part that is wanted.
        let last = fractions.iter().rposition(|&f| f > 0.0).expect("the first one is");
        let mut ends = [train, train + val, 1.0];
        ends[last..].fill(1.0);
        Ok(SplitRule { ends, fractions, seed })
    }

    /// Eight texts in ten to train, one to validate, one to test: what all commands do where nothing else is asked
    /// for, so that models of all kinds that are made from one file are tested on the same texts and have learnt from
    /// none of them.
    ///
    /// ```
    /// use data::dataset::SplitRule;
    /// assert_eq!(SplitRule::usual(), SplitRule::new([0.8, 0.1, 0.1], 1337)?);
    /// # Ok::<(), data::DataError>(())
    /// ```
    pub fn usual() -> SplitRule {
        SplitRule { ends: [0.8, 0.8 + 0.1, 1.0], fractions: [0.8, 0.1, 0.1], seed: 1337 }
    }

    /// The part of a document, as an index of [`PARTS`].
    pub fn part(&self, document: &str) -> usize {
        let fraction = self.fraction(document);
        self.ends.iter().position(|&end| fraction < end).expect("a fraction is below 1, the last end")
    }

    /// Where in [0, 1) a document falls.
    pub fn fraction(&self, document: &str) -> f64 {
        (self.word(document) >> 11) as f64 / (1_u64 << 53) as f64 // exact: 53 bits fit an f64
    }

    /// The first 64 bits of SHA-256 of the seed and the document, without the white space around it.
    fn word(&self, document: &str) -> u64 {
        let hash = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(document.trim());
        u64::from_be_bytes(hash.finalize()[..8].try_into().expect("eight bytes"))
    }
}

/// What became of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitReport {
    /// The parts that are wanted, in the order of [`PARTS`].
    pub parts: Vec<PartReport>,
    /// Documents whose text is in another part too, since it belongs to another group.
    pub torn: u64,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReport {
    /// `train`, `val` or `test`.
    pub part: &'static str,
    /// Its file.
    pub path: PathBuf,
    /// Its documents.
    pub documents: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Splits documents into `train`, `val` and `test` with the extension of their file, in UTF-8, in the new directory
/// `out`, each as it stands in the file. What decides is the text of a document, or the value of its field `group`:
/// documents of one group stay together.
///
/// # Errors
/// Those of the documents. If there are none for a part that is wanted, if a document has no field `group`, or if `out`
/// cannot be written or has files in it. Then nothing is written.
pub fn split_documents<E: From<DataError>>(
    documents: impl Iterator<Item = Result<Document, E>>,
    from: &Path,
    layout: &Layout,
    rule: &SplitRule,
    group: Option<&str>,
    out: &Path,
) -> Result<SplitReport, E> {
    let temporary = TemporaryDir::create(out)?;
    let mut parts = open_parts(from, layout, rule, &temporary.path)?;
    let mut first_part: HashMap<u64, usize> = HashMap::new();
    let mut torn = 0;
    for document in documents {
        let document = document?;
        let part = match group {
            Some(field) => rule.part(&group_of(&document, field, from)?),
            None => rule.part(&document.text),
        };
        if group.is_some() && *first_part.entry(rule.word(&document.text)).or_insert(part) != part {
            torn += 1;
        }
        let (file, report) = parts[part].as_mut().expect("a part that is wanted");
        let text = rendered(&document, layout, report.documents == 0);
        file.write_all(text.as_bytes()).map_err(|e| file.unwritable(e))?;
        report.documents += 1;
        report.bytes += text.len() as u64;
    }
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let found: u64 = parts.iter().map(|(_, report)| report.documents).sum();
    if let Some((_, empty)) = parts.iter().find(|(_, report)| report.documents == 0) {
        return Err(E::from(malformed(
            &from.display().to_string(),
            "",
            "documents enough for every part",
            format!("{found} documents, none of which falls to {}", empty.part),
            "take more documents, smaller ones (--format text, --format lines), or another --seed",
        )));
    }
    let mut reports = Vec::new();
    for (file, mut report) in parts {
        let name = report.path.file_name().map(PathBuf::from).expect("a name of ours");
        file.finish()?;
        report.path = out.join(name);
        reports.push(report);
    }
    temporary.rename_to(out)?;
    Ok(SplitReport { parts: reports, torn })
}

/// The value of the field that keeps documents together.
fn group_of(document: &Document, field: &str, from: &Path) -> Result<String, DataError> {
    match document.fields.get(field) {
        Some(_) if document.text_field == field => Ok(document.text.clone()),
        Some(Value::String(group)) => Ok(group.clone()),
        Some(value) => Ok(value.to_string()),
        None => Err(malformed(
            &from.display().to_string(),
            format!("line {}", document.line),
            format!("a field {field:?}"),
            format!("the fields {}", listed(document.fields.keys())),
            "name one of them with --group",
        )),
    }
}

type OpenPart = Option<(NewFile, PartReport)>;

/// The files of the parts that are wanted, with the header of a table in each.
fn open_parts(
    from: &Path,
    layout: &Layout,
    rule: &SplitRule,
    dir: &Path,
) -> Result<Vec<OpenPart>, DataError> {
    let open = |(part, fraction): (&'static str, f64)| {
        if fraction == 0.0 {
            return Ok(None);
        }
        let path = dir.join(part_name(part, from));
        let mut file = NewFile::create(&path)?;
        file.write_all(layout.header.as_bytes()).map_err(|e| file.unwritable(e))?;
        Ok(Some((file, PartReport { part, path, documents: 0, bytes: layout.header.len() as u64 })))
    };
    PARTS.into_iter().zip(rule.fractions).map(open).collect()
}

/// A document as it stands in a part: what separates documents comes before all but the first.
fn rendered(document: &Document, layout: &Layout, first: bool) -> String {
    match &layout.between {
        Some(line) if !first => format!("{line}\n{}\n", document.raw()),
        _ => format!("{}\n", document.raw()),
    }
}

/// The name of a part of a dataset: `train` of `poems.txt` is `train.txt`.
fn part_name(part: &str, of: &Path) -> PathBuf {
    let mut name = PathBuf::from(part);
    name.set_extension(of.extension().unwrap_or("txt".as_ref()));
    name
}

/// A directory beside the one that is wanted, removed unless it takes its place.
struct TemporaryDir {
    path: PathBuf,
}

impl TemporaryDir {
    fn create(out: &Path) -> Result<TemporaryDir, DataError> {
        let is_empty = |dir: fs::ReadDir| dir.count() == 0;
        if out.exists() && !fs::read_dir(out).is_ok_and(is_empty) {
            let remedy = "name another one with --out, or remove this one";
            return Err(malformed(
                &out.display().to_string(),
                "",
                "a new directory",
                "something is there already",
                remedy,
            ));
        }
        remove_leftovers(out);
        let path = sibling(out);
        fs::create_dir(&path).map_err(|source| unwritable(out, source))?;
        Ok(TemporaryDir { path })
    }

    fn rename_to(self, out: &Path) -> Result<(), DataError> {
        if out.exists() {
            fs::remove_dir(out).map_err(|source| unwritable(out, source))?; // it is empty
        }
        fs::rename(&self.path, out).map_err(|source| unwritable(out, source))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path); // not there if it was renamed
    }
}
