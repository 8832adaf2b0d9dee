//! Telephone numbers to `[PHONE]`.
//!
//! | written | taken for a number if |
//! |---|---|
//! | `+49 30 1234567` | a plus and 8 to 15 digits (ITU E.164) |
//! | `13800138000`, `138-0013-8000`, `86 138 0013 8000` | a Chinese mobile: 11 digits, 1 and then 3 to 9 |
//! | `010-88886666`, `(0755) 8888 6666` | a Chinese landline: 0 and 2 or 3 digits, then 7 or 8 |
//! | `400-800-8888` | a Chinese service number: 400 or 800, then 7 |
//! | `555-010-9999`, `(555) 010-9999` | a North American number: groups of 3, 3, 4 |

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::clean::numbers;
use std::ops::Range;

struct Phone;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Phone)
}

impl Rule for Phone {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let masked = numbers::mask(text, "[PHONE]", |number| find_all(&number.groups, number.plus));
        if masked { Verdict::Changed } else { Verdict::Unchanged }
    }
}

/// The runs of groups that are telephone numbers, the longest first that begin at a group.
fn find_all(groups: &[String], plus: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < groups.len() {
        // At most six groups: +49 30 12 34 56 78.
        let longest = groups.len().min(start + numbers::LOOKED_AT);
        let is_number = |end: &usize| {
            let run = &groups[start..*end];
            let digits: usize = run.iter().map(String::len).sum();
            (plus && start == 0 && (8..=15).contains(&digits) && !is_date(run)) || is_phone(run)
        };
        match (start + 1..=longest).rev().find(is_number) {
            Some(end) => {
                found.push(start..end);
                start = end;
            }
            None => start += 1,
        }
    }
    found
}

/// Returns true for year, month and day in one, as in +20240101.
fn is_date(groups: &[String]) -> bool {
    let [day] = groups else { return false };
    let number = |part: std::ops::Range<usize>| day.get(part).and_then(|digits| digits.parse::<u32>().ok());
    day.len() == 8
        && number(0..4).is_some_and(|year| (1900..2100).contains(&year))
        && number(4..6).is_some_and(|month| (1..=12).contains(&month))
        && number(6..8).is_some_and(|day| (1..=31).contains(&day))
}

fn is_phone(groups: &[String]) -> bool {
    let digits = groups.concat();
    let bytes = digits.as_bytes();
    let lengths: Vec<usize> = groups.iter().map(String::len).collect();
    let country = if digits.starts_with("86") && digits.len() > 11 { 2 } else { 0 };
    let mobile = &bytes[country..];
    // Groups of three are thousands: 18 000 000 000.
    let thousands = groups.len() > 2 && lengths[1..].iter().all(|&length| length == 3);
    let is_mobile =
        mobile.len() == 11 && mobile[0] == b'1' && (b'3'..=b'9').contains(&mobile[1]) && !thousands;
    let area = lengths[0];
    let is_landline = groups.len() > 1
        && bytes[0] == b'0'
        && bytes[1] != b'0'
        && (3..=4).contains(&area)
        && (7..=8).contains(&(digits.len() - area));
    let is_service = groups.len() > 1 && digits.len() == 10 && ["400", "800"].contains(&&digits[..3]);
    let is_american = lengths == [3, 3, 4] || (lengths == [1, 3, 3, 4] && bytes[0] == b'1');
    is_mobile || is_landline || is_service || is_american
}
