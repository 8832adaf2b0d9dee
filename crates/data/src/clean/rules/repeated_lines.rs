//! Gopher's rule on repetition: fewer than 30 % of the lines were there before in the same document. Menus
//! and boilerplate repeat; texts hardly do.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use std::collections::HashSet;

struct RepeatedLines;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, RepeatedLines)
}

impl Rule for RepeatedLines {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let mut seen = HashSet::new();
        let (mut lines, mut repeated) = (0usize, 0usize);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            lines += 1;
            repeated += usize::from(!seen.insert(line));
        }
        Verdict::drop_if(repeated > 0 && 10 * repeated >= 3 * lines)
    }
}
