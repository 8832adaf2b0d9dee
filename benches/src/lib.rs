//! What the measurements share. The measurements themselves are in `benches/benches/`, the comparison with
//! PyTorch in `benches/peers/`, and how to read them in `benches/README.md`. What is claimed of
//! quality is measured in `benches/experiments/`.
//!
//! Two kinds of numbers are made here. A *series* is one thing timed many times, by criterion, which also
//! remembers it for the next run ([`measure::series`]). A *comparison* is two things timed in turn, A B, B A,
//! so that a slow minute of the machine meets both ([`alternate`](alternate::alternate)): only such a ratio
//! is worth a claim.

pub mod alternate;
pub mod attention;
pub mod decoding;
pub mod hand;
pub mod ladder;
pub mod ladder_report;
pub mod machine;
pub mod measure;
pub mod picture;
pub mod samples;
pub mod table;
