//! Word tokenizers and byte-level BPE. Both have Hugging Face's `ByteLevel` step before them, which is GPT-2's
//! cutting into pieces and its alphabet for bytes, and the same step for decoding.

use super::added::{AddedToken, check_added, names_after};
use super::{MergeTable, Outline, Table, invalid, null};
use crate::DataError;
use crate::tokenizer::added::{Added, AddedTokens};
use crate::tokenizer::bpe::{BpeTokenizer, Merge, WrongTables};
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::tokens::{MAX_TOKENS, Tokens};
use crate::tokenizer::word::WordTokenizer;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The file. `Option<IgnoredAny>` is for what is `null` in ours: [`Outline`] has looked at it, or it changes no id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<M> {
    version: String,
    #[serde(serialize_with = "null")]
    truncation: Option<IgnoredAny>,
    #[serde(serialize_with = "null")]
    padding: Option<IgnoredAny>,
    added_tokens: Vec<AddedToken>,
    #[serde(serialize_with = "null")]
    normalizer: Option<IgnoredAny>,
    pre_tokenizer: ByteLevel,
    #[serde(serialize_with = "null")]
    post_processor: Option<IgnoredAny>,
    decoder: ByteLevel,
    model: M,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByteLevel {
    #[serde(rename = "type")]
    kind: String,
    add_prefix_space: bool,
    trim_offsets: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

impl ByteLevel {
    fn new(add_prefix_space: bool) -> Self {
        ByteLevel { kind: "ByteLevel".into(), add_prefix_space, trim_offsets: true, use_regex: true }
    }
}

impl<M> File<M> {
    fn new(added_tokens: Vec<AddedToken>, model: M) -> Self {
        File {
            version: "1.0".into(),
            truncation: None,
            padding: None,
            added_tokens,
            normalizer: None,
            pre_tokenizer: ByteLevel::new(false),
            post_processor: None,
            decoder: ByteLevel::new(true),
            model,
        }
    }

    fn write(&self) -> String
    where
        M: Serialize,
    {
        serde_json::to_string_pretty(self).expect("strings, numbers and maps with string keys are valid JSON")
    }

    fn read(json: &str) -> Result<Self, DataError>
    where
        M: DeserializeOwned,
    {
        Outline::read(json)?.check_byte_level()?;
        let file: File<M> = serde_json::from_str(json).map_err(|e| invalid(e.to_string()))?;
        file.check()?;
        Ok(file)
    }

    /// Refuses whatever would make the ids differ from those of GPT-2's pieces.
    fn check(&self) -> Result<(), DataError> {
        let pre = &self.pre_tokenizer;
        let found = [
            ("pre_tokenizer.add_prefix_space is true", pre.add_prefix_space),
            ("pre_tokenizer.use_regex is false", !pre.use_regex),
        ];
        if let Some((what, _)) = found.into_iter().find(|&(_, is_so)| is_so) {
            return Err(invalid(what.into()));
        }
        if self.version != "1.0" {
            return Err(invalid(format!("version is {:?}, expected \"1.0\"", self.version)));
        }
        check_added(&self.added_tokens)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WordModel {
    #[serde(rename = "type")]
    kind: String,
    vocab: Table,
    unk_token: String,
}

impl WordTokenizer {
    /// The contents of a `tokenizer.json` for this tokenizer.
    pub fn to_json(&self) -> String {
        let mut vocab = Table::default();
        for (id, token) in (0..).zip(self.words()) {
            vocab.push(&byte_alphabet::to_chars(token), id);
        }
        let kind = "WordLevel".into();
        let added = self.specials().map(AddedToken::special).collect();
        File::new(added, WordModel { kind, vocab, unk_token: Self::UNKNOWN.into() }).write()
    }

    /// The tokenizer in the contents of a `tokenizer.json` made by [`WordTokenizer::to_json`].
    ///
    /// # Errors
    /// If the text is not JSON, larger than 64 MiB, another kind of tokenizer, or damaged.
    pub fn from_json(json: &str) -> Result<WordTokenizer, DataError> {
        let file: File<WordModel> = File::read(json)?;
        let WordModel { kind, vocab, unk_token } = &file.model;
        if kind != "WordLevel" || unk_token != Self::UNKNOWN {
            return Err(invalid(format!(
                "a {kind} model with the unknown token {unk_token:?} is no word tokenizer of newleaf's"
            )));
        }
        let words = vocab.in_order().map_err(invalid)?;
        if words.first() != Some(&Self::UNKNOWN) || words.len() < 2 {
            return Err(invalid(format!("expected {:?} with the id 0 and at least one word", Self::UNKNOWN)));
        }
        let bytes: Result<Vec<_>, _> = words.into_iter().map(token_bytes).collect();
        let bytes = bytes.map_err(invalid)?;
        if let Some(word) = bytes.iter().find(|word| std::str::from_utf8(word).is_err()) {
            return Err(invalid(format!("the word {:?} is not UTF-8", byte_alphabet::to_chars(word))));
        }
        let mut tokenizer = WordTokenizer::new(bytes.into_iter().collect()).map_err(invalid)?;
        for name in names_after(&file.added_tokens, tokenizer.vocab_size())? {
            tokenizer.add_special(name).map_err(|error| invalid(error.to_string()))?;
        }
        Ok(tokenizer)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BpeModel {
    /// Files of before `tokenizers` 0.9, such as GPT-2's own, do not say it.
    #[serde(rename = "type", default = "bpe")]
    kind: String,
    dropout: Option<f64>,
    /// Without meaning where all bytes are tokens.
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: Table,
    merges: MergeTable,
}

fn bpe() -> String {
    "BPE".into()
}

impl BpeModel {
    fn check(&self) -> Result<(), DataError> {
        let is_text = |field: &Option<String>| field.as_ref().is_some_and(|text| !text.is_empty());
        let found = [
            ("model.dropout is set", self.dropout.is_some_and(|p| p != 0.0)),
            ("model.continuing_subword_prefix is set", is_text(&self.continuing_subword_prefix)),
            ("model.end_of_word_suffix is set", is_text(&self.end_of_word_suffix)),
            ("model.byte_fallback is true", self.byte_fallback),
            ("model.ignore_merges is true", self.ignore_merges),
            ("model.type is not \"BPE\"", self.kind != "BPE"),
        ];
        match found.into_iter().find(|&(_, is_so)| is_so) {
            Some((what, _)) => Err(invalid(what.into())),
            None => Ok(()),
        }
    }
}

impl BpeTokenizer {
    /// The contents of a `tokenizer.json` for this tokenizer.
    pub fn to_json(&self) -> String {
        let (vocab, merges) = self.tables();
        let model = BpeModel {
            kind: bpe(),
            dropout: None,
            unk_token: None,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab,
            merges,
        };
        let words = self.added().iter().map(AddedToken::word);
        let mut added: Vec<AddedToken> = self.specials().map(AddedToken::special).chain(words).collect();
        added.sort_by_key(|added| added.id); // the library's order
        File::new(added, model).write()
    }

    /// The tokenizer in the contents of a `tokenizer.json` of a byte-level BPE as GPT-2's.
    ///
    /// # Errors
    /// If the text is not JSON, larger than 64 MiB, damaged, or a tokenizer with anything that would
    /// make its ids differ from ours.
    pub fn from_json(json: &str) -> Result<BpeTokenizer, DataError> {
        let file: File<BpeModel> = File::read(json)?;
        file.model.check()?;
        BpeTokenizer::from_tables(
            file.model.vocab,
            &file.model.merges,
            &file.added_tokens,
            Unlisted::Ordinary,
        )
        .map_err(|wrong| invalid(wrong.found))
    }

    /// The vocabulary and the merges in the alphabet for bytes; special and added tokens are as they are.
    pub(in crate::tokenizer) fn tables(&self) -> (Table, MergeTable) {
        let mut names: HashMap<u32, &str> = self.specials().map(|(name, id)| (id, name)).collect();
        names.extend(self.added().iter().map(|added| (added.id, added.content.as_str())));
        let chars = |id: u32| byte_alphabet::to_chars(self.token_bytes(id).unwrap_or_default());
        let mut vocab = Table::default();
        for id in 0..self.vocab_size() as u32 {
            match names.get(&id) {
                Some(name) => vocab.push(name, id),
                None => vocab.push(&chars(id), id),
            }
        }
        let mut merges = MergeTable::default();
        for merge in self.merges() {
            merges.push(&chars(merge.left), &chars(merge.right));
        }
        (vocab, merges)
    }

    /// The tokenizer of a vocabulary and merges, and of the tokens that were added to them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(in crate::tokenizer) fn from_tables(
        mut vocab: Table,
        merges: &MergeTable,
        added: &[AddedToken],
        unlisted: Unlisted,
    ) -> Result<BpeTokenizer, WrongTables> {
        add_missing(&mut vocab, added)?;
        let words: Vec<&AddedToken> = added.iter().filter(|added| !added.special).collect();
        let mut special: Vec<u32> =
            added.iter().filter(|added| added.special).map(|added| added.id).collect();
        let unreachable = match (unlisted, words.is_empty()) {
            (Unlisted::Ordinary, true) => Vec::new(), // nobody asks
            _ => unreachable_tokens(&vocab, merges),
        };
        let of_bpe = |id: u32| unreachable.binary_search(&id).is_err();
        if unlisted == Unlisted::SpecialIfUnreachable {
            let is_word = |id: &&u32| words.iter().any(|word| word.id == **id);
            special.extend(unreachable.iter().filter(|id| !is_word(id)));
        }
        special.sort_unstable();
        special.dedup();
        let words = words.into_iter().map(|word| {
            let (id, content, normalized) = (word.id, word.content.clone(), word.normalized);
            Added { id, content, normalized, of_bpe: of_bpe(id) }
        });
        let words = AddedTokens::new(words.collect())?;
        let mut tokens = Tokens::default();
        let mut ids: HashMap<&str, u32> = HashMap::new();
        for (id, key) in (0..).zip(vocab.in_order()?) {
            if special.binary_search(&id).is_ok() || !words.of_bpe(id) {
                tokens.push(key.as_bytes());
                continue;
            }
            tokens.push(&token_bytes(key)?);
            if ids.insert(key, id).is_some() {
                return Err(format!("the token {key:?} is there twice").into());
            }
        }
        let numbered =
            |(rank, line)| merge(line, &ids).map_err(|found| WrongTables { found, merge: Some(rank) });
        let merges: Result<_, _> = merges.iter().enumerate().map(numbered).collect();
        BpeTokenizer::new(tokens, merges?, special, words)
    }
}

/// What tokens are that nobody lists as added ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::tokenizer) enum Unlisted {
    /// Ordinary.
    Ordinary,
    /// Special if they are neither a byte nor the product of a merge: no text gives them. (GPT-2's files name
    /// none, but `<|endoftext|>` is among its tokens.)
    SpecialIfUnreachable,
}

/// Adds the tokens that the vocabulary does not have.
fn add_missing(vocab: &mut Table, added: &[AddedToken]) -> Result<(), String> {
    let mut ids: Vec<u32> = added.iter().map(|added| added.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|two| two[0] == two[1]) {
        return Err("two added tokens have the same id".into());
    }
    let mut missing: HashMap<&str, u32> = added.iter().map(|a| (a.content.as_str(), a.id)).collect();
    if missing.len() != added.len() {
        return Err("an added token is there twice".into());
    }
    for (key, id) in vocab.iter() {
        if let Some(expected) = missing.remove(key).filter(|&expected| expected != id) {
            return Err(format!("the added token {key:?} has the id {expected}, but {id} in the vocabulary"));
        }
    }
    if vocab.iter().count() + missing.len() > MAX_TOKENS {
        return Err(format!("more than {MAX_TOKENS} tokens"));
    }
    for (name, id) in missing {
        vocab.push(name, id);
    }
    Ok(())
}

fn unreachable_tokens(vocab: &Table, merges: &MergeTable) -> Vec<u32> {
    let products: std::collections::HashSet<String> =
        merges.iter().map(|line| line.replacen(' ', "", 1)).collect();
    let is_byte = |key: &str| byte_alphabet::to_bytes(key).is_some_and(|bytes| bytes.len() == 1);
    let unreachable = vocab.iter().filter(|&(key, _)| !is_byte(key) && !products.contains(key));
    let mut ids: Vec<u32> = unreachable.map(|(_, id)| id).collect();
    ids.sort_unstable();
    ids
}

/// The bytes of a token that is written in the alphabet for bytes.
fn token_bytes(key: &str) -> Result<Vec<u8>, String> {
    match byte_alphabet::to_bytes(key) {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(format!("the token {key:?} is not written in GPT-2's alphabet for bytes")),
    }
}

/// One merge; its parts and its product must be tokens.
fn merge(line: &str, ids: &HashMap<&str, u32>) -> Result<Merge, String> {
    let id = |token: &str| {
        let unknown = || {
            format!(
                "the merge {line:?} needs the token {token:?}, which is no ordinary token of the vocabulary"
            )
        };
        ids.get(token).copied().ok_or_else(unknown)
    };
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok(Merge { left: id(left)?, right: id(right)?, product: id(&[left, right].concat())? })
        }
        _ => Err(format!("the merge {line:?} is not two tokens with a space between them")),
    }
}
