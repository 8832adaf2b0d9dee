//! The leak check: is the text that a model is tested on among what it was trained on?
//!
//! A test that the model has seen measures memory. Three kinds are looked for, each ignoring width, case,
//! punctuation and white space:
//!
//! | kind | the test document |
//! |---|---|
//! | exact | has all its units, in order, in common with a training document |
//! | near | resembles one by an estimated Jaccard similarity of at least 0.7 (minhash.rs) |
//! | overlap | has at least half of its 13-grams of units somewhere in the training text |
//!
//! What is kept in memory is the **test** text, 27 to 47 bytes a unit and less than 1 KB a document; the training
//! text streams past it, however large. Source of the 13-grams: Brown et al. 2020, arXiv 2005.14165, appendix C.

use super::minhash::{Lsh, MinHash, SHINGLE};
use super::script::{ngram_hashes, unit_hashes};
use serde::Serialize;
use std::collections::HashMap;

/// How a test document has leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LeakKind {
    /// The same text.
    Exact,
    /// Nearly the same text.
    Near,
    /// Half of its n-grams or more.
    Overlap,
}

/// A test document that has leaked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// The strongest kind that holds.
    pub kind: LeakKind,
    /// Where the test document begins, from 1.
    pub test_line: u64,
    /// Where the training document begins, from 1; none if the n-grams are scattered over several.
    pub train_line: Option<u64>,
    /// 1 for an exact leak, the estimated similarity of a near one, the share of n-grams of an overlap.
    pub similarity: f64,
    /// The beginning of the test document.
    pub text: String,
}

/// What a leak check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeakReport {
    /// Documents of the test text with a letter or digit in them.
    pub test_documents: u64,
    /// Documents of the training text.
    pub train_documents: u64,
    /// Test documents whose strongest leak is exact.
    pub exact: u64,
    /// Test documents whose strongest leak is near.
    pub near: u64,
    /// Test documents whose strongest leak is overlap.
    pub overlap: u64,
    /// Units in an n-gram.
    pub ngram: usize,
    /// Distinct n-grams of the test text.
    pub test_ngrams: u64,
    /// How many of them occur in the training text.
    pub shared_ngrams: u64,
    /// All leaks, in the order of the test text.
    pub leaks: Vec<Leak>,
}

/// Similarity from which a document is nearly the same, and share of n-grams that makes an overlap.
const NEAR: f64 = 0.7;
const OVERLAP: f64 = 0.5;
/// Characters of a document that are shown.
const SHOWN: usize = 60;

/// A check in progress: first the test documents are added, then the training documents stream past.
///
/// ```
/// use data::clean::LeakCheck;
/// let mut check = LeakCheck::new(13);
/// check.add_test("To be, or not to be, that is the question.", 1);
/// check.add_test("Whether it rains tomorrow nobody in this village knows.", 2);
/// check.see_train("TO BE OR NOT TO BE -- THAT IS THE QUESTION", 77);
/// let report = check.report();
/// assert_eq!((report.exact, report.near, report.overlap), (1, 0, 0));
/// assert_eq!((report.leaks[0].test_line, report.leaks[0].train_line), (1, Some(77)));
/// ```
pub struct LeakCheck {
    ngram: usize,
    documents: Vec<TestDocument>,
    train_documents: u64,
    /// Documents by the hash of all their units.
    exact: HashMap<u64, Vec<u32>>,
    hashes: MinHash,
    near: Lsh,
    /// Each n-gram of the test text, and whether it was seen in training.
    ngrams: HashMap<u64, bool>,
}

struct TestDocument {
    line: u64,
    shown: String,
    ngrams: Vec<u64>,
    /// Kind, line and similarity of the strongest leak so far.
    leak: Option<(LeakKind, u64, f64)>,
}

impl LeakCheck {
    /// A check with n-grams of so many units; a shorter document is one n-gram.
    ///
    /// # Panics
    /// If `ngram` is 0.
    pub fn new(ngram: usize) -> Self {
        assert!(ngram > 0, "LeakCheck::new(0): an n-gram has at least one unit");
        Self {
            ngram,
            documents: Vec::new(),
            train_documents: 0,
            exact: HashMap::new(),
            hashes: MinHash::new(),
            near: Lsh::new(),
            ngrams: HashMap::new(),
        }
    }

    /// Adds a document of the test text that begins on a line.
    pub fn add_test(&mut self, text: &str, line: u64) {
        let units = unit_hashes(text);
        if units.is_empty() {
            return;
        }
        let id = self.near.insert(self.hashes.signature(&ngram_hashes(&units, SHINGLE)));
        self.exact.entry(whole(&units)).or_default().push(id as u32);
        let ngrams = ngram_hashes(&units, self.ngram);
        self.ngrams.extend(ngrams.iter().map(|&ngram| (ngram, false)));
        let shown = text.chars().take(SHOWN).collect();
        self.documents.push(TestDocument { line, shown, ngrams, leak: None });
    }

    /// Compares a document of the training text that begins on a line with all of the test text.
    pub fn see_train(&mut self, text: &str, line: u64) {
        self.train_documents += 1;
        let units = unit_hashes(text);
        if units.is_empty() {
            return;
        }
        for &id in self.exact.get(&whole(&units)).into_iter().flatten() {
            let leak = &mut self.documents[id as usize].leak;
            if !matches!(leak, Some((LeakKind::Exact, ..))) {
                *leak = Some((LeakKind::Exact, line, 1.0));
            }
        }
        let signature = self.hashes.signature(&ngram_hashes(&units, SHINGLE));
        for (id, similarity) in self.near.all_similar(&signature, NEAR) {
            let leak = &mut self.documents[id].leak;
            if leak.is_none_or(|(kind, _, before)| kind == LeakKind::Near && before < similarity) {
                *leak = Some((LeakKind::Near, line, similarity));
            }
        }
        for ngram in ngram_hashes(&units, self.ngram) {
            if let Some(seen) = self.ngrams.get_mut(&ngram) {
                *seen = true;
            }
        }
    }

    /// What was found so far.
    pub fn report(&self) -> LeakReport {
        let leaks: Vec<Leak> = self.documents.iter().filter_map(|document| self.leak(document)).collect();
        let count = |kind| leaks.iter().filter(|leak| leak.kind == kind).count() as u64;
        LeakReport {
            test_documents: self.documents.len() as u64,
            train_documents: self.train_documents,
            exact: count(LeakKind::Exact),
            near: count(LeakKind::Near),
            overlap: count(LeakKind::Overlap),
            ngram: self.ngram,
            test_ngrams: self.ngrams.len() as u64,
            shared_ngrams: self.ngrams.values().filter(|&&seen| seen).count() as u64,
            leaks,
        }
    }

    fn leak(&self, document: &TestDocument) -> Option<Leak> {
        let seen = document.ngrams.iter().filter(|&ngram| self.ngrams[ngram]).count();
        let share = seen as f64 / document.ngrams.len() as f64;
        let (kind, train_line, similarity) = match document.leak {
            Some((kind, line, similarity)) => (kind, Some(line), similarity),
            None if share >= OVERLAP => (LeakKind::Overlap, None, share),
            None => return None,
        };
        Some(Leak { kind, test_line: document.line, train_line, similarity, text: document.shown.clone() })
    }
}

/// A hash of all units.
fn whole(units: &[u64]) -> u64 {
    ngram_hashes(units, units.len())[0]
}
