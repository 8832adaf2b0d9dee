//! Metrics against numbers of sacrebleu and rouge-score (fixtures/metrics.json, made by make_metrics.py), by hand, and by
//! their definitions.

use data::metrics::{
    Bleu, Calibration, Chrf, LabelScores, Rouge, TextMetric, Tokenization, area_under_curve,
    paired_bootstrap, pearson, spearman,
};
use proptest::prelude::*;
use random::{Rng, Stream};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string("tests/fixtures/metrics.json").unwrap();
    serde_json::from_str(&text).unwrap()
}

fn segments(case: &Value) -> Vec<(&str, Vec<&str>)> {
    case["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let references = pair[1].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
            (pair[0].as_str().unwrap(), references)
        })
        .collect()
}

#[track_caller]
fn assert_equal(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap_or_else(|| panic!("{what}: no number in the fixture"));
    assert!((ours - theirs).abs() <= 1e-6, "{what}: {ours}, expected {theirs}");
}

#[test]
fn bleu_is_sacrebleus() {
    let names = [Tokenization::V13a, Tokenization::Zh, Tokenization::Char, Tokenization::None];
    for case in cases() {
        for tokenization in names {
            let bleu = Bleu { tokenization, references: 1 };
            let what = format!("{} {}", case["name"], tokenization.name());
            assert_equal(bleu.corpus(&segments(&case)), &case["bleu"][tokenization.name()], &what);
        }
    }
}

#[test]
fn chrf_is_sacrebleus() {
    for case in cases() {
        assert_equal(
            Chrf { references: 1 }.corpus(&segments(&case)),
            &case["chrf"],
            &case["name"].to_string(),
        );
    }
}

#[test]
fn rouge_is_rouge_scores() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case["rouge"].is_object()) {
        for rouge in Rouge::ALL {
            assert_equal(rouge.corpus(&segments(case)), &case["rouge"][rouge.name()], &rouge.name());
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

/// Which `rouge-score` would call 0: four characters of six and five, in order.
#[test]
fn rouge_of_chinese_counts_characters() {
    let [one, two, longest] = Rouge::ALL.map(|rouge| rouge.corpus(&[("他在河边看书", vec!["他坐河边书"])]));
    assert!((one - 100.0 * 8.0 / 11.0).abs() < 1e-9, "{one}"); // 他 河 边 书
    assert!((two - 100.0 * 2.0 / 9.0).abs() < 1e-9, "{two}"); // 河边
    assert!((longest - one).abs() < 1e-9);
}

#[test]
fn the_best_is_a_hundred_and_nothing_is_zero() {
    let text = "A sentence of more than four words, and another one.";
    let metrics: [&dyn TextMetric; 3] = [&Bleu::default(), &Chrf { references: 1 }, &Rouge::ALL[2]];
    for metric in metrics {
        assert!((metric.corpus(&[(text, vec![text])]) - 100.0).abs() < 1e-9, "{}", metric.signature());
        assert_eq!(metric.corpus(&[]), 0.0);
        assert_eq!(metric.corpus(&[("", vec![text])]), 0.0);
    }
}

#[test]
fn scores_by_hand() {
    // Told 0 0 1 1 0, right 0 1 1 1 0: accuracy 4/5; F1 of 0 = 2*2/(2+3), of 1 = 2*2/(3+2).
    let p = [0.9, 0.8, 0.2, 0.4, 0.7].map(|p| vec![p, 1.0 - p]);
    let scores = LabelScores::of_probabilities(&p, &[0, 1, 1, 1, 0]);
    assert_eq!((scores.accuracy, scores.macro_f1), (0.8, 0.8));
    assert!((scores.auc.unwrap() - 5.0 / 6.0).abs() < 1e-15);
    // Always the same answer: F1 of 1 is 0, the curve is the diagonal.
    let scores = LabelScores::of_probabilities(&vec![vec![0.6, 0.4]; 4], &[0, 0, 0, 1]);
    assert_eq!((scores.accuracy, scores.macro_f1, scores.auc), (0.75, 3.0 / 7.0, Some(0.5)));
    assert_eq!(LabelScores::of_probabilities(&[vec![1.0]], &[0]).auc, None);
}

/// By hand: x = 1 2 3 4, y = 2 1 4 3 have covariance 3/4, variances 5/4.
#[test]
fn correlations_by_hand() {
    let (x, y) = ([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]);
    assert!((pearson(&x, &y).unwrap() - 0.6).abs() < 1e-12);
    assert!((spearman(&x, &y).unwrap() - 0.6).abs() < 1e-12);
    // Equals share a rank: 1.5 1.5 3 against 1 2 3.
    let tied = spearman(&[5.0, 5.0, 7.0], &[1.0, 2.0, 3.0]).unwrap();
    assert!((tied - (3.0_f64 / 4.0).sqrt()).abs() < 1e-12, "{tied}");
    assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), None);
    assert_eq!(pearson(&[], &[]), None);
    // The mean of equal numbers is another by rounding.
    assert_eq!(pearson(&[0.1; 10], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 11.0]), None);
}

