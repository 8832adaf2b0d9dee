//! Tokenizers in directories: `tokenizer.json`, or GPT-2's `vocab.json` and `merges.txt`.

use super::json::{AddedToken, MAX_BYTES, MergeTable, Table, Unlisted, shortened};
use super::tokens::MAX_TOKENS;
use super::{BpeTokenizer, Tokenizer};
use crate::DataError;
use crate::dataset::END_OF_DOCUMENT;
use crate::new_file::{NewFile, unwritable};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const TOKENIZER: &str = "tokenizer.json";
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
/// Tokens beyond the vocabulary and their ids.
const ADDED: &str = "added_tokens.json";
/// Which tokens are special.
const SPECIALS: &str = "special_tokens_map.json";

impl Tokenizer {
    /// Loads the tokenizer of a directory, such as that of a model: `tokenizer.json` if it is there, else
    /// `vocab.json` and `merges.txt`, with `added_tokens.json` and `special_tokens_map.json` if they are there.
    ///
    /// # Errors
    /// If they are not there, cannot be read, or are not what [`Tokenizer::from_json`] or
    /// [`BpeTokenizer::from_gpt2`] accept.
    pub fn load(dir: impl AsRef<Path>) -> Result<Tokenizer, DataError> {
        let dir = dir.as_ref();
        let path = |name: &str| dir.join(name);
        if path(TOKENIZER).exists() {
            let json = read(&path(TOKENIZER))?;
            return Tokenizer::from_json(&json).map_err(|error| at(&path(TOKENIZER), error));
        }
        if path(VOCAB).exists() && path(MERGES).exists() {
            let optional = |name| path(name).exists().then(|| read(&path(name))).transpose();
            let (added, specials) = (optional(ADDED)?, optional(SPECIALS)?);
            let added = added_tokens(added.as_deref(), specials.as_deref());
            let (vocab, merges) = (read(&path(VOCAB))?, read(&path(MERGES))?);
            let tokenizer = added.and_then(|added| from_files(&vocab, &merges, &added));
            return tokenizer.map(Tokenizer::Bpe).map_err(|error| in_dir(dir, error));
        }
        Err(DataError::Malformed {
            what: dir.display().to_string(),
            place: String::new(),
            found: if dir.is_dir() { "neither" } else { "no such directory" }.into(),
            expected: "a directory with tokenizer.json, or with vocab.json and merges.txt".into(),
            remedy: "make one with: newleaf tokenizer train --kind bpe --data TEXT --out DIR".into(),
        })
    }

    /// Says before a long training what [`Tokenizer::save`] would refuse after it, and leaves nothing.
    ///
    /// # Errors
    /// As [`Tokenizer::save`], for what a directory is the reason of.
    pub fn check_dir(dir: impl AsRef<Path>) -> Result<(), DataError> {
        let dir = dir.as_ref();
        if dir.join("model.safetensors").exists() {
            let found = "a model, which belongs to its own tokenizer".into();
            return Err(refused(dir, found, "name another directory"));
        }
        match (dir.exists(), dir.is_dir()) {
            (true, false) => Err(refused(dir, "a file".into(), "name a directory")),
            (true, true) => NewFile::check(dir.join(TOKENIZER)),
            (false, _) => Ok(()),
        }
    }

    /// Writes `tokenizer.json` into a directory, which is made if it is not there. A file of that name
    /// is replaced, all or nothing.
    ///
    /// # Errors
    /// If it cannot be written, is larger than [`Tokenizer::from_json`] reads, or belongs to a model: with
    /// another tokenizer the weights would be worthless.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<PathBuf, DataError> {
        let dir = dir.as_ref();
        Self::check_dir(dir)?;
        let json = self.to_json();
        if json.len() > MAX_BYTES {
            let found = format!("a vocabulary of {} bytes", json.len());
            return Err(refused(dir, found, "use a smaller vocabulary"));
        }
        let path = dir.join(TOKENIZER);
        fs::create_dir_all(dir).map_err(|source| unwritable(&path, source))?;
        let mut file = NewFile::create(&path)?;
        file.write_all(json.as_bytes()).map_err(|e| file.unwritable(e))?;
        file.finish()?;
        Ok(path)
    }
}

impl BpeTokenizer {
    /// The tokenizer in the contents of GPT-2's `vocab.json` (tokens and ids) and `merges.txt` (a merge a line).
    ///
    /// Tokens that are neither a byte nor the product of a merge are special tokens: `<|endoftext|>`.
    ///
    /// # Errors
    /// If one is larger than 64 MiB or damaged: tokens that are missing, ids that are not 0 to n-1.
    pub fn from_gpt2(vocab: &str, merges: &str) -> Result<BpeTokenizer, DataError> {
        from_files(vocab, merges, &[])
    }

    /// The contents of `vocab.json` and `merges.txt` for this tokenizer.
    pub fn to_gpt2(&self) -> (String, String) {
        let (vocab, merges) = self.tables();
        let vocab = serde_json::to_string(&vocab).expect("a map with string keys is valid JSON");
        let mut lines = String::from("#version: 0.2\n");
        merges.iter().for_each(|merge| lines.extend([merge, "\n"]));
        (vocab, lines)
    }
}

