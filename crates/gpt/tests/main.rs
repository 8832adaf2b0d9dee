//! The integration tests of this crate, one program: linking it is what takes the time. A new file is a line here
//! (`crates/cli/tests/layout.rs` holds that).

mod beam;
mod few_shot;
mod find_cloze;
mod from_weights;
mod generating;
mod gpt2_dir;
mod gpt2_foreign;
mod llama;
mod objectives;
mod parity;
mod peft;
mod training;
mod tune;
