//! Special tokens: the `added_tokens` of the file.

use super::invalid;
use crate::DataError;
use crate::tokenizer::specials::check_special_names;
use serde::{Deserialize, Serialize};

/// A special token. All but `id` and `content` say how the library finds it in texts, which we never do.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl AddedToken {
    pub(super) fn new((content, id): (&str, u32)) -> AddedToken {
        AddedToken {
            id,
            content: content.into(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
        }
    }
}

/// Refuses added tokens that the library would treat in another way than we do.
pub(super) fn check_added(added: &[AddedToken]) -> Result<(), DataError> {
    match added.iter().find(|added| !added.special || added.single_word || added.lstrip || added.rstrip) {
        Some(added) => Err(invalid(format!(
            "the added token {:?} is not a plain special token (special true; single_word, lstrip and rstrip false)",
            added.content
        ))),
        None => Ok(()),
    }
}

/// The names of added tokens, which must be distinct and have the next ids after a vocabulary of `vocab_size`.
pub(super) fn names_after(added: &[AddedToken], vocab_size: usize) -> Result<Vec<&str>, DataError> {
    let mut in_order: Vec<&AddedToken> = added.iter().collect();
    in_order.sort_by_key(|added| added.id);
    let is_next = |(expected, added): (usize, &&AddedToken)| {
        if added.id as usize != expected {
            let (content, id) = (&added.content, added.id);
            return Err(invalid(format!("the added token {content:?} has the id {id}, expected {expected}")));
        }
        Ok(())
    };
    (vocab_size..).zip(&in_order).try_for_each(is_next)?;
    let names: Vec<&str> = in_order.into_iter().map(|added| added.content.as_str()).collect();
    check_special_names(&names).map_err(|error| invalid(error.to_string()))?;
    Ok(names)
}
