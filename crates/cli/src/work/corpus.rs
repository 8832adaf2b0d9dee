//! What a model is trained on: a text or a token file, with its tokenizer, in two parts.

use crate::screen::failure::Failure;
use data::dataset::{SourcePart, TokenFile, TokenSource, cut, train_val_split_text};
use data::{CharTokenizer, Tokenizer};
use gpt::card::sha256_of_file;
use gpt::files::store::sha256;
use gpt::run_dir::DataInfo;
use std::path::{Path, PathBuf};

/// The text that ships inside, and its name.
const STORIES: (&str, &str) = ("stories-en", include_str!("../../../../datasets/stories-en.txt"));

/// Tokens of a token file's validation part that are decoded to know how long its tokens are.
const MEASURED: usize = 1 << 20;

/// The tokens of a run.
pub(crate) struct Corpus {
    pub(crate) info: DataInfo,
    pub(crate) tokenizer: Tokenizer,
    ids: Ids,
    /// Training tokens; the others are for validation.
    cut: usize,
    /// The length of a token of the validation part: with it a loss becomes bits a character and bits a byte.
    pub(crate) chars_per_token: f64,
    pub(crate) bytes_per_token: f64,
    /// The share of the validation part's tokens that stand for words which the tokenizer does not know.
    pub(crate) unknown: f64,
}

/// In memory, or in a file from which only windows are read.
enum Ids {
    Memory(Vec<u32>),
    File(TokenFile),
}

/// A part of the tokens.
pub(crate) type Part<'a> = SourcePart<'a, dyn TokenSource + 'a>;

impl Corpus {
    /// Reads the text of a run: a file, or without one the stories that ship inside. A run that goes on must find
    /// the text that it began with, `expected`. Without a tokenizer the characters of the text are the tokens.
    pub(crate) fn open(
        path: Option<&Path>,
        expected: Option<&DataInfo>,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Corpus, Failure> {
        let inside = format!("{} (ships inside)", STORIES.0);
        let path = match (path, expected) {
            (Some(path), _) => Some(path.to_path_buf()),
            (None, Some(info)) if info.path != inside => Some(PathBuf::from(&info.path)),
            _ => None,
        };
        if let Some(path) = path.as_ref().filter(|path| TokenFile::is_one(path)) {
            return Self::of_token_file(path, expected, tokenizer).map_err(|e| e.about(path.display()));
        }
        let text = match &path {
            Some(path) => data::read_text(path).map_err(|error| no_text(path, error.into()))?,
            None => STORIES.1.to_string(),
        };
        if let Some(path) = path.as_ref().filter(|_| expected.is_none()) {
            tell_of_records(path);
        }
        let sha256 = match &path {
            Some(path) => sha256_of_file(path)?,
            None => sha256(STORIES.1.as_bytes()),
        };
        let path = path.map_or(inside, |path| path.display().to_string());
        let info = DataInfo { path, sha256, bytes: text.len() as u64 };
        check_same(&info, expected)?;
        let path = info.path.clone();
        Self::of_text(&text, info, tokenizer).map_err(|e| e.about(path))
    }

    /// The training part is the first 90 % of the characters, whatever the tokenizer.
    fn of_text(text: &str, info: DataInfo, tokenizer: Option<Tokenizer>) -> Result<Corpus, Failure> {
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => Tokenizer::Char(CharTokenizer::from_text(text)?),
        };
        let (train, val) = train_val_split_text(text, 0.9)?;
        let mut ids = tokenizer.encode(train)?;
        let cut = ids.len();
        ids.extend(tokenizer.encode(val)?);
        let per_token = |n: usize| n as f64 / (ids.len() - cut) as f64;
        let (chars_per_token, bytes_per_token) = (per_token(val.chars().count()), per_token(val.len()));
        let unknown = share_of_unknown(&tokenizer, &ids[cut..]);
        Ok(Corpus { info, tokenizer, ids: Ids::Memory(ids), cut, chars_per_token, bytes_per_token, unknown })
    }

    /// Opens a file that `newleaf data pack` made, and checks every byte of it once. The training part is the first
    /// 90 % of the tokens; a file of several documents is cut between two of them.
    fn of_token_file(
        path: &Path,
        expected: Option<&DataInfo>,
        given: Option<Tokenizer>,
    ) -> Result<Corpus, Failure> {
        let file = TokenFile::open(path)?;
        file.check(&mut |_, _| ())?;
        let sha256 = sha256_of_file(path)?;
        let info = DataInfo { path: path.display().to_string(), sha256, bytes: file.bytes() };
        check_same(&info, expected)?;
        let tokenizer = Tokenizer::from_json(file.tokenizer())?;
        if given.is_some_and(|given| given != tokenizer) {
            return Err(Failure::input(format!(
                "{}: its tokens are of another tokenizer than --tokenizer; leave --tokenizer out",
                info.path
            )));
        }
        if tokenizer.vocab_size() != file.vocab_size() {
            let (ours, its) = (tokenizer.vocab_size(), file.vocab_size());
            return Err(Failure::input(format!(
                "{}: a tokenizer of {ours} tokens for ids below {its}",
                info.path
            )));
        }
        let middle = cut(file.len(), 0.9)?;
        let start = file.document_start_before(middle)?;
        let cut = if start > 0 { start } else { middle };
        let mut ids = vec![0; (file.len() - cut).min(MEASURED)];
        file.read(cut, &mut ids)?;
        let text = tokenizer.decode(&ids)?;
        let per_token = |n: usize| n as f64 / ids.len() as f64;
        let (chars_per_token, bytes_per_token) = (per_token(text.chars().count()), per_token(text.len()));
        let unknown = share_of_unknown(&tokenizer, &ids);
        Ok(Corpus { info, tokenizer, ids: Ids::File(file), cut, chars_per_token, bytes_per_token, unknown })
    }

    /// The training part and the validation part.
    pub(crate) fn parts(&self) -> (Part<'_>, Part<'_>) {
        let ids: &dyn TokenSource = match &self.ids {
            Ids::Memory(ids) => ids,
            Ids::File(file) => file,
        };
        (SourcePart::new(ids, 0..self.cut), SourcePart::new(ids, self.cut..ids.len()))
    }
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

fn share_of_unknown(tokenizer: &Tokenizer, ids: &[u32]) -> f64 {
    let unknown = tokenizer.unknown_id();
    ids.iter().filter(|&&id| Some(id) == unknown).count() as f64 / ids.len() as f64
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
             give that text with --data, or begin a new run",
            info.path, expected.sha256, expected.bytes, info.sha256, info.bytes
        ))),
        None => Ok(()),
    }
}
