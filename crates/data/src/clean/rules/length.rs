//! Documents that are too short. Gopher wants 50 words; a review or a verse has fewer, so the number is a
//! setting and the rule is not among the filters that are applied together.

use super::{Rule, Verdict, wrong_setting};
use crate::DataError;
use crate::clean::script::count_words;

struct TooShort {
    fewest: usize,
}

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    let fewest = if setting.is_empty() { Ok(50) } else { setting.parse() };
    let fewest = fewest.map_err(|_| wrong_setting(setting, "a number of words, as in too-short:50"))?;
    Ok(Box::new(TooShort { fewest }))
}

impl Rule for TooShort {
    fn apply(&mut self, text: &mut String) -> Verdict {
        Verdict::drop_if(count_words(text) < self.fewest)
    }
}
