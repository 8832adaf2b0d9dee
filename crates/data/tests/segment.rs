//! Segmentation: what must hold for any text, exact small cases, and figures on text with known words.

use data::DataError;
use data::segment::{Dict, Gold, Method, Score, Segmenter, cross_validate};
use proptest::prelude::*;
use random::{Rng, Stream};

fn total(scores: Vec<Score>) -> Score {
    let mut sum = Score::default();
    scores.into_iter().for_each(|score| sum += score);
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_words_are_the_text(text in "[一-三的了人他是大 a-c0-9。，…%.\\s\\PC]{0,40}") {
        let segmenter = Segmenter::built_in();
        let expected: String = text.split_whitespace().collect();
        for method in Method::ALL {
            let words = segmenter.segment(&text, method);
            prop_assert!(words.iter().all(|word| !word.is_empty()));
            prop_assert_eq!(words.concat(), expected.as_str());
        }
    }

    /// The dynamic programme against all segmentations of a short text.
    #[test]
    fn the_path_is_the_likeliest(
        text in "[甲乙丙]{1,8}",
        words in proptest::collection::vec(("[甲乙丙]{1,4}", 0_u32..50), 1..12),
    ) {
        let lines: String = words.iter().map(|(word, n)| format!("{word} {n}\n")).collect();
        let dict = Dict::parse(&lines, "test").unwrap();
        let log_total = (dict.total().max(1) as f64).ln();
        let score = |words: &[&str]| -> f64 {
            let of = |w: &&str| {
                let count = dict.count(&w.chars().collect::<Vec<_>>());
                let single = w.chars().count() == 1;
                match count {
                    Some(n) => (n.max(1) as f64).ln() - log_total,
                    None if single => -log_total,
                    None => f64::NEG_INFINITY,
                }
            };
            words.iter().map(of).sum()
        };
        let chars: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        let inner = chars.len() - 2;
        let best = (0..1_u32 << inner).map(|cuts| {
            let mut words = Vec::new();
            let mut start = 0;
            for i in 1..chars.len() {
                if i == chars.len() - 1 || cuts >> (i - 1) & 1 == 1 {
                    words.push(&text[start..chars[i]]);
                    start = chars[i];
                }
            }
            score(&words)
        });
        let best = best.fold(f64::NEG_INFINITY, f64::max);
        let found = score(&Segmenter::from_dict(dict.clone()).segment(&text, Method::Dag));
        prop_assert!((found - best).abs() <= 1e-9, "found {found}, best {best}");
    }

    /// A dictionary is what was put in: looked up, counted, listed.
    #[test]
    fn a_dictionary_keeps_its_words(words in proptest::collection::vec(("[甲乙丙丁]{1,5}", 1_u32..9), 1..30)) {
        let lines: String = words.iter().map(|(word, n)| format!("{word} {n} n\n")).collect();
        let dict = Dict::parse(&lines, "test").unwrap();
        let mut expected = std::collections::BTreeMap::new();
        words.iter().for_each(|(word, n)| *expected.entry(word.clone()).or_insert(0) += u64::from(*n));
        prop_assert_eq!(dict.total(), expected.values().sum::<u64>());
        prop_assert_eq!(dict.len(), expected.len());
        prop_assert_eq!(dict.words(), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn greedy_and_likeliest_differ_where_they_should() {
    let dict = Dict::parse("研究 50\n研究生 10\n生命 40\n命 5\n起源 20\n的 300 uj\n", "test").unwrap();
    let segmenter = Segmenter::from_dict(dict);
    let words = |method| segmenter.segment("研究生命的起源", method).join(" ");
    assert_eq!(words(Method::Fmm), "研究生 命 的 起源");
    assert_eq!(words(Method::Bmm), "研究 生命 的 起源");
    assert_eq!(words(Method::Dag), "研究 生命 的 起源");
    // From the right is no better in general: here it takes 生命.
    assert_eq!(segmenter.segment("研究生命的", Method::Bmm), ["研究", "生命", "的"]);
    let dict = Dict::parse("北京 9\n北京大学 5\n大学 9\n大学生 8\n学生 9\n生 1\n", "test").unwrap();
    let segmenter = Segmenter::from_dict(dict);
    assert_eq!(segmenter.segment("北京大学生", Method::Fmm), ["北京大学", "生"]);
    assert_eq!(segmenter.segment("北京大学生", Method::Bmm), ["北京", "大学生"]);
    assert_eq!(segmenter.segment("北京大学生", Method::Dag), ["北京", "大学生"]);
}

#[test]
fn other_scripts_need_no_dictionary() {
    let words =
        Segmenter::built_in().segment(" 他跑了3.5公里,用时20%…… don't  stop!\t——A4纸", Method::DagHmm);
    assert_eq!(words[..3], ["他", "跑", "了"]);
    for word in ["3.5", ",", "20%", "……", "don't", "stop", "!", "——", "A4"] {
        assert!(words.contains(&word), "{word} in {words:?}");
    }
}

/// Words of the dictionary with letters in them (jieba 550, 551): found at their borders only, the longest first.
#[test]
fn words_that_mix_scripts() {
    let dict = Dict::parse("T恤 5\n卡拉OK 5\n卡拉OK厅 2\nAA制 5\na字群 1\n我们 9\n唱 3\n", "d").unwrap();
    let segmenter = Segmenter::from_dict(dict);
    for method in Method::ALL {
        let words = |text| segmenter.segment(text, method).join(" ");
        assert_eq!(words("我们AA制唱卡拉OK"), "我们 AA制 唱 卡拉OK");
        assert_eq!(words("T恤,卡拉OK厅 a字群"), "T恤 , 卡拉OK厅 a字群");
        assert_eq!(words("BT恤"), "BT 恤", "not within a word of letters");
        assert_eq!(words("卡拉OKs"), segmenter.segment("卡拉", method).join(" ") + " OKs");
    }
}

#[test]
fn a_score_counts_spans() {
    // Gold: 研究 生命 的 起源; found: 研究生 命 的 起源. Right: 的, 起源.
    let dict = Dict::parse("研究生 1\n命 1\n的 1\n起源 1\n研究 1\n", "test").unwrap();
    let gold = Gold::parse("研究 生命 的 起源\n", "test").unwrap();
    let score = Score::of(&Segmenter::from_dict(dict), &gold, Method::Fmm);
    assert_eq!(score, Score { gold: 4, found: 4, correct: 2, oov: 1, oov_correct: 0 });
    assert_eq!((score.precision(), score.recall(), score.f1()), (0.5, 0.5, 0.5));
    assert_eq!((score.oov_rate(), score.oov_recall()), (0.25, 0.0));
    assert_eq!(Score::default().f1(), 0.0);
}

/// The yardstick: at least 2 points over maximum matching on held-out gold text.
#[test]
fn the_combination_beats_maximum_matching_on_own_gold() {
    let gold = Gold::built_in();
    let [fmm, bmm, dag, both] = Method::ALL.map(|method| total(cross_validate(&gold, 5, method)).f1());
    let matching = fmm.max(bmm);
    assert!(both >= matching + 0.02, "dag+hmm {both:.4}, matching {matching:.4}");
    assert!(both >= 0.84 && dag >= 0.74, "dag {dag:.4}, dag+hmm {both:.4}");
    // The folds hold each sentence out once.
    let words: usize = gold.sentences.iter().map(Vec::len).sum();
    assert_eq!(total(cross_validate(&gold, 5, Method::Fmm)).gold, words);
}

/// A language whose words are known: invented words of 1 to 3 of 200 characters with Zipf's counts, drawn
/// independently. Every hundredth word of the test is one that training never saw.
#[test]
fn a_generated_grammar_is_recovered() {
    let mut rng = Rng::new(7, Stream::Other(0));
    let mut draw = |n: u64| rng.below(n);
    let mut lexicon: Vec<String> = Vec::new();
    while lexicon.len() < 800 {
        let length = [1, 2, 2, 2, 3][draw(5) as usize];
        let word: String = (0..length).map(|_| char::from_u32(0x4E00 + draw(200) as u32).unwrap()).collect();
        if !lexicon.contains(&word) {
            lexicon.push(word);
        }
    }
    let (known, unseen) = lexicon.split_at(700);
    let cumulative: Vec<u64> = (0..known.len() as u64)
        .scan(0, |sum, rank| {
            *sum += 1_000_000 / (rank + 5);
            Some(*sum)
        })
        .collect();
    let mut sentences = |n: usize, with_unseen: bool| -> Gold {
        let mut word = || {
            if with_unseen && draw(100) == 0 {
                return unseen[draw(unseen.len() as u64) as usize].clone();
            }
            let point = draw(*cumulative.last().unwrap());
            known[cumulative.partition_point(|&sum| sum <= point)].clone()
        };
        Gold { sentences: (0..n).map(|_| (0..10).map(|_| word()).collect()).collect() }
    };
    let segmenter = Segmenter::from_gold(&sentences(3000, false));
    let test = sentences(400, false);
    let [fmm, _, dag, both] = Method::ALL.map(|method| Score::of(&segmenter, &test, method).f1());
    eprintln!("generated grammar: fmm {fmm:.4}, dag {dag:.4}, dag+hmm {both:.4}");
    assert!(dag >= 0.99 && both >= 0.99, "dag {dag:.4}, dag+hmm {both:.4}");
    assert!(
        fmm < dag,
        "the language is ambiguous enough to tell the methods apart: fmm {fmm:.4}, dag {dag:.4}"
    );
    let test = sentences(400, true);
    let score = Score::of(&segmenter, &test, Method::DagHmm);
    eprintln!("with 1 % unseen words: dag+hmm {:.4}, found {:.2} of them", score.f1(), score.oov_recall());
    assert!(score.oov > 20 && score.f1() >= 0.97, "{score:?}");
}

#[test]
fn the_own_gold_keeps_its_convention() {
    let gold = Gold::built_in();
    assert!(gold.sentences.len() >= 500);
    let mut texts: Vec<String> = gold.sentences.iter().map(|words| words.concat()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), gold.sentences.len(), "no sentence is there twice");
    for words in &gold.sentences {
        let line = words.join(" ");
        assert!((8..=30).contains(&words.concat().chars().count()), "{line}");
        for word in words {
            // Marks and the small words of rules 1, 2, 3 and 4 stand alone.
            let alone = |c: char| "，。？！、：；的着吗呢".contains(c);
            let exceptions = ["睡着", "着凉", "着急"];
            let fine =
                word.chars().count() == 1 || !word.contains(alone) || exceptions.contains(&word.as_str());
            assert!(fine, "{word} in: {line}");
            let measured = ["一个", "两个", "三个", "这个", "那个", "一片", "不是", "不会", "不要", "一只"];
            assert!(!measured.contains(&word.as_str()), "{word} in: {line}");
        }
    }
}

#[test]
fn bad_files_are_explained() {
    let dict = |text: &str| Dict::parse(text, "d.txt").unwrap_err().to_string();
    assert!(dict("图书馆 12 n\n桌子 many n\n").starts_with("d.txt, line 2: expected a word, its count"));
    assert!(dict("桌子 many n\n").contains("found \"many\" where the count should be"));
    assert!(dict("a 1 n x\n").contains("4 columns"));
    assert!(dict("a -1\n").contains("\"-1\""));
    assert!(dict("a 99999999999\n").contains("99999999999"));
    assert!(dict("# nothing\n\n").contains("at least one word"));
    assert!(dict(&"长".repeat(65)).contains("more than 64 characters"));
    let gold = |text: &str| Gold::parse(text, "g.txt").unwrap_err();
    assert!(gold("").to_string().contains("at least one word"));
    let message = gold("他去图书馆\n我在家\n").to_string();
    assert!(message.contains("no space in any line") && message.contains("--dict"), "{message}");
    assert!(gold(&format!("a b\n{}\n", "长".repeat(65))).to_string().contains("g.txt, line 2"));
    assert!(matches!(Method::from_name("best"), Err(DataError::InvalidSetting { .. })));
    for method in Method::ALL {
        assert_eq!(Method::from_name(method.name()).unwrap(), method);
    }
}
