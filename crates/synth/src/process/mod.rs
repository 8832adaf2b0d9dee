//! The mathematics of random processes: distributions with integer weights, chains, hidden states, grammars, their
//! entropies, and what each token costs whoever sees part of the text.

pub mod chain;
pub mod choice;
pub mod entropy;
pub mod grammar;
pub mod hmm;
pub mod objectives;
pub mod oracle;
pub(crate) mod pushdown;
