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
use crate::new_file::{NewFile, unwritable};
use crate::read::{Record, RecordEnd, Records};
use sha2::{Digest, Sha256};
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

    /// The part of a document, as an index of [`PARTS`].
    pub fn part(&self, document: &str) -> usize {
        let hash = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(document.trim_end());
        let hash = hash.finalize();
        let word = u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"));
        let fraction = (word >> 11) as f64 / (1_u64 << 53) as f64; // exact: 53 bits fit an f64
        self.ends.iter().position(|&end| fraction < end).expect("a fraction is below 1, the last end")
    }
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

/// Splits a file by documents into `train`, `val` and `test` with its own extension, in UTF-8, in the new
/// directory `out`. `progress` is told the bytes read so far, and in all.
///
/// # Errors
/// If the file cannot be read or has no documents for a part that is wanted, or `out` cannot be
/// written or has files in it. Then nothing is written.
pub fn split_file(
    mut documents: Records,
    rule: &SplitRule,
    out: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<PartReport>, DataError> {
    let temporary = TemporaryDir::create(out)?;
    let mut parts = open_parts(&documents, rule, &temporary.path)?;
    while let Some(document) = documents.next_record()? {
        let (file, report) = parts[rule.part(&document.text)].as_mut().expect("a part that is wanted");
        let text = rendered(&document, documents.end(), report.documents == 0);
        file.write_all(text.as_bytes()).map_err(|e| file.unwritable(e))?;
        report.documents += 1;
        report.bytes += text.len() as u64;
        let (done, all) = documents.progress();
        progress(done, all);
    }
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let found: u64 = parts.iter().map(|(_, report)| report.documents).sum();
    if let Some((_, empty)) = parts.iter().find(|(_, report)| report.documents == 0) {
        return Err(DataError::Malformed {
            what: documents.path().display().to_string(),
            place: String::new(),
            found: format!("{found} documents, none of which falls to {}", empty.part),
            expected: "documents enough for every part".into(),
            remedy: "take more documents, smaller ones (--by paragraph, --by line), or another --seed".into(),
        });
    }
    let mut reports = Vec::new();
    for (file, mut report) in parts {
        let name = report.path.file_name().map(PathBuf::from).expect("a name of ours");
        file.finish()?;
        report.path = out.join(name);
        reports.push(report);
    }
    temporary.rename_to(out)?;
    Ok(reports)
}

type OpenPart = Option<(NewFile, PartReport)>;

/// The files of the parts that are wanted, with the header of a CSV or TSV file in each.
fn open_parts(documents: &Records, rule: &SplitRule, dir: &Path) -> Result<Vec<OpenPart>, DataError> {
    let open = |(part, fraction): (&'static str, f64)| {
        if fraction == 0.0 {
            return Ok(None);
        }
        let path = dir.join(part_name(part, documents.path()));
        let mut file = NewFile::create(&path)?;
        let header = documents.header().unwrap_or_default();
        file.write_all(header.as_bytes()).map_err(|e| file.unwritable(e))?;
        Ok(Some((file, PartReport { part, path, documents: 0, bytes: header.len() as u64 })))
    };
    PARTS.into_iter().zip(rule.fractions).map(open).collect()
}

/// A document as it stands in a part: what separates documents comes before all but the first.
fn rendered(document: &Record, end: &RecordEnd, first: bool) -> String {
    match end {
        RecordEnd::Mark(mark) if !first => format!("{mark}\n{}", document.text),
        RecordEnd::EmptyLine if !first => format!("\n{}", document.text),
        _ => document.text.clone(),
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
            return Err(DataError::Malformed {
                what: out.display().to_string(),
                place: String::new(),
                found: "something is there already".into(),
                expected: "a new directory".into(),
                remedy: "name another one with --out, or remove this one".into(),
            });
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(out.file_name().unwrap_or("split".as_ref()));
        name.push(format!(".{}.tmp", std::process::id()));
        let path = out.with_file_name(name);
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
