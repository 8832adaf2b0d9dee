use super::*;
use crate::metrics::LabelScores;
use proptest::prelude::*;
use random::{Rng, Stream};

fn rows(rows: &[(&str, &str)]) -> Labelled {
    Labelled::new(rows.iter().map(|(text, label)| (text.to_string(), label.to_string())).collect()).unwrap()
}

/// The worked example of Manning, Raghavan and Schuetze, section 13.2 (with our prior, which adds one):
/// P(chinese | c) = (5+1)/(8+6) = 3/7, P(tokyo | c) = P(japan | c) = 1/14; of the other class 2/9 each.
#[test]
fn naive_bayes_by_hand() {
    let data = rows(&[
        ("chinese beijing chinese", "china"),
        ("chinese chinese shanghai", "china"),
        ("chinese macao", "china"),
        ("tokyo japan chinese", "other"),
    ]);
    let model = NaiveBayes::fit(&data, 1, 1);
    let china = 4.0 / 6.0 * (3.0_f64 / 7.0).powi(3) / 14.0 / 14.0;
    let other = 2.0 / 6.0 * (2.0_f64 / 9.0).powi(3) * (2.0 / 9.0) * (2.0 / 9.0);
    let p = model.probabilities("chinese chinese chinese tokyo japan unheard");
    assert!((p[0] - china / (china + other)).abs() < 1e-14, "{p:?}");
    assert_eq!(model.features(), 6);
}

#[test]
fn features_are_counted_weighted_and_scaled() {
    let features = Features::fit(["A b", "b c b", "送餐"], Counted::Words(2), 1, 100);
    // a, "a b", b, "b c", c, "c b", 送, "送 餐", 餐
    assert_eq!(features.len(), 9);
    assert_eq!(features.counts("b, B a? nothing else"), [(0, 1.0), (2, 2.0)]);
    let idf = |of: f64| (4.0_f64 / (1.0 + of)).ln() + 1.0;
    let (a, b) = (idf(1.0), 2.0 * idf(2.0));
    let tf_idf = features.tf_idf("b, B a?");
    let length = (a * a + b * b).sqrt();
    assert!((tf_idf[0].1 - a / length).abs() < 1e-14 && (tf_idf[1].1 - b / length).abs() < 1e-14);
    assert!(features.tf_idf("nothing").is_empty());
    assert_eq!(Features::fit(["A b", "b c b", "送餐"], Counted::Words(2), 2, 100).len(), 1);
}

