//! The `added_tokens` of the file: special tokens, and words that are one token each.

use super::invalid;
use crate::DataError;
use crate::tokenizer::added::Added;
use crate::tokenizer::specials::check_special_names;
use serde::{Deserialize, Serialize};

/// An added token. All but `id`, `content` and `special` say how the library finds it in texts; of special ones we never do.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::tokenizer) struct AddedToken {
    pub(in crate::tokenizer) id: u32,
    pub(in crate::tokenizer) content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    pub(super) normalized: bool,
    pub(super) special: bool,
}

impl AddedToken {
    /// One that the library finds wherever it stands, and after the special ones if it is none.
    pub(in crate::tokenizer) fn new(content: &str, id: u32, special: bool) -> AddedToken {
        let (single_word, lstrip, rstrip, normalized) = (false, false, false, !special);
        AddedToken { id, content: content.into(), single_word, lstrip, rstrip, normalized, special }
    }

    /// A special token.
    pub(super) fn special((content, id): (&str, u32)) -> AddedToken {
        AddedToken::new(content, id, true)
    }

    /// One that texts are cut at.
    pub(super) fn word(added: &Added) -> AddedToken {
        let normalized = added.normalized;
        AddedToken { normalized, ..AddedToken::new(&added.content, added.id, false) }
    }
}

/// Refuses added tokens that the library would treat in another way than we do.
pub(super) fn check_added(added: &[AddedToken]) -> Result<(), DataError> {
    let set = |added: &AddedToken| {
        let flags = [("single_word", added.single_word), ("lstrip", added.lstrip), ("rstrip", added.rstrip)];
        flags.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    };
    match added.iter().find_map(|added| Some((set(added)?, &added.content))) {
        Some((name, content)) => {
            Err(invalid(format!("the added token {content:?} has {name} true: only false is known here")))
        }
        None => Ok(()),
    }
}

/// The names of added tokens, which must be special and distinct, and have the next ids after a vocabulary of `vocab_size`.
pub(super) fn names_after(added: &[AddedToken], vocab_size: usize) -> Result<Vec<&str>, DataError> {
    let mut in_order: Vec<&AddedToken> = added.iter().collect();
    in_order.sort_by_key(|added| added.id);
    let is_next = |(expected, added): (usize, &&AddedToken)| {
        let (content, id) = (&added.content, added.id);
        if !added.special {
            let found =
                format!("the added token {content:?} is not special, which only byte-level BPE can have");
            return Err(invalid(found));
        }
        if id as usize != expected {
            return Err(invalid(format!("the added token {content:?} has the id {id}, expected {expected}")));
        }
        Ok(())
    };
    (vocab_size..).zip(&in_order).try_for_each(is_next)?;
    let names: Vec<&str> = in_order.into_iter().map(|added| added.content.as_str()).collect();
    check_special_names(&names).map_err(|error| invalid(error.to_string()))?;
    Ok(names)
}
