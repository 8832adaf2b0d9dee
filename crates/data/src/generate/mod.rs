//! Texts whose best possible loss is known exactly.
//!
//! On a real text nobody knows how low a loss can go. A generator is a random process that we wrote
//! ourselves: with every symbol it hands over -ln p, what that symbol costs someone who knows the
//! process and has seen the symbols before it. The mean of these costs is a floor that no model beats:
//!
//! excess = mean over the same symbols of (cost under the model - cost under the process) >= 0
//!
//! A model with an excess near 0 has learnt all there is. One with a *negative* excess beyond chance
//! has a leak: a mask that shows the future, labels shifted by one, a test text seen in training.
//!
//! - **Randomness is integers only.** Every choice has integer weights ([`Choice`], [`Phrases`]) and is
//!   drawn with [`random::Rng::below`]: the same bytes, and sha256, on every machine.
//! - **Costs come from the same integers**: -ln p = ln(sum of weights) - ln(weight), by [`random::ln`].
//! - **A floor is a calculation, not a measurement** ([`Floor`]): an entropy rate, the solution of linear
//!   equations, or an expectation over all ways to write a document ([`pen`]). Only one process here,
//!   mess3, has no closed form; its floor lies between two bounds that meet, and says how near they are.
//! - **The two check each other**: the measured mean must lie within four standard errors of the floor.
//!
//! A symbol is a number below the size of the generator's alphabet and has one character as its text,
//! so a character tokenizer gives the symbols back. Cut otherwise, the nats of a document stay the same.
//!
//! ```
//! use data::generate::{Format, find, run};
//!
//! let entry = find("markov-k")?;
//! let mut text = Vec::new();
//! let report = run(entry, &entry.defaults(), 1, 20_000, Format::Text, &mut text, |_, _| Ok(()))?;
//! assert_eq!(text.len(), 20_000);
//! assert!((report.floor_nats - 0.909637).abs() < 1e-6); // the entropy rate of the chain
//! assert!((report.mean_nats - report.floor_nats).abs() < 4.0 * report.standard_error.unwrap());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Shannon, A Mathematical Theory of Communication (1948): entropy rate of a source, n-gram sources.

use crate::DataError;
use random::Rng;

pub mod arithmetic;
pub mod choice;
pub mod dyck;
pub mod episodes;
pub mod floor;
pub mod grammar;
pub mod hmm;
pub mod induction;
pub mod markov;
pub mod measure;
pub mod objectives;
pub mod oracle;
mod output;
pub mod params;
pub mod pcfg;
pub mod pen;
mod pushdown;
pub mod report;
mod run;
pub mod sentiment;
pub mod sequence_task;
pub mod slots;
pub mod spec;
pub mod storygen;
pub mod translation;
pub mod zipf;

pub use choice::{Choice, Phrases};
pub use floor::{Floor, Method, PartFloor};
pub use measure::Measure;
pub use output::{Format, Layout};
pub use params::{Kind, Param, Params};
pub use run::{PartReport, Report, RunError, Sample, documents, run, sample};
pub use spec::Spec;

/// The generators, in the order of `newleaf generate --list`. One more is a file and a line here.
pub const GENERATORS: &[Entry] = &[
    zipf::ENTRY,
    markov::ENTRY,
    hmm::GOLDEN_MEAN,
    hmm::EVEN_PROCESS,
    hmm::MESS3,
    pcfg::DYCK_1,
    pcfg::PCFG,
    dyck::ENTRY,
    induction::ENTRY,
    sequence_task::COPY,
    sequence_task::REVERSE,
    sequence_task::SORT,
    arithmetic::ADD,
    arithmetic::MOD_ADD,
    sentiment::ENTRY,
    translation::ENTRY,
    report::ENTRY,
    slots::ENTRY,
    episodes::ENTRY,
    storygen::ENTRY,
];

/// A generator in the list: its names, what it is, its parameters, and how to make one.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// Other names it is known by.
    pub aliases: &'static [&'static str],
    /// One line for the list.
    pub about: &'static str,
    /// What a document of it consists of.
    pub layout: Layout,
    /// Its parameters with their defaults.
    pub parameters: &'static [Param],
    /// Makes one; fails when the parameters do not go together.
    pub build: fn(&Params) -> Result<Box<dyn Generator>, DataError>,
}

