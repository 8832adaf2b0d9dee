//! Character tokenizers: a `WordLevel` model (a table of whole words), with a `Split` step before it that makes
//! every character a word and a `Fuse` step after decoding that joins characters without spaces.

use super::added::{AddedToken, check_added, names_after};
use super::error::invalid;
use super::{Outline, null};
use crate::{CharTokenizer, DataError};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Any character, line ends included. (The library's regex engine, Oniguruma, has no `(?s).`.)
const ANY_CHARACTER: &str = r"[\s\S]";

/// The library requires a name for the token of unknown words. It is not in the vocabulary, so that
/// an unknown character is an error there as it is here.
const UNKNOWN: &str = "<unk>";

impl CharTokenizer {
    /// The contents of a `tokenizer.json` for this tokenizer.
    pub fn to_json(&self) -> String {
        let file = File {
            version: "1.0".into(),
            truncation: None,
            padding: None,
            added_tokens: self.specials().map(AddedToken::special).collect(),
            normalizer: None,
            pre_tokenizer: PreTokenizer {
                kind: "Split".into(),
                pattern: Pattern { regex: ANY_CHARACTER.into() },
                behavior: "Isolated".into(),
                invert: false,
            },
            post_processor: None,
            decoder: Decoder { kind: "Fuse".into() },
            model: Model {
                kind: "WordLevel".into(),
                vocab: Vocab(self.chars().iter().map(char::to_string).zip(0..).collect()),
                unk_token: UNKNOWN.into(),
            },
        };
        serde_json::to_string_pretty(&file)
            .expect("strings, numbers and maps with string keys are valid JSON")
    }

    /// The tokenizer in the contents of a `tokenizer.json` made by [`CharTokenizer::to_json`].
    ///
    /// # Errors
    /// If the text is not JSON, larger than 64 MiB, another kind of tokenizer, or a vocabulary that
    /// is not one character a token with the ids 0 to n-1.
    ///
    /// ```
    /// use data::CharTokenizer;
    /// let tokenizer = CharTokenizer::from_text("hello")?;
    /// assert_eq!(CharTokenizer::from_json(&tokenizer.to_json())?, tokenizer);
    /// # Ok::<(), data::DataError>(())
    /// ```
    pub fn from_json(json: &str) -> Result<CharTokenizer, DataError> {
        let outline = Outline::read(json)?;
        if outline.model() != "WordLevel" {
            return Err(invalid(format!("the model is of type {:?}", outline.model())));
        }
        let file: File = serde_json::from_str(json).map_err(|e| invalid(e.to_string()))?;
        file.check()?;
        let mut tokenizer = CharTokenizer::from_chars(file.model.vocab.into_chars()?)?;
        for name in names_after(&file.added_tokens, tokenizer.vocab_size())? {
            tokenizer.add_special(name).map_err(|error| invalid(error.to_string()))?;
        }
        Ok(tokenizer)
    }
}

/// The file. `Option<IgnoredAny>` is for what must be `null`, or changes no id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    #[serde(serialize_with = "null")]
    truncation: Option<IgnoredAny>,
    #[serde(serialize_with = "null")]
    padding: Option<IgnoredAny>,
    added_tokens: Vec<AddedToken>,
    #[serde(serialize_with = "null")]
    normalizer: Option<IgnoredAny>,
    pre_tokenizer: PreTokenizer,
    #[serde(serialize_with = "null")]
    post_processor: Option<IgnoredAny>,
    decoder: Decoder,
    model: Model,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreTokenizer {
    #[serde(rename = "type")]
    kind: String,
    pattern: Pattern,
    behavior: String,
    invert: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    #[serde(rename = "Regex")]
    regex: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decoder {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    #[serde(rename = "type")]
    kind: String,
    vocab: Vocab,
    unk_token: String,
}

/// The pairs of the vocabulary in the order of the file. Not a map: of two equal keys a map would
/// silently keep one.
struct Vocab(Vec<(String, u32)>);

impl File {
    /// Refuses whatever would make the ids differ from those of a plain character table.
    fn check(&self) -> Result<(), DataError> {
        let pre = &self.pre_tokenizer;
        let absent = [
            ("normalizer", self.normalizer.is_none()),
            ("post_processor", self.post_processor.is_none()),
            ("pre_tokenizer.invert", !pre.invert),
        ];
        if let Some((name, _)) = absent.into_iter().find(|&(_, is_absent)| !is_absent) {
            return Err(invalid(format!("{name} is set")));
        }
        let fixed = [
            ("version", &self.version, "1.0"),
            ("pre_tokenizer.type", &pre.kind, "Split"),
            ("pre_tokenizer.pattern.Regex", &pre.pattern.regex, ANY_CHARACTER),
            ("pre_tokenizer.behavior", &pre.behavior, "Isolated"),
            ("decoder.type", &self.decoder.kind, "Fuse"),
            ("model.unk_token", &self.model.unk_token, UNKNOWN),
        ];
        match fixed.into_iter().find(|(_, found, expected)| found != expected) {
            Some((name, found, expected)) => {
                Err(invalid(format!("{name} is {found:?}, expected {expected:?}")))
            }
            None => check_added(&self.added_tokens),
        }
    }
}

impl Vocab {
    /// The characters in the order of their ids, which must be 0 to n-1, each once.
    fn into_chars(self) -> Result<Vec<char>, DataError> {
        let n = self.0.len();
        let mut chars = vec![None; n];
        for (token, id) in &self.0 {
            let mut all = token.chars();
            let (Some(c), None) = (all.next(), all.next()) else {
                return Err(invalid(format!("the token {token:?} (id {id}) is not one character")));
            };
            let Some(place) = chars.get_mut(*id as usize) else {
                return Err(invalid(format!(
                    "the token {token:?} has the id {id}, but there are {n} tokens"
                )));
            };
            if let Some(other) = place.replace(c) {
                return Err(invalid(format!("the tokens {other:?} and {c:?} both have the id {id}")));
            }
        }
        let mut sorted = chars.clone();
        sorted.sort_unstable();
        if let Some([Some(c), _]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(format!("the token {c:?} is there twice")));
        }
        // n different ids below n: every place is taken.
        Ok(chars.into_iter().flatten().collect())
    }
}

impl Serialize for Vocab {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (token, id) in &self.0 {
            map.serialize_entry(token, id)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Vocab, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vocab;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tokens to ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Vocab(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
