//! The generators, one a file, and their registry.
//!
//! To add one: write `kinds/<name>.rs` with an `ENTRY` after the pattern of its neighbours, and add its name to
//! `registry!` below. The tests walk [`GENERATORS`]. A file that is not in the registry fails a test.

use crate::Entry;
use data::DataError;

/// Declares the modules and lists their entries.
macro_rules! registry {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// The generators, in the order of `newleaf synth --list`.
        pub const GENERATORS: &[Entry] = &[$($name::ENTRY),*];
    };
}

registry! {
    // streams and lines
    zipf, markov, golden_mean, even_process, mess3, dyck_1, pcfg, dyck, induction,
    // prompts and answers
    copy, reverse, sort, add, mod_add,
    // tasks in words
    sentiment, translation, report, slots, episodes, storygen,
}

/// The generator of a name or alias.
///
/// # Errors
/// If there is none.
pub fn find(name: &str) -> Result<&'static Entry, DataError> {
    let is_named = |entry: &&Entry| entry.name == name || entry.aliases.contains(&name);
    GENERATORS.iter().find(is_named).ok_or_else(|| DataError::Malformed {
        what: "the generator's name".into(),
        place: String::new(),
        found: format!("{name:?}"),
        expected: format!("one of {}", GENERATORS.iter().map(|e| e.name).collect::<Vec<_>>().join(", ")),
        remedy: "see newleaf synth --list".into(),
    })
}