impl Entry {
    /// The parameters as they are without `--set`.
    pub fn defaults(&self) -> Params {
        Params::new(self.parameters)
    }

    /// The parameters with some of them set, (name, value) as in `--set NAME=VALUE`.
    ///
    /// # Errors
    /// If there is no such parameter or it cannot be that.
    pub fn params(&self, set: &[(&str, &str)]) -> Result<Params, DataError> {
        let mut params = self.defaults();
        for (name, value) in set {
            params.set(name, value)?;
        }
        Ok(params)
    }
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
        remedy: "see newleaf generate --list".into(),
    })
}

/// A random process: an endless supply of documents, each symbol with its exact cost.
pub trait Generator {
    /// The text of each symbol, in ascending order: the ids of a character tokenizer that saw them all.
    fn alphabet(&self) -> &[char];

    /// The best possible loss.
    fn floor(&self) -> &Floor;

    /// Other known numbers, such as the accuracy of the best classifier.
    fn facts(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// The process with its states, where they are finitely many and few.
    fn process(&self) -> Option<hmm::Hmm> {
        None
    }

    /// Someone who knows what a symbol costs also if more, or less, is seen than the symbols before it.
    fn oracle(&self) -> Option<oracle::Oracle> {
        self.process().map(|process| oracle::Oracle::new(&process))
    }

    /// Appends the next document, or the next [`STREAM_PIECE`] symbols of a stream without end.
    fn append(&mut self, rng: &mut Rng, document: &mut Document);
}

/// How many symbols of a stream come at a time. Also the block whose mean is one observation when the
/// standard error is estimated, so it is long compared with the memory of the processes.
pub const STREAM_PIECE: usize = 500;

/// A document: symbols, what each costs, which part of the floor each belongs to, and its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The symbols: (T,)
    pub symbols: Vec<u32>,
    /// -ln p of each under the process, given what the task lets one see: (T,), nats
    pub nats: Vec<f64>,
    /// The part of the [`Floor`] each belongs to; the part says whether it counts: (T,)
    pub parts: Vec<u8>,
    /// Where each field begins. Symbols before the first belong to none.
    pub fields: Vec<(Field, usize)>,
}

impl Document {
    /// Appends one symbol.
    pub fn push(&mut self, symbol: u32, nats: f64, part: u8) {
        self.symbols.push(symbol);
        self.nats.push(nats);
        self.parts.push(part);
    }

    /// What comes next belongs to this field.
    pub fn begin(&mut self, field: Field) {
        self.fields.push((field, self.symbols.len()));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `len` symbols.
    pub fn truncate(&mut self, len: usize) {
        self.symbols.truncate(len);
        self.nats.truncate(len);
        self.parts.truncate(len);
        self.fields.retain(|&(_, start)| start < len);
    }

    /// The characters of the symbols.
    pub fn text(&self, alphabet: &[char]) -> String {
        self.symbols.iter().map(|&s| alphabet[s as usize]).collect()
    }

    /// The fields with their texts, in order, without the separators between them.
    pub fn field_texts(&self, alphabet: &[char]) -> Vec<(Field, String)> {
        let ends = self.fields.iter().skip(1).map(|&(_, start)| start).chain([self.symbols.len()]);
        let with_ends = self.fields.iter().zip(ends).filter(|((field, _), _)| *field != Field::Separator);
        let text = |range: std::ops::Range<usize>| -> String {
            self.symbols[range].iter().map(|&s| alphabet[s as usize]).collect()
        };
        with_ends.map(|(&(field, start), end)| (field, text(start..end))).collect()
    }
}

/// What a stretch of a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A text to be read: the one to classify, a shot of an episode.
    Text,
    /// Its label.
    Label,
    /// What the model is given.
    Prompt,
    /// What it shall answer.
    Answer,
    /// A sentence to translate.
    Source,
    /// Its translation.
    Target,
    /// What the user of a dialogue says.
    User,
    /// What the assistant answers.
    Assistant,
    /// Line ends and marks between the fields, in no record.
    Separator,
}

/// The characters for `n` plain symbols, ascending: letters, then all of printable ASCII, then Chinese.
pub(crate) fn plain_alphabet(n: usize) -> Vec<char> {
    let first = match n {
        0..=26 => 'a',
        27..=94 => '!',
        _ => '\u{4E00}',
    };
    (first..).take(n).collect()
}
