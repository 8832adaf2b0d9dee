use super::*;

/// The golden mean process: after a 0 always a 1, after a 1 a 1 with a probability of `tenths`. In n-grams of length 2 that is
/// all there is to know.
fn golden_mean(n: u64, tenths: u64, seed: u64) -> Vec<u32> {
    let (mut rng, mut last) = (Rng::new(seed, Stream::Data), 1);
    let next = |_| {
        last = u32::from(last == 0 || rng.below(10) < tenths);
        last
    };
    (0..n).map(next).collect()
}

/// KL of q = .7 from p = .5 in closed form: Q is in the state that chooses 1/(2-q) of the time.
const GOLDEN_KL: f64 = 0.063_295;

#[test]
fn golden_mean_has_its_divergence() {
    let closed = (0.7 * (0.7_f64 / 0.5).ln() + 0.3 * (0.3_f64 / 0.5).ln()) / 1.3;
    assert!((closed - GOLDEN_KL).abs() < 1e-6, "{closed}");
    let mut outside = 0;
    for seed in 0..8 {
        let (train, test) = (golden_mean(20_000, 5, 2 * seed), golden_mean(20_000, 7, 2 * seed + 1));
        let options = Options { divergence_order: 3, ..Options::default() };
        let found = divergences(&train, &test, 2, &options, &mut Rng::new(seed, Stream::Other(0)));
        for of_order in &found[1..] {
            let off = (of_order.kl - GOLDEN_KL).abs() / of_order.standard_error;
            assert!(off < 4.0, "seed {seed}: {of_order:?}");
            outside += u32::from(!(off < 2.0));
            assert!(of_order.standard_error < 0.005 && of_order.floor < 0.001, "{of_order:?}");
            assert!(of_order.kl > of_order.floor_95 && of_order.floor <= of_order.floor_95, "{of_order:?}");
        }
        // Knowing less of the context, one sees less of the difference.
        assert!(found[0].kl < found[1].kl);
    }
    assert!(outside <= 3, "an error bar of two standard errors holds 95 %: {outside} of 16 are outside");
}

#[test]
fn without_a_shift_the_divergence_is_the_floor() {
    let (train, test) = (golden_mean(30_000, 5, 1), golden_mean(10_000, 5, 2));
    for of_order in divergences(&train, &test, 2, &Options::default(), &mut Rng::new(1, Stream::Other(0))) {
        assert!(of_order.kl < of_order.floor + 4.0 * of_order.standard_error, "{of_order:?}");
        assert!(of_order.kl < 0.001 && of_order.js < 0.001 && of_order.js_floor < 0.001, "{of_order:?}");
    }
}

/// By hand: train aab -> a 2/3, b 1/3; test abb -> a 1/3, b 2/3, without smoothing.
#[test]
fn divergence_by_hand() {
    let options = Options { divergence_order: 1, alpha: 0.0, resamples: 0, ..Options::default() };
    let found = divergences(&[0, 0, 1], &[0, 1, 1], 2, &options, &mut Rng::new(1, Stream::Other(0)));
    let kl = 2.0_f64.ln() / 3.0;
    let js = (1.0 / 3.0) * (2.0_f64 / 3.0).ln() + (2.0 / 3.0) * (4.0_f64 / 3.0).ln();
    assert!((found[0].kl - kl).abs() < 1e-14 && (found[0].js - js).abs() < 1e-14, "{found:?}");
}

/// The loss of a model of P on Q is H(Q) + KL(Q || P), exactly what the gap is made of.
#[test]
fn the_gap_is_the_divergence_and_the_entropies() {
    let text = |ids: Vec<u32>| ids.iter().map(|id| ['a', 'b'][*id as usize]).collect::<String>();
    let (train, test) = (text(golden_mean(60_000, 5, 3)), text(golden_mean(30_000, 7, 4)));
    let tokenizer = CharTokenizer::from_text(&train).unwrap();
    let options = Options { order: 3, ..Options::default() };
    let found =
        perplexity_gap(&train, &test, &tokenizer, &options, &mut Rng::new(1, Stream::Other(0))).unwrap();
    // Without context at its start a passage of 1000 costs a little more.
    assert!((found.in_distribution - 0.462098).abs() < 0.01, "{found:?}");
    assert!((found.test - 0.533190).abs() < 0.01, "{found:?}");
    assert!((found.gap - (0.533190 - 0.462098)).abs() < 4.0 * found.standard_error + 0.002, "{found:?}");
    assert!(found.change_by_mixing.unwrap() < -0.01, "{found:?}");
}

