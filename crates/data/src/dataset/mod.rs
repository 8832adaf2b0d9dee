//! Datasets: from documents to token ids, and from those to the batches a model is trained on.
//!
//! | to | use |
//! |---|---|
//! | divide a collection into train, validation and test parts | [`SplitRule`], by the text alone; [`split_documents`] |
//! | make a token file of a text of any size | [`pack_text`], [`pack_documents`] |
//! | train from it | [`TokenFile`], which is a [`TokenSource`] as a slice is |
//! | keep the ids of a text in little memory | [`CompactIds`] |
//! | draw batches | [`WindowSampler`], [`SequentialBatches`], [`bucket_by_length`], [`k_shot`] |
//! | draw batches of any objective | [`ExampleSampler`], [`ObjectiveBatches`] |
//! | know which public files there are | [`Manifest`] |

pub(crate) mod batch;
mod bucket;
mod compact;
mod document_split;
mod example;
mod example_sampler;
mod few_shot;
mod manifest;
mod objective_batches;
mod pack;
mod sampler;
mod source;
mod split;
mod token_file;
mod token_writer;

pub use crate::read::END_OF_DOCUMENT;
pub use batch::{Batch, SequentialBatches, sequential_batches, sequential_windows};
pub use bucket::bucket_by_length;
pub use compact::CompactIds;
pub use document_split::{PARTS, PartReport, SplitReport, SplitRule, split_documents};
pub use example::{Example, MaskSpec};
pub use example_sampler::{ExampleSampler, ExampleSamplerState};
pub use few_shot::k_shot;
pub use manifest::{Manifest, PublicFile, hex, sha256_of};
pub use objective_batches::ObjectiveBatches;
pub use pack::{
    OnProgress, PackReport, char_tokenizer_of, char_tokenizer_of_documents, pack_documents, pack_plain_ids,
    pack_text,
};
pub use sampler::{SamplerState, SamplingMode, WindowSampler};
pub use source::{SourcePart, TokenSource, WithDocuments, split_source};
pub use split::{cut, train_val_split, train_val_split_text};
pub use token_file::TokenFile;
pub use token_writer::TokenWriter;