#[test]
fn calibration_by_hand() {
    // Certain and right, certain and wrong, and a coin that comes up: |1/2 - 1| of two in the last bin, |1 - 0.5| of one.
    let p = vec![vec![1.0, 0.0], vec![1.0, 0.0], vec![0.5, 0.5]];
    let found = Calibration::of(&p, &[0, 1, 0]).unwrap();
    assert!((found.expected_error - (2.0 * 0.5 + 0.5) / 3.0).abs() < 1e-12);
    assert!((found.brier - (0.0 + 2.0 + 0.5) / 3.0).abs() < 1e-12);
    assert_eq!(Calibration::of(&[], &[]), None);
}

/// Of systems that are right with probability 0.7 and 0.7, or 0.8, on 200 texts: as many false alarms as promised, and
/// the real difference is mostly seen; the intervals hold the true difference.
#[test]
fn bootstrap_tells_luck_from_skill() {
    let mut rng = Rng::new(3, Stream::Data);
    let mut system = |p: f64| -> Vec<Vec<f64>> {
        (0..200).map(|_| vec![f64::from(u8::from((rng.below(1000) as f64) < 1000.0 * p)), 1.0]).collect()
    };
    let (mut covered, mut alarms, mut seen) = (0, 0, 0);
    let sets = 100;
    for seed in 0..sets {
        let (first, second, better) = (system(0.7), system(0.7), system(0.85));
        let accuracy = |sums: &[f64]| sums[0] / sums[1];
        let same = paired_bootstrap(&first, &second, accuracy, 300, seed);
        covered += u64::from(same.interval.0 <= 0.0 && 0.0 <= same.interval.1);
        alarms += u64::from(same.p_value < 0.025);
        seen += u64::from(paired_bootstrap(&better, &first, accuracy, 300, seed).p_value < 0.025);
    }
    // 95 of 100 with a standard deviation of 2.2; 5 false alarms (both signs).
    assert!((88..=100).contains(&covered), "{covered} of {sets} intervals hold the truth");
    assert!(alarms <= 14, "{alarms} false alarms");
    assert!(seen >= 85, "{seen} of {sets} differences seen");
}

proptest! {
    /// The area is what its definition counts, pair by pair.
    #[test]
    fn area_is_the_share_of_ordered_pairs(cases in prop::collection::vec((0_u8..6, any::<bool>()), 0..40)) {
        let scores: Vec<f64> = cases.iter().map(|(score, _)| f64::from(*score)).collect();
        let positive: Vec<bool> = cases.iter().map(|(_, positive)| *positive).collect();
        let (mut won, mut pairs) = (0.0, 0.0);
        for i in (0..cases.len()).filter(|&i| positive[i]) {
            for j in (0..cases.len()).filter(|&j| !positive[j]) {
                won += match scores[i].total_cmp(&scores[j]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
                pairs += 1.0;
            }
        }
        match area_under_curve(&scores, &positive) {
            Some(area) => prop_assert!((area - won / pairs).abs() < 1e-12),
            None => prop_assert_eq!(pairs, 0.0),
        }
    }

    /// Cut any text: nothing but spaces is lost, and no token has one.
    #[test]
    fn tokens_lose_nothing(text in "[a-z0-9 .,!&%()\\-中文，。\u{2014}\u{20000}]{0,40}") {
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        for tokenization in Tokenization::ALL {
            let tokens = tokenization.tokens(&text);
            prop_assert_eq!(visible(&tokens.concat()), visible(&text));
            prop_assert!(tokens.iter().all(|token| !token.is_empty() && !token.contains(' ')));
        }
    }

    /// Every metric is in its range, and no metric depends on the order of the segments.
    #[test]
    fn metrics_are_in_range(texts in prop::collection::vec(("[ab .]{0,12}", "[ab .]{0,12}"), 1..6)) {
        let forward: Vec<(&str, Vec<&str>)> = texts.iter().map(|(h, r)| (h.as_str(), vec![r.as_str()])).collect();
        let backward: Vec<(&str, Vec<&str>)> = forward.iter().rev().cloned().collect();
        let metrics: [&dyn TextMetric; 4] = [&Bleu::default(), &Chrf { references: 1 }, &Rouge::ALL[1], &Rouge::ALL[2]];
        for metric in metrics {
            let score = metric.corpus(&forward);
            prop_assert!((0.0..=100.0 + 1e-9).contains(&score), "{} {}", metric.signature(), score);
            prop_assert!((score - metric.corpus(&backward)).abs() < 1e-9);
        }
    }
}
