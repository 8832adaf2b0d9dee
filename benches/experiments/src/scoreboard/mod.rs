//! The scoreboard of fine-tuning: for each claim of the documents its number, beside what simpler things reach and what can
//! be reached at all. `cargo run --release -p experiments --bin scoreboard` measures what is missing and writes the table.
//!
//! # How to add a claim
//!
//! 1. Write `scoreboard/<name>.rs` after the pattern of its neighbours; `sentiment.rs` is a short one. It has a
//!    [`Claim`], whose `measure` answers the numbers of one case with one seed.
//! 2. Add it to [`CLAIMS`] below.
//!
//! That is all: the program asks for each case with each seed, in a process of its own, so that the largest memory is that of
//! the case; keeps what it is answered; and writes the tables. A claim that was not measured yet has a row that says so.
//!
//! A model that several cases begin with is a [`Base`]: it is pretrained once and lies in [`Setup::directory`].
//! Whatever a number depends on, beside the seed, belongs into `settings`, and best is made from the constants that are in
//! use: numbers measured with other settings do not count, and are measured again. Times are told with other things running
//! beside, so what a case costs is counted in seconds of the processor, by the program.

mod answers;
mod dialogue;
mod generated;
mod hand_written;
mod peft;
mod recipe;
mod report;
mod results;
mod sentiment;
mod summaries;
mod texts;
mod translation;
mod verdicts;
mod waimai;

pub use recipe::{Base, Model, Recipe, Text};
pub use report::markdown;
pub use results::{Line, Runs, Summary, append, read};
pub use texts::{Reviews, unlabelled, words_of};

use std::path::PathBuf;

/// What everything here answers: the program ends with the first thing that goes wrong.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What was measured, by name.
pub type Values = Vec<(&'static str, f64)>;

/// The claims, in the order of the table.
pub const CLAIMS: &[Claim] = &[
    sentiment::CLAIM,
    verdicts::PRETRAINED,
    verdicts::PROMPT,
    peft::CLAIM,
    waimai::CLAIM,
    translation::CLAIM,
    summaries::CLAIM,
    dialogue::CLAIM,
    hand_written::CLAIM,
    generated::CONTROL,
    generated::LABEL_AS_TEXT,
    generated::MORE_EXAMPLES,
];

/// Something that the documents say, and how to see whether it is so.
#[derive(Clone, Copy)]
pub struct Claim {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is said, in a sentence.
    pub says: &'static str,
    /// What the numbers depend on beside the seed, in a line.
    pub settings: fn() -> String,
    /// Whether a file is needed that is not ours to give away: the flag that says where it lies.
    pub file: Option<&'static str>,
    /// The seeds.
    pub seeds: &'static [u64],
    /// What is measured with each seed, in this order: later cases may use what earlier ones left.
    pub cases: &'static [&'static str],
    /// Measures one of them.
    pub measure: fn(&Setup, &str) -> Result<Values>,
    /// What of the numbers is shown, a column each.
    pub columns: &'static [Column],
    /// The row of the table, once there are numbers.
    pub verdict: fn(&Runs) -> Option<Verdict>,
}

/// What a measurement is given.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where all randomness starts.
    pub seed: u64,
    /// A directory for models that several cases begin with.
    pub directory: PathBuf,
    /// The file of a claim that needs one.
    pub file: Option<PathBuf>,
}

/// What a claim has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The number, with its spread over the seeds.
    pub measured: String,
    /// What it is compared with.
    pub baseline: String,
    /// What it should be, or the most that can be.
    pub target: String,
    /// Whether it is so.
    pub reached: bool,
}

/// A column of a claim's own table.
#[derive(Clone, Copy)]
pub struct Column {
    /// The name that `measure` gave the number.
    pub quantity: &'static str,
    /// What stands above it.
    pub heading: &'static str,
    /// How it is written.
    pub show: fn(f64) -> String,
}

/// A share of texts.
pub const ACCURACY: Column = share("accuracy", "accuracy");
/// The mean of the labels' F1.
pub const MACRO_F1: Column = share("macro_f1", "macro F1");
/// Seconds of the processor for the whole case, with reading and measuring; the program counts them.
pub const SECONDS: Column =
    Column { quantity: "cpu_seconds", heading: "CPU seconds", show: |x| format!("{x:.1}") };
/// The most memory of the process.
pub const MEMORY: Column =
    Column { quantity: "peak_bytes", heading: "peak MB", show: |x| format!("{:.0}", x / 1e6) };
/// Numbers that are trained.
pub const TRAINED: Column = Column { quantity: "trained", heading: "trained", show: |x| format!("{x:.0}") };

/// A number between 0 and 1.
#[must_use]
pub const fn share(quantity: &'static str, heading: &'static str) -> Column {
    Column { quantity, heading, show: |x| format!("{x:.4}") }
}

/// The claim of this name.
///
/// # Errors
/// If there is none; the message lists those that there are.
pub fn find(name: &str) -> Result<&'static Claim> {
    CLAIMS.iter().find(|claim| claim.name == name).ok_or_else(|| {
        let names: Vec<&str> = CLAIMS.iter().map(|claim| claim.name).collect();
        format!("{name:?}: expected one of {}", names.join(", ")).into()
    })
}
