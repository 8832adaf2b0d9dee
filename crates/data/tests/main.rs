//! The integration tests of this crate, one program: linking it is what takes the time. A new file is a line here
//! (`crates/cli/tests/layout.rs` holds that).

mod augment;
mod batch_masks;
mod documents;
mod example_sampler;
mod leak;
mod metrics;
mod minhash;
mod objective;
mod read_text;
mod sampler;
mod segment;
mod special_tokens;
mod stop_words;
mod token_file;
mod tokenizer;
mod tokenizer_files;
mod tokenizer_foreign;
mod word_vectors;
