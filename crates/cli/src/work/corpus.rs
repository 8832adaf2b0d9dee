//! What a model is trained on: a text or a token file, with its tokenizer, in two parts.

use crate::screen::failure::Failure;
use data::dataset::{CompactIds, SourcePart, TokenFile, TokenSource, cut, train_val_split_text};
use data::{CharTokenizer, DataError, Tokenizer};
use gpt::card::sha256_of_file;
use gpt::files::store::sha256;
use gpt::run_dir::{DataInfo, RunInfo};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The text that ships inside, and its name.
const STORIES: (&str, &str) = ("stories-en", include_str!("../../../../datasets/stories-en.txt"));

/// Tokens of a token file's validation part that are decoded to know how long its tokens are.
const MEASURED: usize = 1 << 20;

/// The tokens of a run.
pub(crate) struct Corpus {
    pub(crate) info: DataInfo,
    /// The file of the validation part, if it is not the end of the text.
    pub(crate) val_info: Option<DataInfo>,
    pub(crate) tokenizer: Tokenizer,
    ids: Ids,
    /// The validation part, if it is of a file of its own.
    val_ids: Option<Ids>,
    /// Training tokens; the others of `ids` are for validation.
    cut: usize,
    /// The length of a token of the validation part: with it a loss becomes bits a character and bits a byte.
    pub(crate) chars_per_token: f64,
    pub(crate) bytes_per_token: f64,
    /// The share of the validation part's tokens that stand for words which the tokenizer does not know.
    pub(crate) unknown: f64,
}

/// In memory, or in a file from which only windows are read.
enum Ids {
    Memory(CompactIds),
    File(TokenFile),
}

impl Ids {
    fn source(&self) -> &dyn TokenSource {
        match self {
            Self::Memory(ids) => ids,
            Self::File(file) => file,
        }
    }
}

/// The files of a run, as the command line names them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Files<'a> {
    /// None: the stories that ship inside.
    pub(crate) data: Option<&'a Path>,
    /// None: the end of `data`.
    pub(crate) val: Option<&'a Path>,
}

/// A part of the tokens.
pub(crate) type Part<'a> = SourcePart<'a, dyn TokenSource + 'a>;

impl Corpus {
    /// Reads the texts of a run. A run that goes on must find the texts that it began with: `expected`, with their
    /// paths where `files` has none. Without a tokenizer the characters of the texts are the tokens.
    pub(crate) fn open(
        files: Files<'_>,
        expected: Option<&RunInfo>,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Corpus, Failure> {
        let inside = format!("{} (ships inside)", STORIES.0);
        let of = |path: Option<&Path>, expected: Option<&DataInfo>| {
            let path_of = |info: &DataInfo| (info.path != inside).then(|| PathBuf::from(&info.path));
            path.map(Path::to_path_buf).or_else(|| expected.and_then(path_of))
        };
        let expected_val = expected.and_then(|info| info.val.as_ref());
        if let (Some(path), Some(_), None) = (files.val, expected, expected_val) {
            return Err(Failure::input(format!(
                "--val {}: the run was begun without --val, and validates with the end of its text: leave it out, or begin a \
                 new run",
                path.display()
            )));
        }
        let data = match of(files.data, expected.map(|info| &info.data)) {
            Some(path) => Content::read(&path, expected.map(|info| &info.data))?,
            None => Content::of_text(
                STORIES.1.into(),
                inside.clone(),
                sha256(STORIES.1.as_bytes()),
                expected.map(|info| &info.data),
            )?,
        };
        let val = of(files.val, expected_val).map(|path| Content::read(&path, expected_val)).transpose()?;
        if val.as_ref().is_some_and(|val| val.info.sha256 == data.info.sha256) {
            eprintln!(
                "warning: --val is the training text itself: its loss says nothing of new text, and the best model is the \
                 one that has learned most by heart"
            );
        }
        let given = tokenizer.is_some();
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => tokenizer_of(&data, val.as_ref())?,
        };
        let (info, val_info) = (data.info.clone(), val.as_ref().map(|val| val.info.clone()));
        let whole = val.is_some();
        let (ids, cut, measured) = data.ids(&tokenizer, whole, given)?;
        let (val_ids, measured) = match val {
            Some(val) => {
                let (ids, _, measured) = val.ids(&tokenizer, whole, given)?;
                (Some(ids), measured)
            }
            None => (None, measured),
        };
        let Measured { chars_per_token, bytes_per_token, unknown } = measured;
        Ok(Corpus { info, val_info, tokenizer, ids, val_ids, cut, chars_per_token, bytes_per_token, unknown })
    }

