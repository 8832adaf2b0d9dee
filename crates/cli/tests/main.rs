//! The integration tests of this crate, one program: linking it is what takes the time. A new file is a line here
//! (`crates/cli/tests/layout.rs` holds that).
//! Apart from it are those that measure the machine.

mod bad_input;
mod baseline;
mod clean;
mod common;
mod data;
mod dialogues;
mod documents;
mod drift;
mod embed;
mod face;
mod fetch;
mod few_shot;
mod finetune;
mod from;
mod house;
mod layout;
mod malformed;
mod ngram;
mod readme;
mod report;
mod report_runs;
mod report_tuned;
mod runs;
mod score;
mod segment_and_augment;
mod seq2seq;
#[cfg(target_os = "linux")]
mod streams;
mod synth;
