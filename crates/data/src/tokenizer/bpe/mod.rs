//! Byte-level byte-pair encoding, the tokenizer of GPT-2 and of most models since.
//!
//! Learning ([`BpeTrainer`]): the first 256 tokens are the bytes. Again and again the pair of neighbouring
//! tokens that occurs most often becomes a token of its own, until the vocabulary has the wanted size.
//! The n-th such *merge* has rank n. Encoding: within each of GPT-2's pieces ([`super::pieces`]), the pair
//! of lowest rank is merged for as long as there is one. Since every byte is a token, any text can be
//! encoded, and decoding gives exactly the text back.
//!
//! Sources: Gage, "A New Algorithm for Data Compression" (1994); Sennrich, Haddow, Birch, "Neural Machine
//! Translation of Rare Words with Subword Units" (ACL 2016, arXiv:1508.07909); Radford et al., "Language
//! Models are Unsupervised Multitask Learners" (2019), section 2.2.

mod encode;
mod merge;
mod pairs;
mod train;
mod vocabulary;

pub use train::BpeTrainer;
pub use vocabulary::BpeTokenizer;
pub(crate) use vocabulary::{Merge, WrongTables};

use super::counts::PieceCounts;
use super::kind::Kind;

/// The line of the registry.
pub(super) const ENTRY: Kind<BpeTokenizer> = Kind {
    name: "bpe",
    about: "A frequent sequence of bytes (byte-level byte-pair encoding, as GPT-2's)",
    has_specials: true,
    reads: |model, _| model == "BPE",
    from_json: BpeTokenizer::from_json,
    train: |training| {
        let mut counts = PieceCounts::new(training.max_han_run);
        counts.add(training.text);
        let trainer = BpeTrainer {
            vocab_size: training.vocab_size.unwrap_or(BpeTrainer::default().vocab_size),
            min_count: training.min_count,
            special: training.special.to_vec(),
        };
        trainer.train_with(&counts, &mut |tokens| (training.progress)(tokens, trainer.vocab_size))
    },
};

#[cfg(test)]
#[path = "bpe_tests.rs"]
mod tests;
