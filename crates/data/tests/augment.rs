//! Augmentation: what holds for any text, and that labels stay true on a language whose labels are known.

use data::DataError;
use data::augment::{BackTranslation, Class, Eda, Paraphrase, Protection, Synonyms};
use data::segment::Segmenter;
use proptest::prelude::*;
use random::{Rng, Stream};
use std::collections::HashMap;

fn rng(seed: u64) -> Rng {
    Rng::new(seed, Stream::Other(0))
}

fn built_in() -> Eda {
    Eda::new(0.1).unwrap()
}

/// A language of opinions: clauses, their polarities, and a reader that finds the label of any text of it.
struct Opinions {
    lead: &'static [&'static str],
    things: &'static [&'static str],
    good: &'static [&'static str],
    bad: &'static [&'static str],
    not: &'static str,
    degrees: &'static [&'static str],
    contrast: &'static str,
    comma: &'static str,
    space: &'static str,
}

const ENGLISH: Opinions = Opinions {
    lead: &["Yesterday", "Honestly", "Usually", "Finally"],
    things: &["the food was", "the place seemed", "the movie was", "the boss was", "this gift looked"],
    good: &["good", "excellent", "lovely", "perfect", "tasty", "comfortable", "polite", "reliable"],
    bad: &["bad", "terrible", "disappointing", "boring", "rude", "dirty", "flimsy", "useless"],
    not: "not",
    degrees: &["", "very", "quite"],
    contrast: "but",
    comma: ",",
    space: " ",
};

const CHINESE: Opinions = Opinions {
    lead: &["昨天", "最近", "经常", "终于"],
    things: &["味道", "质量", "声音", "颜色", "价格"],
    good: &["漂亮", "好吃", "舒服", "可靠", "完美", "优秀", "干净", "方便"],
    bad: &["难看", "糟糕", "无聊", "冷淡", "粗糙", "麻烦", "失望", "吵闹"],
    not: "不",
    degrees: &["", "很", "非常"],
    contrast: "但是",
    comma: "，",
    space: "",
};

