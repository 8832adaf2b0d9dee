//! The registry of rules, in the order in which they are applied.
//!
//! The order matters in three places. Control characters go before NFKC, since a zero-width character can
//! keep two characters apart that NFKC joins. White space comes after NFKC, which makes spaces of other
//! characters. Duplicates come last, so that they are found among what is kept, as it is kept.

use super::rule::{MEGABYTES, Rule, Verdict, megabytes, without_setting, wrong_setting};
use crate::DataError;

/// Declares the modules and [`RULES`], a line a rule.
macro_rules! rules {
    ($($(#[$condition:meta])? $module:ident $name:literal $when:ident $about:literal;)*) => {
        $($(#[$condition])? mod $module;)*

        /// All rules, in the order in which they are applied.
        pub const RULES: &[RuleKind] = &[
            $($(#[$condition])? RuleKind {
                name: $name, about: $about, when: When::$when, build: $module::build, file: stringify!($module),
            },)*
        ];
    };
}

rules! {
    #[cfg(feature = "html")]
    markup "html" Asked "HTML to text";
    control "control-characters" Always "drops control, zero-width and direction characters and stray marks";
    nfkc "nfkc" Asked "normal form NFKC: full-width letters to ASCII; turns ，！？ into ,!? so not for writing Chinese";
    whitespace "whitespace" Always "one space for several, no space at line ends, one blank line for several";
    email "mask-email" Mask "e-mail addresses to [EMAIL]";
    phone "mask-phone" Mask "telephone numbers to [PHONE]";
    number "mask-number" Mask "numbers of 9 digits and more to [NUMBER]";
    empty "empty" Always "drops documents without a visible character";
    length "too-short" Asked "drops documents of fewer words than N (a Han character is a word)";
    word_length "word-length" Filter "drops texts with a mean word length outside 3 to 10 (not for Han)";
    symbols "symbols" Filter "drops texts with a # or ellipsis for every tenth word or more";
    alphabetic "alphabetic" Filter "drops texts with letters in fewer than 80 % of words (Han: of 50 % of characters)";
    repeated_lines "repeated-lines" Filter "drops texts of which 30 % of the lines or more were there before";
    replacement "replacement-characters" Filter "drops texts with U+FFFD, left behind by a wrong decoding";
    exact "exact-duplicates" Asked "drops texts that were there before, byte by byte";
    near "near-duplicates" Asked "drops texts that resemble one that was there before by N or more (MinHash)";
}

/// When a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Unless it is switched off.
    Always,
    /// If it is asked for by name.
    Asked,
    /// If personal data are to be masked.
    Mask,
    /// If quality filters are asked for: a subset of those of Gopher (arXiv 2112.11446, appendix A).
    Filter,
}

/// A rule that a [`super::Cleaner`] can be made of.
pub struct RuleKind {
    /// Its name, for settings and reports.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// When it is applied.
    pub when: When,
    pub(super) build: fn(&str) -> Result<Box<dyn Rule>, DataError>,
    /// Its file in `rules/`, without `.rs`.
    #[cfg_attr(not(test), allow(dead_code))]
    file: &'static str,
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
