//! `tokenizer.json`: the file in which Hugging Face's `tokenizers` library keeps a tokenizer.
//!
//! Each kind is written so that the library loads the file and gives the same ids; check_tokenizer.py
//! in tests/ proves it. Reading is strict: of the many things such a file can say, only what is written
//! here is understood, and anything else is an error rather than wrong ids.

mod added;
mod byte_level;
mod char;
mod error;
mod outline;
mod table;

pub(super) use added::AddedToken;
pub(super) use byte_level::Unlisted;
pub(super) use error::{MAX_BYTES, shortened};
pub(super) use table::{MergeTable, Table};

use super::{KINDS, Tokenizer};
use crate::DataError;
use error::invalid;
use outline::Outline;
use serde::Serializer;
use serde::de::IgnoredAny;

impl Tokenizer {
    /// The contents of a `tokenizer.json` for this tokenizer.
    pub fn to_json(&self) -> String {
        self.coding().to_json()
    }

    /// The tokenizer in the contents of a `tokenizer.json`: one that newleaf wrote, or a byte-level BPE
    /// in GPT-2's manner that Hugging Face's libraries wrote.
    ///
    /// # Errors
    /// If the text is not JSON, larger than 64 MiB, damaged, or a tokenizer with anything that would
    /// make its ids differ from ours: [`DataError::OtherTokenizer`], if it is one of another family of models.
    pub fn from_json(json: &str) -> Result<Tokenizer, DataError> {
        let outline = Outline::read(json)?;
        let pre = outline.pre_tokenizer();
        match KINDS.iter().find(|kind| (kind.reads)(outline.model(), pre.as_deref())) {
            Some(kind) => (kind.from_json)(json),
            None => Err(outline.other_model()),
        }
    }
}

/// Writes what is always `null` here; read as `Option<IgnoredAny>`, which remembers only whether it was.
fn null<S: Serializer>(_: &Option<IgnoredAny>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_none()
}
