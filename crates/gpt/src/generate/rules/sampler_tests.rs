use super::super::{MinP, Never, TopK, TopP};
use super::*;
use proptest::prelude::*;
use random::{Rng, Stream};

/// What a sampler is made of.
#[derive(Clone, Copy, Debug)]
struct Settings {
    temperature: f32,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None, min_p: None }
    }
}

impl Settings {
    /// The rules in an order that is not the one in which they work.
    fn sampler(self) -> Sampler {
        let mut sampler = Sampler::default();
        if let Some(p) = self.min_p {
            sampler = sampler.with(MinP(p));
        }
        if let Some(p) = self.top_p {
            sampler = sampler.with(TopP(p));
        }
        if let Some(k) = self.top_k {
            sampler = sampler.with(TopK(k));
        }
        sampler.with(Temperature(self.temperature))
    }
}

/// The definition, without shortcuts: softmax with std's exp, ranks by counting, each filter on the
/// renormalised rest.
fn brute_force(sampler: &Settings, logits: &[f32]) -> Vec<(u32, f64)> {
    let x: Vec<f64> =
        logits.iter().map(|&x| if x.is_nan() { f64::NEG_INFINITY } else { f64::from(x) }).collect();
    let beats = |a: usize, b: usize| x[a] > x[b] || (x[a] == x[b] && a < b);
    let rank = |i: usize| (0..x.len()).filter(|&j| beats(j, i)).count();
    let mut by_rank: Vec<usize> = (0..x.len()).collect();
    by_rank.sort_by_key(|&i| rank(i));
    if x[by_rank[0]] == f64::NEG_INFINITY {
        return vec![(0, 1.0)];
    }
    let t = f64::from(sampler.temperature);
    if t == 0.0 {
        return vec![(by_rank[0] as u32, 1.0)];
    }
    let renormalised = |rest: Vec<(usize, f64)>| {
        let sum: f64 = rest.iter().map(|(_, p)| p).sum();
        rest.into_iter().map(|(i, p)| (i, p / sum)).collect::<Vec<_>>()
    };
    let top = x[by_rank[0]];
    let mut rest = renormalised(by_rank.iter().map(|&i| (i, ((x[i] - top) / t).exp())).collect());
    if let Some(k) = sampler.top_k.filter(|&k| k > 0) {
        rest.truncate(k);
        rest = renormalised(rest);
    }
    if let Some(p) = sampler.top_p.filter(|&p| p < 1.0) {
        let mut before = 0.0;
        rest.retain(|(_, q)| {
            let keep = before == 0.0 || before < f64::from(p) - 1e-6;
            before += q;
            keep
        });
        rest = renormalised(rest);
    }
    if let Some(p) = sampler.min_p {
        let least = f64::from(p) * rest[0].1;
        rest.retain(|(_, q)| *q >= least - 1e-9);
        rest = renormalised(rest);
    }
    rest.into_iter().filter(|(_, p)| *p > 0.0).map(|(i, p)| (i as u32, p)).collect()
}

fn assert_close(found: &[(u32, f64)], expected: &[(u32, f64)], what: &dyn std::fmt::Debug) {
    let ids = |all: &[(u32, f64)]| all.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(found), ids(expected), "{what:?}");
    for ((_, p), (_, q)) in found.iter().zip(expected) {
        assert!((p - q).abs() <= 1e-6, "{what:?}: {p} is not {q}");
    }
}