    /// The training part and the validation part.
    pub(crate) fn parts(&self) -> (Part<'_>, Part<'_>) {
        let ids = self.ids.source();
        let val = match &self.val_ids {
            Some(val) => SourcePart::new(val.source(), 0..val.source().len()),
            None => SourcePart::new(ids, self.cut..ids.len()),
        };
        (SourcePart::new(ids, 0..self.cut), val)
    }
}

/// What a file holds, before it is encoded.
struct Content {
    info: DataInfo,
    kind: ContentKind,
}

enum ContentKind {
    Text(String),
    /// With its tokenizer.
    Tokens(Box<(TokenFile, Tokenizer)>),
}

/// Of the tokens of a validation part.
struct Measured {
    chars_per_token: f64,
    bytes_per_token: f64,
    unknown: f64,
}

impl Content {
    fn read(path: &Path, expected: Option<&DataInfo>) -> Result<Self, Failure> {
        if TokenFile::is_one(path) {
            return Self::of_token_file(path, expected).map_err(|e| e.about(path.display()));
        }
        let text = data::read_text(path).map_err(|error| no_text(path, error.into()))?;
        if expected.is_none() {
            tell_of_records(path);
        }
        Self::of_text(text, path.display().to_string(), sha256_of_file(path)?, expected)
    }

    fn of_text(
        text: String,
        path: String,
        sha256: String,
        expected: Option<&DataInfo>,
    ) -> Result<Self, Failure> {
        let info = DataInfo { path, sha256, bytes: text.len() as u64 };
        check_same(&info, expected)?;
        Ok(Self { info, kind: ContentKind::Text(text) })
    }

    /// Opens a file that `newleaf data pack` made, and checks every byte of it once.
    fn of_token_file(path: &Path, expected: Option<&DataInfo>) -> Result<Self, Failure> {
        let file = TokenFile::open(path)?;
        file.check(&mut |_, _| ())?;
        let info =
            DataInfo { path: path.display().to_string(), sha256: sha256_of_file(path)?, bytes: file.bytes() };
        check_same(&info, expected)?;
        let tokenizer = Tokenizer::from_json(file.tokenizer())?;
        if tokenizer.vocab_size() != file.vocab_size() {
            let (ours, its) = (tokenizer.vocab_size(), file.vocab_size());
            return Err(Failure::input(format!(
                "{}: a tokenizer of {ours} tokens for ids below {its}",
                info.path
            )));
        }
        Ok(Self { info, kind: ContentKind::Tokens(Box::new((file, tokenizer))) })
    }

    /// The tokens, how many of them are to train, and the lengths of those that are not; of all of them, if the file is one
    /// part as a whole. `given` says where the tokenizer is from, for the message if it does not fit.
    fn ids(self, tokenizer: &Tokenizer, whole: bool, given: bool) -> Result<(Ids, usize, Measured), Failure> {
        let path = self.info.path;
        let ids = match self.kind {
            ContentKind::Text(text) => ids_of_text(&text, tokenizer, whole, given),
            ContentKind::Tokens(both) => {
                let (file, its) = *both;
                ids_of_file(file, &its, tokenizer, whole)
            }
        };
        ids.map_err(|e| e.about(path))
    }
}

/// The tokenizer of a file of tokens, or that of all characters of the texts.
fn tokenizer_of(data: &Content, val: Option<&Content>) -> Result<Tokenizer, Failure> {
    let mut characters = String::new();
    for content in std::iter::once(data).chain(val) {
        match &content.kind {
            ContentKind::Tokens(both) => return Ok(both.1.clone()),
            ContentKind::Text(text) => {
                let found =
                    CharTokenizer::from_text(text).map_err(|e| Failure::from(e).about(&content.info.path))?;
                characters.extend(found.chars());
            }
        }
    }
    Ok(Tokenizer::Char(CharTokenizer::from_text(&characters)?))
}