/// At the minimum the gradient vanishes, so the mean probability of each label is its share (the bias is
/// free), and a central difference of the objective, recomputed here from its definition, is 0.
#[test]
fn logistic_regression_is_at_its_minimum() {
    let mut rng = Rng::new(1, Stream::Other(0));
    let texts: Vec<(String, String)> = (0..60)
        .map(|_| {
            let label = rng.below(3);
            let word = |rng: &mut Rng| ["w0", "w1", "w2", "v", "u"][((label + rng.below(4)) % 5) as usize];
            ((0..5).map(|_| word(&mut rng)).collect::<Vec<_>>().join(" "), format!("label {label}"))
        })
        .collect();
    let data = Labelled::new(texts).unwrap();
    let c = 2.0;
    let model = LogisticRegression::fit(&data, Counted::Words(1), 1, c);
    for label in 0..3 {
        let mean: f64 = data.texts().iter().map(|text| model.probabilities(text)[label]).sum::<f64>() / 60.0;
        let share = data.labels().iter().filter(|&&l| l == label).count() as f64 / 60.0;
        assert!((mean - share).abs() < 2e-5, "{mean} {share}");
    }
    let features = 3 * model.features().len();
    let definition = |model: &LogisticRegression| {
        let pairs = data.texts().iter().zip(data.labels());
        let loss: f64 = pairs.map(|(text, &label)| -model.probabilities(text)[label].ln()).sum();
        let weights = model.weights[..features].iter();
        (loss + weights.map(|w| w * w).sum::<f64>() / (2.0 * c)) / 60.0
    };
    for i in 0..model.weights.len() {
        let moved = |by: f64| {
            let mut model = model.clone();
            model.weights[i] += by;
            definition(&model)
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!(slope.abs() < 1.1e-5, "weight {i}: slope {slope:e}");
    }
    assert!(LabelScores::of(&model, &data).accuracy > 0.5);
}

/// With two labels C is scikit-learn's: one row w, penalized by |w|^2 / (2 C).
#[test]
fn two_labels_have_the_penalty_of_one_row() {
    let texts: Vec<(String, String)> = (0..40)
        .map(|i| (format!("w{} v{}", i % 3, i % 4), format!("{}", u8::from(i % 3 == 0 || i % 7 == 0))))
        .collect();
    let data = Labelled::new(texts).unwrap();
    let c = 1.5;
    let model = LogisticRegression::fit(&data, Counted::Words(1), 1, c);
    let width = model.features().len() + 1;
    let row: Vec<f64> = model.weights.chunks(2).map(|of| of[1] - of[0]).collect();
    // The objective of the row alone: sum of ln(1 + exp(-y (w x + b))) + |w|^2 / (2 C), with w moved by moving both rows.
    let objective = |i: usize, by: f64| {
        let mut moved = model.clone();
        moved.weights[2 * i + 1] += by / 2.0;
        moved.weights[2 * i] -= by / 2.0;
        let pairs = data.texts().iter().zip(data.labels());
        let loss: f64 = pairs.map(|(text, &label)| -moved.probabilities(text)[label].ln()).sum();
        let square: f64 = row[..width - 1]
            .iter()
            .enumerate()
            .map(|(k, w)| if k == i { (w + by).powi(2) } else { w * w })
            .sum();
        loss + square / (2.0 * c)
    };
    for i in 0..width {
        let slope = (objective(i, 1e-5) - objective(i, -1e-5)) / 2e-5;
        assert!(slope.abs() < 1e-3, "weight {i}: slope {slope:e}");
        assert!(i == width - 1 || row[i].abs() > 1e-3);
    }
}

/// Rosenbrock's valley is not convex, and harder than anything here.
#[test]
fn lbfgs_finds_the_end_of_the_valley() {
    let minimum = minimise(vec![-1.2, 1.0], 200, 1e-8, |x, g| {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        (g[0], g[1]) = (-2.0 * a - 400.0 * x[0] * b, 200.0 * b);
        a * a + 100.0 * b * b
    });
    assert!(minimum.converged, "{minimum:?}");
    assert!((minimum.x[0] - 1.0).abs() < 1e-6 && (minimum.x[1] - 1.0).abs() < 1e-6);
    assert!(minimum.iterations < 60, "{}", minimum.iterations);
}

#[test]
fn labels_are_checked() {
    let train = rows(&[("a", "x"), ("b", "y")]);
    assert_eq!(train.names(), ["x", "y"]);
    let error = Labelled::with_names(vec![("c".into(), "z".into())], train.names()).unwrap_err().to_string();
    assert!(error.contains("expected one of \"x\", \"y\"") && error.contains("\"z\""), "{error}");
    assert!(Labelled::new(Vec::new()).is_err());
}

#[test]
fn majority_and_texts_without_words() {
    let data = rows(&[("!!", "n"), ("??", "p"), ("", "p")]);
    let majority = Majority::fit(&data);
    assert_eq!(majority.predict("anything"), 1);
    let even = NaiveBayes::fit(&data, 1, 1);
    assert_eq!(even.predict("words"), 1, "the prior alone");
    let regression = LogisticRegression::fit(&data, Counted::Words(1), 1, 1.0);
    assert!((regression.probabilities("words")[1] - 2.0 / 3.0).abs() < 1e-4);
}

proptest! {
    /// Words come out in order, are in the text, and hold nothing but letters, digits and apostrophes.
    #[test]
    fn words_are_in_the_text(text in "[a-c' ,.!中文ひ\n]{0,40}") {
        let joined: String = words(&text).collect();
        let expected: String = text.chars().filter(|c| c.is_alphanumeric() || *c == '\'').collect();
        prop_assert_eq!(joined, expected);
        prop_assert!(words(&text).all(|w| w.chars().count() == 1 || w.is_ascii()));
    }
}

/// The weights are where the objective is least: no neighbour among the allowed is better. The outcome of each of three
/// classifiers alone, and of all with equal weights, is among what is compared.
#[test]
fn a_mixture_is_at_its_minimum_and_no_weight_is_negative() {
    let mut rng = random::Rng::new(5, random::Stream::Data);
    // How much each knows of the label; some are wrong on purpose.
    for (knows, zero) in [
        ([1.0, 1.0, 0.5], [false; 3]),
        ([2.0, 0.3, 0.3], [false; 3]),
        ([1.0, -1.5, 1.0], [false, true, false]),
        ([-1.5, 1.0, -1.0], [true, false, true]),
        ([-1.5, -1.0, -1.0], [true; 3]),
    ] {
        let (mut all, mut labels) = ([vec![], vec![], vec![]], vec![]);
        for i in 0..300 {
            labels.push(i % 3);
            for (texts, knows) in all.iter_mut().zip(knows) {
                let mut p: Vec<f64> = (0..3)
                    .map(|name| f64::from(rng.normal()) + if name == i % 3 { knows } else { 0.0 })
                    .collect();
                softmax(&mut p);
                texts.push(p);
            }
        }
        let objective = |weights: &[f64]| {
            let mixture = Mixture { weights: weights.to_vec() };
            let p =
                |i: usize| mixture.probabilities(&[all[0][i].clone(), all[1][i].clone(), all[2][i].clone()]);
            let data: f64 = labels.iter().enumerate().map(|(i, label)| -p(i)[*label].ln()).sum();
            (data + weights.iter().map(|w| (w - 1.0 / 3.0).powi(2)).sum::<f64>()) / 300.0
        };
        let fitted = Mixture::fit(&[&all[0], &all[1], &all[2]], (&labels, &[1.0; 300]));
        let is_zero: Vec<bool> = fitted.weights.iter().map(|w| *w == 0.0).collect();
        assert_eq!(is_zero, zero, "{knows:?}: {fitted:?}");
        assert!(fitted.is_valid());
        let least = objective(&fitted.weights);
        let mut near =
            vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0], vec![1.0 / 3.0; 3]];
        for i in 0..3 {
            for (j, by) in [(i, 1e-3), (i, -1e-3), ((i + 1) % 3, 1e-3), ((i + 2) % 3, 1e-3)] {
                let mut moved = fitted.weights.clone();
                moved[i] -= 1e-3;
                moved[j] += 1e-3 + by;
                near.push(moved);
            }
        }
        for weights in near.into_iter().filter(|weights| weights.iter().all(|w| *w >= 0.0)) {
            assert!(objective(&weights) >= least - 1e-9, "{knows:?}: {fitted:?}, {weights:?}");
        }
    }
    // With one text the prior counts as much as it does.
    let even: &[Vec<f64>] = &[vec![0.5, 0.5]];
    let one = Mixture::fit(&[even, even], (&[0], &[1.0]));
    assert!(one.weights.iter().all(|w| (w - 0.5).abs() < 1e-6), "{one:?}");
}

