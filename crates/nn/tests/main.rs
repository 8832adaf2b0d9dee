//! The integration tests of this crate, one program: linking it is what takes the time. A new file is a line here
//! (`crates/cli/tests/layout.rs` holds that).
//! Apart from it are those that change the instruction set of the whole process.

mod clip;
mod embed;
mod layers;
mod muon;
mod optimizer_numbers;
mod optimizers;
mod schedule;
mod sparse;
