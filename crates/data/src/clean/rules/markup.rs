//! HTML to text, for documents whose text is a page: a column of a table, a field of an object.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::html::html_to_text;

struct Markup;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Markup)
}

impl Rule for Markup {
    fn apply(&mut self, text: &mut String) -> Verdict {
        if !text.contains(['<', '&']) {
            return Verdict::Unchanged;
        }
        let plain = html_to_text(text);
        Verdict::replaced(text, plain)
    }
}
