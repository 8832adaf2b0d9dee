//! All measures of one comparison.

use super::{Divergence, DomainTest, PerplexityGap, VocabularyShift};
use serde::Serialize;

/// All measures of a test text against a training text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Characters of the training text.
    pub train_chars: usize,
    /// Characters of the test text.
    pub test_chars: usize,
    /// S1
    pub vocabulary: VocabularyShift,
    /// S2, one for each order from 1 on.
    pub divergence: Vec<Divergence>,
    /// S3
    pub perplexity: PerplexityGap,
    /// S4; none if there are too few passages.
    pub domain: Option<DomainTest>,
    /// S5: what the measures say, and what helps, a sentence or two each.
    pub remedies: Vec<String>,
}
