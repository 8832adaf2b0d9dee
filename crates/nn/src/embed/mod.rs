//! Word vectors: a point for every word, such that words used alike are near each other.
//!
//! Two methods, one idea: a word is known by the company it keeps. Both read which words stand near which, and
//! give every word w a vector v_w and, in its other role as the company of others, a vector u_w.
//!
//! | | learns from | so that | paper |
//! |---|---|---|---|
//! | [`Sgns`] | one pair of neighbours at a time, against k random words | v_w . u_c = PMI(w, c) - ln k | Mikolov et al. 2013, arXiv 1310.4546 |
//! | [`Glove`] | the table X of all co-occurrences, counted once | v_w . u_c + b_w + b_c = ln X_wc | Pennington et al. 2014 |
//!
//! PMI(w, c) = ln p(w, c) / (p(w) p(c)), the pointwise mutual information: 0 for words that do not care for each
//! other. That skip-gram factorises it is a theorem of Levy & Goldberg (2014), which the tests here hold it to.
//!
//! # The same bits for any number of threads
//! word2vec.c and glove.c let threads write over each other (Hogwild); each run gives other vectors. Here:
//! - [`Sgns`] changes its vectors on one thread, in the order of the text; meanwhile a second thread draws the
//!   windows and the random words of what comes next. Splitting the updates as well would mean many updates from
//!   the same old vectors, summed: for frequent words another, less stable method.
//! - [`Glove`] cuts X into 16 x 16 blocks. Sixteen blocks that share no row and no column are independent of
//!   each other, so that they can run at once, in any order, and the result is that of one thread (the strata
//!   of Gemulla et al. 2011).
//!
//! # What these vectors are for
//! Exploring a vocabulary, features for small classifiers, and a start for a model's embedding where text is
//! scarce ([`Transplant`]). A GPT learns its own embedding along with the rest: with enough text the start makes
//! no difference.

mod cooccurrence;
mod corpus;
mod glove;
mod noise;
mod projection;
mod sgns;
mod sgns_config;
mod similarity;
mod table;
mod transplant;
mod windows;

pub use cooccurrence::Cooccurrence;
pub use corpus::Corpus;
pub use glove::{Glove, GloveConfig, entry_loss};
pub use noise::{Alias, quarter_power};
pub use projection::{MAX_PCA_DIM, Projection, principal_axes, random_orthonormal};
pub use sgns::{Sgns, SgnsReport, pair_loss};
pub use sgns_config::SgnsConfig;
pub use similarity::Neighbours;
pub use transplant::Transplant;
