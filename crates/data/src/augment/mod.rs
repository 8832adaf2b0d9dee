//! Augmentation: more labelled examples from few, by saying the same in other words.
//!
//! Everything that can do so is a [`Paraphrase`]:
//!
//! - [`Eda`], "easy data augmentation" (Wei and Zou 2019, arXiv 1901.11196): replace words by synonyms,
//!   insert synonyms, swap words, delete words. Their gain is largest where examples are fewest: 3 points
//!   of accuracy with 500 examples, under 1 with all.
//! - [`BackTranslation`] (Sennrich 2016, arXiv 1511.06709): into another language and back again, by any
//!   two [`Translate`] models.
//!
//! An augmented example keeps its label, so the label must stay true. [`Protection`] says which words
//! decide it and what each operation may not do with them.
//!
//! ```
//! use data::augment::{Eda, Paraphrase};
//! use random::{Rng, Stream};
//!
//! let eda = Eda::new(0.1)?;
//! let variants = eda.paraphrases("The soup was not good", 4, &mut Rng::new(1, Stream::Data))?;
//! assert!(!variants.is_empty() && variants.iter().all(|text| text.contains("not")));
//! # Ok::<(), data::DataError>(())
//! ```

mod eda;
mod paraphrase;
mod pieces;
mod protection;
mod synonyms;

pub use eda::Eda;
pub use paraphrase::{BackTranslation, Paraphrase, Translate};
pub use protection::{Class, Protection};
pub use synonyms::Synonyms;