/// The training part is the first 90 % of the characters, whatever the tokenizer.
fn ids_of_text(
    text: &str,
    tokenizer: &Tokenizer,
    whole: bool,
    given: bool,
) -> Result<(Ids, usize, Measured), Failure> {
    let encode = |part: &str| {
        CompactIds::encode(tokenizer, part).map_err(|error| match error {
            // Of the whole text, where their places are those of the file.
            DataError::UnknownCharacters(_) => {
                let failure = Failure::from(tokenizer.encode(text).err().unwrap_or(error));
                match given {
                    true => failure.and(
                        "the tokenizer is the one of --from, --tokenizer or the run, and stays as it is: take these \
                         characters out of the text, or begin a new model without it",
                    ),
                    false => failure,
                }
            }
            _ => error.into(),
        })
    };
    let (train, val) = if whole { (text, text) } else { train_val_split_text(text, 0.9)? };
    let mut ids = encode(train)?;
    let cut = ids.len();
    if !whole {
        ids.append(encode(val)?);
    }
    let measured = if whole { 0..cut } else { cut..ids.len() };
    let per_token = |n: usize| n as f64 / measured.len() as f64;
    let measured = Measured {
        chars_per_token: per_token(val.chars().count()),
        bytes_per_token: per_token(val.len()),
        unknown: share_of_unknown(tokenizer, &ids, measured.clone())?,
    };
    Ok((Ids::Memory(ids), cut, measured))
}

/// The training part is the first 90 % of the tokens; a file of several documents is cut between two of them.
fn ids_of_file(
    file: TokenFile,
    its: &Tokenizer,
    tokenizer: &Tokenizer,
    whole: bool,
) -> Result<(Ids, usize, Measured), Failure> {
    // A run adds the special tokens of its objective to those that the file knows.
    let specials: Vec<&str> = tokenizer.specials().into_iter().map(|(name, _)| name).collect();
    if its != tokenizer && its.clone().with_specials(&specials).ok().as_ref() != Some(tokenizer) {
        return Err(Failure::input(
            "its tokens are of another tokenizer than that of --tokenizer, --from or the other file; leave --tokenizer out, or \
             pack the text again with newleaf data pack --tokenizer",
        ));
    }
    let cut = match whole {
        true => file.len(),
        false => {
            let middle = cut(file.len(), 0.9)?;
            let start = file.document_start_before(middle)?;
            if start > 0 { start } else { middle }
        }
    };
    let first = if whole { 0 } else { cut };
    let mut ids = vec![0; (file.len() - first).min(MEASURED)];
    file.read(first, &mut ids)?;
    let text = tokenizer.decode(&ids)?;
    let per_token = |n: usize| n as f64 / ids.len() as f64;
    let measured = Measured {
        chars_per_token: per_token(text.chars().count()),
        bytes_per_token: per_token(text.len()),
        unknown: share_of_unknown(tokenizer, &file, first..first + ids.len())?,
    };
    Ok((Ids::File(file), cut, measured))
}

/// What else a file that is no text may be.
fn no_text(path: &Path, failure: Failure) -> Failure {
    match path.extension().is_some_and(|extension| extension == "bin") {
        true => failure.and(
            "ids without a header, as nanoGPT's train.bin, become a token file by: newleaf data pack --raw u16 \
             --tokenizer DIR --in INPUT --out OUTPUT",
        ),
        false => failure,
    }
}

/// The share of some tokens that stand for words which the tokenizer does not know.
fn share_of_unknown(
    tokenizer: &Tokenizer,
    ids: &dyn TokenSource,
    range: Range<usize>,
) -> Result<f64, DataError> {
    let Some(unknown) = tokenizer.unknown_id() else { return Ok(0.0) };
    let (mut count, mut read) = (0, vec![0; range.len().min(MEASURED)]);
    for start in range.clone().step_by(MEASURED) {
        let read = &mut read[..(range.end - start).min(MEASURED)];
        ids.read(start, read)?;
        count += read.iter().filter(|&&id| id == unknown).count();
    }
    Ok(count as f64 / range.len() as f64)
}

/// Says so where a file of records is trained on as it stands: the model would learn to write braces and field names.
fn tell_of_records(path: &Path) {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_lowercase();
    if ["csv", "tsv", "jsonl", "ndjson", "json"].contains(&&extension[..]) {
        let (from, to) = (path.display(), path.with_extension("txt"));
        let to = to.display();
        eprintln!(
            "note: {from} is read as it stands, names of fields and quotation marks included; for its texts alone: \
             newleaf clean --in {from} --out {to}, then train on {to}"
        );
    }
}

/// A run that goes on must find the text that it began with.
fn check_same(info: &DataInfo, expected: Option<&DataInfo>) -> Result<(), Failure> {
    match expected.filter(|expected| expected.sha256 != info.sha256) {
        Some(expected) => Err(Failure::input(format!(
            "{}: the run was begun with another text (sha256 {} of {} bytes, now {} of {})\n  \
             give that text with --data (or --val), or begin a new run",
            info.path, expected.sha256, expected.bytes, info.sha256, info.bytes
        ))),
        None => Ok(()),
    }
}