/// The tokenizer of `vocab.json` and `merges.txt`, and of the tokens that were added to them.
fn from_files(vocab: &str, merges: &str, added: &[AddedToken]) -> Result<BpeTokenizer, DataError> {
    for (what, text) in [(VOCAB, vocab), (MERGES, merges)] {
        if text.len() > MAX_BYTES {
            let found = format!("{} bytes", text.len());
            return Err(malformed(what, String::new(), found, "at most 64 MiB"));
        }
    }
    let table: Table = serde_json::from_str(vocab)
        .map_err(|error| malformed(VOCAB, String::new(), error.to_string(), "a map from tokens to ids"))?;
    let mut lines = MergeTable::default();
    for (number, line) in merge_lines(merges) {
        if lines.len() == MAX_TOKENS {
            let found = "more merges".to_string();
            return Err(malformed(MERGES, format!("line {number}"), found, "at most 1048576 merges"));
        }
        lines.push_line(&[line]);
    }
    BpeTokenizer::from_tables(table, &lines, added, Unlisted::SpecialIfUnreachable).map_err(|wrong| {
        let line = wrong.merge.and_then(|rank| merge_lines(merges).nth(rank));
        let place = line.map_or(String::new(), |(number, _)| format!("{MERGES} line {number}"));
        malformed("vocab.json and merges.txt", place, wrong.found, "a byte-level BPE")
    })
}

/// The tokens in `added_tokens.json`; special are those that `special_tokens_map.json` names, and GPT-2's own.
fn added_tokens(added: Option<&str>, specials: Option<&str>) -> Result<Vec<AddedToken>, DataError> {
    let Some(added) = added else { return Ok(Vec::new()) };
    let not_json = |what: &str, error: serde_json::Error, expected: &str| {
        malformed(what, String::new(), error.to_string(), expected)
    };
    let table: Table =
        serde_json::from_str(added).map_err(|error| not_json(ADDED, error, "a map from tokens to ids"))?;
    let map: HashMap<String, SpecialTokens> = serde_json::from_str(specials.unwrap_or("{}"))
        .map_err(|error| not_json(SPECIALS, error, "a map from roles to tokens"))?;
    let names: HashSet<&str> = map.values().flat_map(SpecialTokens::names).collect();
    let is_special = |token: &str| token == END_OF_DOCUMENT || names.contains(token);
    Ok(table.iter().map(|(token, id)| AddedToken::new(token, id, is_special(token))).collect())
}

/// A value in `special_tokens_map.json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum SpecialTokens {
    Name(String),
    Token { content: String },
    Several(Vec<SpecialTokens>),
    None(()),
}

impl SpecialTokens {
    fn names(&self) -> Vec<&str> {
        match self {
            SpecialTokens::Name(name) | SpecialTokens::Token { content: name } => vec![name],
            SpecialTokens::Several(all) => all.iter().flat_map(SpecialTokens::names).collect(),
            SpecialTokens::None(()) => Vec::new(),
        }
    }
}

/// The lines of `merges.txt` that hold a merge, with their numbers from 1.
fn merge_lines(merges: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_comment = |number, line: &str| number == 1 && line.starts_with("#version");
    (1..).zip(merges.lines()).filter(move |&(number, line)| !line.is_empty() && !is_comment(number, line))
}

/// Reads a file of at most 64 MiB.
fn read(path: &Path) -> Result<String, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.into(), source };
    let kind = fs::metadata(path).map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let found = if kind.is_dir() { "directory" } else { "pipe or device" };
        return Err(DataError::NotAFile {
            path: path.into(),
            found,
            remedy: "name a directory with the file in it",
        });
    }
    let mut bytes = Vec::new();
    let mut limited = File::open(path).map_err(unreadable)?.take(MAX_BYTES as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| DataError::Malformed {
        what: path.display().to_string(),
        place: format!("byte {}", error.utf8_error().valid_up_to()),
        found: "bytes that are not UTF-8".into(),
        expected: "JSON or text in UTF-8".into(),
        remedy: "use an undamaged copy".into(),
    })
}

/// An error in GPT-2's files.
fn malformed(what: &str, place: String, found: String, expected: &str) -> DataError {
    DataError::Malformed {
        what: what.into(),
        place,
        found: shortened(found),
        expected: expected.into(),
        remedy: "use the two files of the same tokenizer".into(),
    }
}

/// Names the file in an error of its contents.
fn at(path: &Path, error: DataError) -> DataError {
    let (found, expected, remedy) = match error {
        DataError::Tokenizer { found } => (
            found,
            "a tokenizer that newleaf writes, or byte-level BPE as GPT-2's".into(),
            "use an undamaged copy, or make one with newleaf tokenizer train".into(),
        ),
        DataError::OtherTokenizer { found, .. } => {
            return DataError::OtherTokenizer { what: path.display().to_string(), found };
        }
        other => return other,
    };
    DataError::Malformed { what: path.display().to_string(), place: String::new(), found, expected, remedy }
}

/// Names the directory too, in an error that names a file of it.
fn in_dir(dir: &Path, mut error: DataError) -> DataError {
    if let DataError::Malformed { what, .. } = &mut error {
        *what = dir.join(&*what).display().to_string();
    }
    error
}

fn refused(dir: &Path, found: String, remedy: &str) -> DataError {
    DataError::Malformed {
        what: dir.display().to_string(),
        place: String::new(),
        found,
        expected: "a directory for a tokenizer".into(),
        remedy: remedy.into(),
    }
}