impl Opinions {
    fn pick(words: &[&'static str], rng: &mut Rng) -> &'static str {
        words[rng.below(words.len() as u64) as usize]
    }

    fn clause(&self, rng: &mut Rng) -> String {
        let side = if rng.below(2) == 0 { self.good } else { self.bad };
        let not = if rng.below(3) == 0 { self.not } else { "" };
        let parts = [Self::pick(self.things, rng), not, Self::pick(self.degrees, rng), Self::pick(side, rng)];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(self.space)
    }

    fn sentence(&self, rng: &mut Rng) -> String {
        let (lead, space) = (Self::pick(self.lead, rng), self.space);
        match rng.below(3) {
            0 => format!("{lead}{space}{}", self.clause(rng)),
            _ => {
                let (a, b) = (self.clause(rng), self.clause(rng));
                format!("{lead}{space}{a}{}{space}{}{space}{b}", self.comma, self.contrast)
            }
        }
    }

    /// 1 for every good word and its synonyms, -1 for the bad ones.
    fn polarity(&self) -> HashMap<String, i32> {
        let synonyms = Synonyms::built_in();
        let mut polarity = HashMap::new();
        for (side, value) in [(self.good, 1), (self.bad, -1)] {
            for word in side {
                polarity.insert(word.to_string(), value);
                synonyms.of(word).iter().for_each(|other| _ = polarity.insert(other.clone(), value));
            }
        }
        polarity
    }

    /// The label: that of the last clause with an opinion, where a negation turns what follows it over. Reads
    /// words by the longest match, knowing nothing of the augmentation. 0: no opinion, or a mixed one.
    fn label(&self, text: &str, polarity: &HashMap<String, i32>) -> i32 {
        let text = text.to_lowercase();
        let clauses = text.split(self.comma).flat_map(|part| part.split(self.contrast));
        let of_clause = |clause: &str| {
            let (mut rest, mut sign, mut sum, mut found) = (clause, 1, 0, false);
            while let Some(first) = rest.chars().next() {
                let at_start = |word: &&String| rest.starts_with(word.as_str());
                let word = polarity.keys().filter(at_start).max_by_key(|word| word.len());
                let whole =
                    |n: usize| self.space.is_empty() || !rest[n..].starts_with(|c: char| c.is_alphanumeric());
                let skip = match word {
                    Some(word) if whole(word.len()) => {
                        (sum, found) = (sum + sign * polarity[word], true);
                        word.len()
                    }
                    _ if rest.starts_with(self.not) && whole(self.not.len()) => {
                        sign = -1;
                        self.not.len()
                    }
                    _ if self.space.is_empty() => first.len_utf8(),
                    _ => rest.find(' ').map_or(rest.len(), |space| space + 1),
                };
                rest = rest[skip..].trim_start();
            }
            found.then_some(sum.signum())
        };
        clauses.filter_map(of_clause).last().unwrap_or(0)
    }

    /// The share of variants that have the label of their original, and how many there are.
    fn preserved(&self, eda: &Eda, examples: usize) -> (f64, usize) {
        let polarity = self.polarity();
        let mut rng = rng(3);
        let (mut same, mut all) = (0, 0);
        for _ in 0..examples {
            let text = self.sentence(&mut rng);
            let label = self.label(&text, &polarity);
            assert_ne!(label, 0, "every sentence of the language has a label: {text}");
            for variant in eda.paraphrases(&text, 8, &mut rng).unwrap() {
                all += 1;
                same += usize::from(self.label(&variant, &polarity) == label);
            }
        }
        (same as f64 / all as f64, all)
    }
}

#[test]
fn the_reader_of_labels_reads() {
    let (english, chinese) = (ENGLISH.polarity(), CHINESE.polarity());
    for (text, label) in [
        ("Honestly the food was good", 1),
        ("the food was not very good", -1),
        ("the food was good, but the boss was not excellent", -1),
        ("the food was not bad", 1),
        ("the goodness", 0),
    ] {
        assert_eq!(ENGLISH.label(text, &english), label, "{text}");
    }
    for (text, label) in
        [("昨天味道很好吃", 1), ("味道不好吃", -1), ("味道不好吃，但是颜色漂亮", 1), ("味道", 0)]
    {
        assert_eq!(CHINESE.label(text, &chinese), label, "{text}");
    }
}

/// With protection every variant keeps its label; without, many do not. So the test can fail, and
/// protection is what makes it pass.
#[test]
fn labels_stay_true() {
    for (language, name) in [(ENGLISH, "English"), (CHINESE, "Chinese")] {
        let protection = |name: &str, words: &[&str]| {
            Protection::parse(&format!("{name}\t{}\n", words.join(" ")), "test").unwrap()
        };
        let mut protected = Protection::built_in();
        protected.extend(protection("polarity", language.good));
        protected.extend(protection("polarity", language.bad));
        let eda =
            |protection| Eda::with(0.2, Synonyms::built_in(), protection, Segmenter::built_in()).unwrap();
        let (with, variants) = language.preserved(&eda(protected), 300);
        let (plain, _) = language.preserved(&eda(Protection::built_in()), 300);
        let (without, _) = language.preserved(&eda(Protection::none()), 300);
        eprintln!(
            "{name}: {with:.4} of {variants} labels kept; with the built-in list {plain:.4}; unprotected {without:.4}"
        );
        assert!(variants > 1500, "{name}: {variants} variants");
        assert!(with == 1.0, "{name}: {with}");
        assert!(plain >= 0.98, "{name}: with the built-in list {plain}");
        assert!(without < 0.95, "{name}: without protection {without}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn variants_are_new_and_few(text in "([A-Za-z]{1,6}|big|food|not|好吃|不|味道|，|\\.| |\\PC){0,14}", seed: u64) {
        let eda = built_in();
        let variants = eda.paraphrases(&text, 5, &mut rng(seed)).unwrap();
        prop_assert!(variants.len() <= 5);
        for (i, variant) in variants.iter().enumerate() {
            prop_assert!(variant != text.trim_end() && !variants[..i].contains(variant));
        }
        prop_assert_eq!(eda.paraphrases(&text, 5, &mut rng(seed)).unwrap(), variants);
    }
}

#[test]
fn negation_contrast_and_degree_stay() {
    let text = "I don't think it was cheap, but the food was very good and the waiter was not slow.";
    for seed in 0..100 {
        for variant in built_in().paraphrases(text, 8, &mut rng(seed)).unwrap() {
            for kept in ["don't ", " it was ", ", but ", "very ", "not s"] {
                assert!(variant.contains(kept), "{kept:?} is not in: {variant}");
            }
        }
    }
    assert_eq!(Protection::built_in().class("Wouldn’t"), Some(Class::Negation));
    assert_eq!(Protection::none().class("wouldn't"), None);
}

#[test]
fn each_operation_shows() {
    let text = "Yesterday the big dog walked down the road to the shop";
    let words: Vec<&str> = text.split(' ').collect();
    let (mut longer, mut shorter, mut replaced, mut moved) = (0_u32, 0, 0, 0);
    for seed in 0..20 {
        for variant in built_in().paraphrases(text, 4, &mut rng(seed)).unwrap() {
            let found: Vec<&str> = variant.split(' ').collect();
            let sorted = |mut list: Vec<String>| {
                list.sort();
                list
            };
            let same = sorted(found.iter().map(|w| w.to_string()).collect())
                == sorted(words.iter().map(|w| w.to_string()).collect());
            match found.len().cmp(&words.len()) {
                std::cmp::Ordering::Greater => longer += 1,
                std::cmp::Ordering::Less => shorter += 1,
                std::cmp::Ordering::Equal if same => moved += 1,
                std::cmp::Ordering::Equal => replaced += 1,
            }
        }
    }
    // Four variants, four operations in turn; where one makes nothing new (two equal words change places), the
    // next has its turn.
    let counts = [longer, shorter, replaced, moved];
    assert_eq!(counts.iter().sum::<u32>(), 80);
    assert!(counts.iter().all(|&n| n >= 15), "{counts:?}");
}

#[test]
fn nothing_to_change_is_no_error() {
    for text in ["", " ", "。", "no", "not good", "不"] {
        assert!(built_in().paraphrases(text, 4, &mut rng(1)).unwrap().len() <= 4, "{text}");
    }
    assert!(built_in().paraphrases("not", 4, &mut rng(1)).unwrap().is_empty());
    for alpha in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(matches!(Eda::new(alpha), Err(DataError::InvalidSetting { name: "alpha", .. })));
    }
}

/// Two tables of words as the two models: from English to Chinese several words meet, and on the way back one of them
/// is drawn. That is a paraphrase.
#[test]
fn back_translation_is_forth_and_back() {
    const TABLE: [(&str, &str); 5] =
        [("film", "电影"), ("movie", "电影"), ("good", "好"), ("fine", "好"), ("the", "那")];
    let unknown = |word: &str| DataError::Malformed {
        what: "the sentence".into(),
        place: String::new(),
        found: format!("{word:?}"),
        expected: "a word of the table".into(),
        remedy: "use another word".into(),
    };
    let forth = |text: &str, _: &mut Rng| {
        let word =
            |w: &str| TABLE.iter().find(|(en, _)| *en == w).map(|(_, zh)| *zh).ok_or_else(|| unknown(w));
        Ok(text.split(' ').map(word).collect::<Result<Vec<_>, _>>()?.join(" "))
    };
    let back = |text: &str, rng: &mut Rng| {
        let mut word = |w: &str| {
            let choices: Vec<&str> = TABLE.iter().filter(|(_, zh)| *zh == w).map(|(en, _)| *en).collect();
            choices[rng.below(choices.len() as u64) as usize]
        };
        Ok(text.split(' ').map(&mut word).collect::<Vec<_>>().join(" "))
    };
    let method: &dyn Paraphrase = &BackTranslation { forth, back };
    let mut variants = method.paraphrases("the good film", 50, &mut rng(1)).unwrap();
    variants.sort();
    assert_eq!(variants, ["the fine film", "the fine movie", "the good movie"]);
    let error = method.paraphrases("the bad film", 1, &mut rng(1)).unwrap_err();
    assert!(error.to_string().contains("\"bad\""), "{error}");
}

#[test]
fn the_own_synonyms_are_sets() {
    for (text, name) in [
        (include_str!("../../../datasets/synonyms-en.tsv"), "en"),
        (include_str!("../../../datasets/synonyms-zh.tsv"), "zh"),
    ] {
        let sets: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        assert!(sets.len() >= 200, "{name}: {} sets", sets.len());
        let mut words: Vec<&str> = sets.iter().flatten().copied().collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all, "{name}: a word is in one set only");
        // No set mixes a protected word that may not be replaced with one that may.
        let protection = Protection::built_in();
        for set in &sets {
            let fixed = |w: &&&str| !matches!(protection.class(w), None | Some(Class::Polarity));
            assert_eq!(set.iter().filter(fixed).count(), 0, "{set:?}");
        }
    }
}

#[test]
fn bad_lists_are_explained() {
    let synonyms = |text: &str| Synonyms::parse(text, "s.tsv").unwrap_err().to_string();
    assert!(synonyms("big\tlarge\nalone\n").starts_with("s.tsv, line 2: expected two or more synonyms"));
    assert!(synonyms("# nothing\n").contains("found none"));
    let protection = |text: &str| Protection::parse(text, "p.tsv").unwrap_err().to_string();
    assert!(protection("mood\tgood\n").starts_with("p.tsv, line 1: expected negation"));
    assert!(protection("degree\t \n").contains("line 1"));
    assert!(protection("\n").contains("found none"));
}
