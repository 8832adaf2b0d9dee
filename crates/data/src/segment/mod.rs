//! Chinese word segmentation: where the words are in a text that has no spaces.
//!
//! A text is first cut into runs ([`runs`]): Chinese characters, which the methods below divide, and
//! everything else, which needs no dictionary (a number, a Latin word, a punctuation mark is a word). Before that, words
//! of the dictionary that have both, such as T恤 and 卡拉OK, are taken out where they stand, the longest first.
//! The methods, each built on the one before it:
//!
//! | [`Method`] | Rule | Needs |
//! |---|---|---|
//! | `fmm`, `bmm` | always take the longest word, from the left or from the right ([`matching`]) | a list of words |
//! | `dag` | the likeliest sequence of words, max Σ ln p(w) ([`dag`]) | words with counts |
//! | `dag+hmm` | the same, and where it leaves single characters, ask the shape of words ([`hmm`]) | gold text, or words with counts |
//!
//! The counts come from text that a person has segmented ([`Gold`]) or from a dictionary in jieba's
//! format ([`Dict::parse`]). No dictionary ships with newleaf but what its own small gold text holds.
//!
//! The combination is that of jieba (github.com/fxsjy/jieba); scores are those of the SIGHAN bakeoffs
//! (Emerson 2005): precision, recall and F1 of words, and the recall of words the dictionary lacks
//! ([`Score`]).
//!
//! ```
//! use data::segment::{Dict, Method, Segmenter};
//!
//! let dict = Dict::parse("研究 50\n研究生 10\n生命 40\n命 5\n起源 20\n", "example")?;
//! let segmenter = Segmenter::from_dict(dict);
//! assert_eq!(segmenter.segment("研究生命起源", Method::Fmm), ["研究生", "命", "起源"]);
//! assert_eq!(segmenter.segment("研究生命起源", Method::Dag), ["研究", "生命", "起源"]);
//! # Ok::<(), data::DataError>(())
//! ```

pub mod dag;
mod dict;
mod gold;
pub mod hmm;
pub mod matching;
pub mod runs;
mod score;

pub use dict::Dict;
pub use gold::Gold;
pub use hmm::Hmm;
pub use score::{Score, cross_validate};

use crate::DataError;

/// How a run of Chinese characters is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Forward maximum matching: the longest word from the left, again and again.
    Fmm,
    /// Backward maximum matching: the longest word from the right.
    Bmm,
    /// The likeliest path through the graph of all dictionary words.
    Dag,
    /// [`Method::Dag`], then a hidden Markov model for what the dictionary does not know.
    DagHmm,
}

impl Method {
    /// All methods, the simplest first.
    pub const ALL: [Method; 4] = [Method::Fmm, Method::Bmm, Method::Dag, Method::DagHmm];

    /// The name on the command line: `fmm`, `bmm`, `dag` or `dag+hmm`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Fmm => "fmm",
            Method::Bmm => "bmm",
            Method::Dag => "dag",
            Method::DagHmm => "dag+hmm",
        }
    }

    /// The method of a name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn from_name(name: &str) -> Result<Method, DataError> {
        Method::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| {
            DataError::InvalidSetting {
                name: "method",
                found: format!("{name:?}"),
                expected: "fmm, bmm, dag or dag+hmm",
            }
        })
    }
}

/// Divides Chinese text into words.
#[derive(Clone, Debug)]
pub struct Segmenter {
    dict: Dict,
    hmm: Hmm,
}

impl Segmenter {
    /// Learns words, their counts and their shapes from segmented text.
    pub fn from_gold(gold: &Gold) -> Segmenter {
        Segmenter { dict: Dict::from_gold(gold), hmm: Hmm::from_gold(gold) }
    }

    /// Uses a dictionary; the shapes of words are learned from it too, as if a text had each word as
    /// often as its count says, in random order.
    pub fn from_dict(dict: Dict) -> Segmenter {
        let hmm = Hmm::from_dict(&dict);
        Segmenter { dict, hmm }
    }

