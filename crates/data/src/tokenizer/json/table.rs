//! The two large parts of a file, read without an allocation for each entry: a hostile file of 64 MiB must not
//! need many times its size.

use crate::tokenizer::tokens::MAX_TOKENS;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The pairs of a vocabulary, `"token": id`, in the order of the file. Not a map: of two equal keys a map
/// would silently keep one.
#[derive(Debug, Default)]
pub(in crate::tokenizer) struct Table {
    keys: String,
    entries: Vec<(u32, u32)>, // where the key ends, the id
}

impl Table {
    pub(in crate::tokenizer) fn push(&mut self, key: &str, id: u32) {
        self.keys.push_str(key);
        self.entries.push((self.keys.len() as u32, id)); // at most 64 MiB
    }

    pub(in crate::tokenizer) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        (0..self.entries.len()).map(|entry| self.get(entry))
    }

    fn get(&self, entry: usize) -> (&str, u32) {
        let (end, id) = self.entries[entry];
        let start = entry.checked_sub(1).map_or(0, |before| self.entries[before].0);
        (&self.keys[start as usize..end as usize], id)
    }

    /// The keys in the order of their ids, which must be 0 to n-1, each once.
    ///
    /// # Errors
    /// Which id is not, as part of a sentence.
    pub(in crate::tokenizer) fn in_order(&self) -> Result<Vec<&str>, String> {
        let n = self.entries.len();
        let mut entry_of = vec![None; n];
        for (entry, (key, id)) in self.iter().enumerate() {
            let Some(place) = entry_of.get_mut(id as usize) else {
                return Err(format!(
                    "the token {key:?} has the id {id}, but there are {n} tokens: ids must be 0 to n-1"
                ));
            };
            if let Some(other) = place.replace(entry) {
                let (other, _) = self.get(other);
                return Err(format!("the tokens {other:?} and {key:?} both have the id {id}"));
            }
        }
        Ok(entry_of.into_iter().flatten().map(|entry| self.get(entry).0).collect())
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (key, id) in self.iter() {
            map.serialize_entry(key, &id)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Table;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tokens to ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
                let mut table = Table::default();
                while let Some((Text(key), id)) = map.next_entry()? {
                    if table.entries.len() == MAX_TOKENS {
                        return Err(A::Error::custom(format!("more than {MAX_TOKENS} tokens")));
                    }
                    table.push(&key, id);
                }
                Ok(table)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// The merges in the order of the file, each as `"left right"`.
#[derive(Debug, Default)]
pub(in crate::tokenizer) struct MergeTable {
    text: String,
    ends: Vec<u32>,
}

impl MergeTable {
    pub(in crate::tokenizer) fn push(&mut self, left: &str, right: &str) {
        self.push_line(&[left, " ", right]);
    }

    pub(in crate::tokenizer) fn push_line(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.text.push_str(part));
        self.ends.push(self.text.len() as u32);
    }

    pub(in crate::tokenizer) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The merges as they are written: two tokens with a space between them, if all is well.
    pub(in crate::tokenizer) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start as usize..end as usize])
    }
}

/// In the notation `"left right"`, which all versions of the library read.
impl Serialize for MergeTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for merge in self.iter() {
            list.serialize_element(merge)?;
        }
        list.end()
    }
}

/// In either notation, `"left right"` or `["left", "right"]`.
impl<'de> Deserialize<'de> for MergeTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Merges;
        impl<'de> Visitor<'de> for Merges {
            type Value = MergeTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<MergeTable, A::Error> {
                let mut table = MergeTable::default();
                while list.next_element_seed(OneMerge(&mut table))?.is_some() {
                    if table.len() > MAX_TOKENS {
                        return Err(A::Error::custom(format!("more than {MAX_TOKENS} merges")));
                    }
                }
                Ok(table)
            }
        }
        deserializer.deserialize_seq(Merges)
    }
}

/// Reads one merge and appends it.
struct OneMerge<'t>(&'t mut MergeTable);

impl<'de> DeserializeSeed<'de> for OneMerge<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneMerge<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge, \"left right\" or [\"left\", \"right\"]")
    }

    fn visit_str<E: Error>(self, merge: &str) -> Result<(), E> {
        self.0.push_line(&[merge]);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        let mut part = |n| parts.next_element()?.ok_or_else(|| A::Error::invalid_length(n, &"two tokens"));
        let (Text(left), Text(right)) = (part(0)?, part(1)?);
        if parts.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::invalid_length(3, &"two tokens"));
        }
        self.0.push(&left, &right);
        Ok(())
    }
}

/// A string, borrowed from the file where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