/// A text that counts nothing is not there, but for its share of the prior; one that counts three times is there three times.
#[test]
fn a_mixture_counts_texts_as_it_is_told() {
    let p: Vec<Vec<f64>> = [0.9, 0.2, 0.6, 0.7].iter().map(|p| vec![*p, 1.0 - p]).collect();
    let other: Vec<Vec<f64>> = [0.4, 0.1, 0.9, 0.3].iter().map(|p| vec![*p, 1.0 - p]).collect();
    let labels = [0, 1, 1, 0];
    let take = |of: &[Vec<f64>], places: &[usize]| places.iter().map(|&i| of[i].clone()).collect::<Vec<_>>();
    let fit = |places: &[usize], counts: &[f64]| {
        let labels: Vec<usize> = places.iter().map(|&i| labels[i]).collect();
        Mixture::fit(&[&take(&p, places), &take(&other, places)], (&labels, counts)).weights
    };
    let thrice = fit(&[0, 1, 1, 1, 2, 3], &[1.0; 6]);
    let counted = fit(&[0, 1, 1, 1, 2, 3], &[2.0, 3.0, 3.0, 0.0, 2.0, 2.0]);
    assert!(thrice.iter().zip(&counted).all(|(a, b)| (a - b).abs() < 1e-5), "{thrice:?} {counted:?}");
    let without = fit(&[0, 1, 2, 3], &[1.0, 1.0, 0.0, 1.0]);
    assert!(without != fit(&[0, 1, 2, 3], &[1.0; 4]), "{without:?}");
}