/// Sentences of a small grammar; `names` decides who acts.
fn story(sentences: usize, names: &[&str], seed: u64) -> String {
    let mut rng = Rng::new(seed, Stream::Other(5));
    let pick = |rng: &mut Rng, of: &[&str]| of[rng.below(of.len() as u64) as usize].to_string();
    let things = ["the boat", "a lamp", "the old road", "rain", "a letter", "bread", "the hill", "a song"];
    let verbs = ["sees", "finds", "leaves", "wants", "hears of", "looks for", "paints", "forgets"];
    let line = |rng: &mut Rng| {
        format!(
            "{} {} {} and {}.\n",
            pick(rng, names),
            pick(rng, &verbs),
            pick(rng, &things),
            pick(rng, &things)
        )
    };
    (0..sentences).map(|_| line(&mut rng)).collect()
}

const OLD: [&str; 6] = ["Ann", "Bo", "Cara", "Dan", "Eve", "Finn"];

#[test]
fn one_source_has_no_shift() {
    let (train, test) = (story(7000, &OLD, 1), story(7000, &OLD, 2));
    let domain = domain_test(
        &train,
        &test,
        &Options { chunk: 200, ..Options::default() },
        &mut Rng::new(1, Stream::Other(2)),
    );
    let domain = domain.unwrap().unwrap();
    assert_eq!(domain.passages, 1000);
    assert!((domain.auc - 0.5).abs() < 0.03, "{domain:?}");
    assert!((0.0125..0.0135).contains(&domain.null_deviation), "{domain:?}");
}

#[test]
fn a_report_tells_a_shift_from_none() {
    let (train, same) = (story(900, &OLD, 1), story(300, &OLD, 2));
    let options = Options { chunk: 150, resamples: 8, order: 5, ..Options::default() };
    let mut stages = Vec::new();
    let report = compare(&train, &same, &options, |stage| stages.push(stage)).unwrap();
    assert_eq!(stages.len(), 4);
    assert_eq!((report.vocabulary.oov_words_percent, report.vocabulary.new_char_types), (0.0, 0));
    assert!(report.perplexity.gap.abs() < 4.0 * report.perplexity.standard_error, "{report:?}");
    assert!(report.remedies.len() == 1 && report.remedies[0].contains("No shift"), "{report:?}");

    let other = story(300, &["Zoë", "Xaver", "Quin", "Wu"], 3);
    let report = compare(&train, &other, &options, |_| ()).unwrap();
    assert!(report.vocabulary.oov_words_percent > 5.0 && report.vocabulary.new_char_types > 0, "{report:?}");
    assert!(report.divergence.iter().all(|d| d.kl > d.floor_95), "{report:?}");
    assert!(
        report.perplexity.gap > 0.05 && report.perplexity.change_by_mixing.unwrap() < -0.03,
        "{report:?}"
    );
    assert!(report.domain.unwrap().auc > 0.95, "{report:?}");
    for word in ["Mix", "continued pretraining", "characters of the test never occur", "AUC"] {
        assert!(report.remedies.iter().any(|r| r.contains(word)), "{word}: {:?}", report.remedies);
    }
    assert_eq!(report, compare(&train, &other, &options, |_| ()).unwrap(), "the same seed, the same report");
}

#[test]
fn short_texts_are_refused() {
    let error =
        compare("too short", &story(100, &OLD, 1), &Options::default(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("the training text: expected at least 2000, found 9 characters"), "{error}");
    let few = compare(&story(100, &OLD, 1), &story(8, &OLD, 2), &Options::default(), |_| ()).unwrap();
    assert_eq!(few.domain, None);
}

#[test]
fn words_without_end_are_cut() {
    let shift = vocabulary_shift("a", &format!("{} {}", "é".repeat(40), "é".repeat(41)));
    let [same, cut] = &shift.new_words[..] else { panic!("two new words: {shift:?}") };
    assert_eq!((same.0.as_str(), cut.0.as_str()), (&*"é".repeat(40), &*("é".repeat(40) + "...")));
}
