//! Long numbers to `[NUMBER]`: identity cards, bank cards, accounts, order numbers.
//!
//! A run of 9 digits and more, or four to five groups of 4 (a bank card). Years, dates, prices and what
//! stands behind a decimal point stay.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::clean::numbers;
use std::ops::Range;

struct Number;

/// Digits from which a number is long.
const LONG: usize = 9;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Number)
}

impl Rule for Number {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let masked = numbers::mask(text, "[NUMBER]", |number| find_all(&number.groups));
        if masked { Verdict::Changed } else { Verdict::Unchanged }
    }
}

fn find_all(groups: &[String]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < groups.len() {
        let fours = groups[start..].iter().take(5).take_while(|group| group.len() == 4).count();
        let length = match fours {
            4.. => fours,
            _ => usize::from(groups[start].len() >= LONG),
        };
        if length > 0 {
            found.push(start..start + length);
        }
        start += length.max(1);
    }
    found
}