    /// Learned from the 560 sentences that ship inside: enough for everyday words, and small.
    pub fn built_in() -> Segmenter {
        Segmenter::from_gold(&Gold::built_in())
    }

    /// Makes words known without any having been seen: they are as rare as the rarest.
    pub fn add_words<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        words.into_iter().for_each(|word| self.dict.add(word, 0));
    }

    /// The dictionary.
    pub fn dict(&self) -> &Dict {
        &self.dict
    }

    /// The words of a text, in order. Together they are the text without its white space.
    pub fn segment<'a>(&self, text: &'a str, method: Method) -> Vec<&'a str> {
        let (mut words, mut done) = (Vec::new(), 0);
        for mixed in self.dict.mixed_words(text) {
            self.segment_runs(&text[done..mixed.start], method, &mut words);
            words.push(&text[mixed.clone()]);
            done = mixed.end;
        }
        self.segment_runs(&text[done..], method, &mut words);
        words
    }

    fn segment_runs<'a>(&self, text: &'a str, method: Method, words: &mut Vec<&'a str>) {
        for run in runs::runs(text) {
            if run.han {
                self.divide(run.text, method, words);
            } else {
                words.push(run.text);
            }
        }
    }

    /// Divides a run of Chinese characters.
    fn divide<'a>(&self, mut run: &'a str, method: Method, words: &mut Vec<&'a str>) {
        let chars: Vec<char> = run.chars().collect();
        let lengths = match method {
            Method::Fmm => matching::forward(&self.dict, &chars),
            Method::Bmm => matching::backward(&self.dict, &chars),
            Method::Dag => dag::likeliest(&self.dict, &chars),
            Method::DagHmm => {
                let lengths = dag::likeliest(&self.dict, &chars);
                self.join_unknown(&chars, &lengths)
            }
        };
        for length in lengths {
            let bytes = run.chars().take(length).map(char::len_utf8).sum();
            let (word, rest) = run.split_at(bytes);
            words.push(word);
            run = rest;
        }
    }

    /// A word that is not in the dictionary shows as single characters side by side. Each such stretch
    /// is divided anew by the hidden Markov model.
    fn join_unknown(&self, chars: &[char], lengths: &[usize]) -> Vec<usize> {
        let mut result = Vec::with_capacity(lengths.len());
        let mut start = 0; // of the next word, in characters
        for stretch in lengths.chunk_by(|&a, &b| a == 1 && b == 1) {
            if stretch.len() == 1 {
                result.push(stretch[0]);
                start += stretch[0];
                continue;
            }
            for length in self.hmm.divide(&chars[start..start + stretch.len()]) {
                if self.is_new_word(&chars[start..start + length]) {
                    result.push(length);
                } else {
                    result.extend(std::iter::repeat_n(1, length));
                }
                start += length;
            }
        }
        result
    }

    /// Whether characters are likelier a word that the dictionary lacks than single words that it has:
    ///
    /// ```text
    /// ln u + ln p_hmm(c_1 .. c_n)  >  Σ ln (1-u) p(c_i)
    /// ```
    ///
    /// where u, the probability that the next word is a new one, is estimated by the share of words that
    /// were seen once (Good 1953): a small gold text has many, a grown dictionary hardly any.
    fn is_new_word(&self, chars: &[char]) -> bool {
        if chars.len() < 2 {
            return false;
        }
        let counts: Option<Vec<u64>> = chars.iter().map(|&c| self.dict.count(&[c])).collect();
        let (Some(counts), Some(ln_word)) = (counts, self.hmm.ln_word(chars)) else { return true };
        let new = self.dict.new_word_probability();
        let known =
            |count: u64| random::ln((1.0 - new) * count.max(1) as f64 / self.dict.total().max(1) as f64);
        random::ln(new) + ln_word > counts.into_iter().map(known).sum()
    }
}