#[test]
fn every_small_case_equals_brute_force() {
    let values = [f32::NEG_INFINITY, f32::NAN, -1.25, 0.0, 0.5, 3.0];
    let mut cases = 0;
    for v in 1..=4_u32 {
        for code in 0..values.len().pow(v) {
            let logits: Vec<f32> =
                (0..v).map(|i| values[code / values.len().pow(i) % values.len()]).collect();
            for temperature in [0.0, 0.5, 1.0, 2.0] {
                for top_k in [None, Some(0), Some(1), Some(2), Some(3), Some(9)] {
                    for top_p in [None, Some(0.0), Some(0.3), Some(0.77), Some(1.0)] {
                        for min_p in [None, Some(0.0), Some(0.21), Some(1.0)] {
                            let settings = Settings { temperature, top_k, top_p, min_p };
                            let expected = brute_force(&settings, &logits);
                            let found = settings.sampler().distribution(&[], &logits);
                            assert_close(&found, &expected, &(settings, &logits));
                            cases += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cases, (6 + 36 + 216 + 1296) * 4 * 6 * 5 * 4);
}

#[test]
fn draws_follow_the_distribution() {
    let logits = [0.3, -0.5, 1.2, f32::NEG_INFINITY, 0.9, -2.0, 0.0, 1.19];
    let samplers = [
        Settings::default(),
        Settings { temperature: 0.7, top_k: Some(5), ..Settings::default() },
        Settings { temperature: 1.5, top_p: Some(0.9), ..Settings::default() },
        Settings { min_p: Some(0.3), ..Settings::default() },
    ];
    let mut rng = Rng::new(3, Stream::Sampling);
    for sampler in samplers {
        const DRAWS: usize = 100_000;
        let mut counts = [0_u32; 8];
        for _ in 0..DRAWS {
            counts[sampler.sampler().sample(&[], &logits, &mut rng) as usize] += 1;
        }
        let expected = brute_force(&sampler, &logits);
        let inside: u32 = expected.iter().map(|(id, _)| counts[*id as usize]).sum();
        assert_eq!(inside as usize, DRAWS, "{sampler:?} drew a token it had removed: {counts:?}");
        let chi_square: f64 = expected
            .iter()
            .map(|&(id, p)| {
                let mean = p * DRAWS as f64;
                (f64::from(counts[id as usize]) - mean).powi(2) / mean
            })
            .sum();
        // p = 0.001 at 1 to 6 degrees of freedom
        let limit = [f64::NAN, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46][expected.len() - 1];
        assert!(chi_square < limit, "{sampler:?}: chi-square {chi_square} at {} tokens", expected.len());
    }
}

#[test]
fn greedy_takes_the_lowest_of_equals_and_draws_nothing() {
    let mut rng = Rng::new(1, Stream::Sampling);
    let before = rng.state();
    assert_eq!(Sampler::greedy().sample(&[], &[1.0, 2.0, 2.0, f32::NAN], &mut rng), 1);
    assert_eq!(Sampler::greedy().sample(&[], &[f32::NAN, f32::NEG_INFINITY], &mut rng), 0);
    assert_eq!(Sampler::greedy().sample(&[], &[f32::NAN, f32::INFINITY, f32::INFINITY], &mut rng), 1);
    assert_eq!(rng.state(), before);
}

#[test]
fn every_other_choice_draws_one_number() {
    // So that the position in the stream tells how many tokens were sampled, whatever they were.
    let mut rng = Rng::new(1, Stream::Sampling);
    for (i, logits) in [vec![0.0; 5], vec![f32::NAN; 5], vec![1.0], vec![]].iter().enumerate() {
        let _ = Sampler::default().with(TopK(1)).sample(&[], logits, &mut rng);
        assert_eq!(rng.state().word_pos, 2 * (i as u64 + 1));
    }
}

#[test]
fn extremes_have_defined_answers() {
    let mut rng = Rng::new(1, Stream::Sampling);
    let at = |temperature| Sampler::default().with(Temperature(temperature));
    for temperature in [1e-8, 1e-45] {
        assert_eq!(at(temperature).sample(&[], &[0.0, 1e-3, -5.0], &mut rng), 1);
    }
    let hot = at(1e8).distribution(&[], &[100.0, -100.0, f32::NEG_INFINITY]);
    assert_close(&hot, &[(0, 0.500_000_5), (1, 0.499_999_5)], &"hot");
    let infinite = at(f32::INFINITY).distribution(&[], &[100.0, f32::NEG_INFINITY, f32::MIN, f32::MAX]);
    assert_eq!(infinite.len(), 3);
    assert_eq!(at(f32::NAN).sample(&[], &[0.0, 1.0], &mut rng), 1);
    assert_eq!(at(-1.0).sample(&[], &[0.0, 1.0], &mut rng), 1);
    assert_eq!(at(1.0).distribution(&[], &[f32::NEG_INFINITY, 2.0, f32::NEG_INFINITY]), [(1, 1.0)]);
    assert_eq!(at(1.0).distribution(&[], &[f32::INFINITY, f32::NAN, 1.0]), [(0, 1.0)]);
    assert_eq!(at(1.0).sample(&[], &[f32::MIN, f32::MAX], &mut rng), 1);
    assert_eq!(at(1.0).sample(&[], &[], &mut rng), 0);
}

#[test]
fn validate_names_what_makes_no_sense() {
    Sampler::default().validate().unwrap();
    Sampler::greedy().validate().unwrap();
    let bad = Settings { temperature: -1.0, top_k: Some(0), top_p: Some(0.0), min_p: Some(f32::NAN) };
    let message = bad.sampler().validate().unwrap_err().to_string();
    for part in ["temperature is -1", "top_p is 0", "min_p is NaN"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn tokens_that_are_never_chosen_add_up() {
    let sampler = Sampler::default().with(Never(vec![0])).with(Never(vec![2, 9]));
    let rest = sampler.distribution(&[], &[5.0, 1.0, 9.0, 0.0]);
    assert_eq!(rest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(sampler.with(Temperature(0.0)).distribution(&[], &[5.0, 1.0, 9.0, 0.0]), [(1, 1.0)]);
}

/// A rule of one's own sees what was generated so far, before all registered ones.
#[test]
fn a_rule_sees_the_history() {
    #[derive(Debug)]
    struct NoRepeats;
    impl Rule for NoRepeats {
        fn name(&self) -> &'static str {
            "no_repeats"
        }
        fn apply(&self, history: &[u32], candidates: &mut Candidates) {
            assert!(candidates.all.iter().all(|c| c.weight == 1.0), "before the temperature");
            let seen = candidates.all.iter_mut().filter(|c| history.contains(&c.id));
            seen.for_each(|c| c.logit = f32::NEG_INFINITY);
        }
        fn check(&self, _: &mut Check) {}
    }
    let sampler = Sampler::greedy().with(NoRepeats);
    let mut history = Vec::new();
    for _ in 0..4 {
        let token = sampler.sample(&history, &[1.0, 4.0, 2.0, 3.0], &mut Rng::new(1, Stream::Sampling));
        history.push(token);
    }
    assert_eq!(history, [1, 3, 2, 0]);
}

#[test]
fn settings_are_read_by_name() {
    let sampler = Sampler::parse([("top_k", "2"), ("temperature", "0.5")]).unwrap();
    assert_eq!(sampler.distribution(&[], &[1.0, 2.0, 3.0]).len(), 2);
    let message = Sampler::parse([("top_k", "two")]).unwrap_err().to_string();
    assert!(
        message.contains("top_k") && message.contains("two") && message.contains("whole number"),
        "{message}"
    );
    assert!(
        Sampler::parse([("temperature", "-1"), ("top_p", "2")])
            .unwrap_err()
            .to_string()
            .contains("top_p is 2")
    );
}

fn any_f32() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -20.0..20.0_f32,
        1 => any::<u32>().prop_map(f32::from_bits), // every float there is
        1 => Just(f32::NEG_INFINITY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn total_and_consistent(
        logits in prop::collection::vec(any_f32(), 0..40),
        temperature in prop_oneof![any_f32(), 0.01..3.0_f32],
        top_k in prop::option::of(prop_oneof![0..50_usize, Just(usize::MAX)]),
        top_p in prop::option::of(prop_oneof![any_f32(), 0.0..1.0_f32]),
        min_p in prop::option::of(prop_oneof![any_f32(), 0.0..1.0_f32]),
        seed: u64,
    ) {
        let sampler = Settings { temperature, top_k, top_p, min_p }.sampler();
        let distribution = sampler.distribution(&[], &logits);
        let sum: f64 = distribution.iter().map(|(_, p)| p).sum();
        prop_assert!((sum - 1.0).abs() < 1e-6, "{distribution:?}");
        prop_assert!(distribution.is_sorted_by(|a, b| a.1 >= b.1));
        let token = sampler.sample(&[], &logits, &mut Rng::new(seed, Stream::Sampling));
        prop_assert!(distribution.iter().any(|(id, _)| *id == token));
        prop_assert!((token as usize) < logits.len().max(1));
        if let Some(k) = top_k.filter(|&k| k > 0) {
            prop_assert!(distribution.len() <= k);
        }
        if logits.iter().any(|x| x.is_finite()) {
            prop_assert!(!logits[token as usize].is_nan());
        }
    }
}