#[test]
fn texts_count_as_their_labels_do() {
    let rows =
        [("a", "x"), ("b", "y"), ("c", "x")].map(|(text, label)| (text.to_string(), label.to_string()));
    let data = Labelled::new(rows.to_vec()).unwrap().and([("d".to_string(), 1)], 0.5).weighted(&[0.25, 3.0]);
    assert_eq!(data.weights(), [0.25, 3.0, 0.25, 1.5]);
}

#[test]
fn runs_of_characters_stay_within_a_stretch() {
    let features = Features::fit(["Ab c", "ab"], Counted::Characters(2, 3), 1, 100);
    let mut names: Vec<String> = features.parts().iter().map(|(name, of)| format!("{name}:{of}")).collect();
    names.sort();
    assert_eq!(names, [" a:2", " ab:2", " c :1", " c:1", "ab :2", "ab:2", "b :2", "c :1"]);
    let twice = features.tf_idf("c c");
    let once = features.tf_idf("c");
    assert_eq!(twice.len(), 3);
    // 1 + ln 2 for all: the same after scaling.
    twice.iter().zip(&once).for_each(|(a, b)| assert!((a.1 - b.1).abs() < 1e-12));
}

#[test]
fn of_too_many_features_those_of_most_texts_stay() {
    let texts = ["a b c", "b c d", "c d e", "e"];
    let kept = |most| {
        let features = Features::fit(texts, Counted::Words(1), 1, most);
        features.parts().iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(kept(9), ["a", "b", "c", "d", "e"]);
    assert_eq!(kept(4), ["b", "c", "d", "e"]);
    assert_eq!(kept(2), ["b", "c"], "of b, d and e, which two texts have, the first");
    assert_eq!(kept(1), ["c"]);
}

/// In a small table what one text has is forgotten from time to time, and what texts have again and again is not.
#[test]
fn runs_of_one_text_are_forgotten_where_there_is_no_room() {
    let texts: Vec<String> = (0..500).map(|i| format!("a b{} c{i}", i % 5)).collect();
    let fit = |room| {
        let texts = texts.iter().map(String::as_str);
        let features = Features::fit_within(room, texts, Counted::Words(1), 2, 100);
        features.parts().iter().map(|(name, of)| (name.to_string(), *of)).collect::<Vec<_>>()
    };
    let (all, few) = (fit(1 << 20), fit(20));
    assert_eq!(all.len(), 6);
    assert!(
        few.len() == 6 && few.iter().zip(&all).all(|(few, all)| few.0 == all.0 && few.1 + 2 >= all.1),
        "{few:?}"
    );
}

/// Each strength begins where the one before ended, and ends where it would from the beginning.
#[test]
fn strengths_are_chosen_as_if_each_were_fitted_alone() {
    let text = |i: usize| (format!("w{} v{} u{}", i % 3, i % 4, i % 7), format!("{}", i % 5 / 2));
    let train = Labelled::new((0..90).map(text).collect()).unwrap();
    let validation = Labelled::with_names((90..130).map(text).collect(), train.names()).unwrap();
    let (c, model) = LogisticRegression::choose(&train, &validation, Counted::Words(1));
    let alone = LogisticRegression::fit(&train, Counted::Words(1), MIN_DOCUMENTS, c);
    for (a, b) in model.weights.iter().zip(&alone.weights) {
        assert!((a - b).abs() < 2e-2 * (1.0 + b.abs()), "C {c}: {a} {b}");
    }
}
