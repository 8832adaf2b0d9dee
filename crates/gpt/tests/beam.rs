//! Beam search against all answers there are.

use gpt::Gpt;
use gpt::config::{Config, Preset};
use gpt::generate::{Beam, Decoder, Hypothesis, Limits};
use proptest::prelude::*;
use random::{Rng, Stream};
use tensor::{Params, Tape, Workspace};

const VOCAB: usize = 4;
const END: u32 = 3;
const MAX: usize = 4;
const PROMPT: [u32; 3] = [0, 2, 1];

fn config() -> Config {
    let mut config = Preset::NanoCpu.config(VOCAB);
    let settings =
        [("n_layer", "2"), ("n_head", "2"), ("n_embd", "8"), ("block_size", "12"), ("position", "rope")];
    settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

/// A model with opinions: at the beginning of training all tokens are nearly as likely.
fn model(seed: u64) -> (Gpt, Params) {
    let (mut params, mut rng) = (Params::new(), Rng::new(seed, Stream::Init));
    let model = Gpt::new(&config().model, &mut params, &mut rng);
    for (_, data) in params.all_mut() {
        data.iter_mut().for_each(|w| *w += 0.5 * rng.normal());
    }
    (model, params)
}

/// log P of each next token after the prompt and `ids`.
fn next(model: &Gpt, params: &Params, ids: &[u32], never: &[u32]) -> Vec<f64> {
    let ids = [&PROMPT[..], ids].concat();
    let workspace = Workspace::new();
    let tape = Tape::no_grad(params, &workspace);
    let logits = model.logits(&ids, &mut model.causal(&tape, [1, ids.len()]));
    let last = logits.read(|x| x.data[x.data.len() - VOCAB..].to_vec());
    let allowed = |token: usize| !never.contains(&(token as u32));
    let sum: f64 = (0..VOCAB).filter(|&t| allowed(t)).map(|t| f64::from(last[t]).exp()).sum();
    (0..VOCAB).map(|t| if allowed(t) { f64::from(last[t]) - sum.ln() } else { f64::NEG_INFINITY }).collect()
}

/// Every answer that can be given.
fn all(model: &Gpt, params: &Params, beam: &Beam, never: &[u32]) -> Vec<Hypothesis> {
    let score = |log_p: f64, length: usize| log_p / ((5 + length) as f64 / 6.0).powf(beam.length_penalty);
    let (mut open, mut found) = (vec![(Vec::new(), 0.0)], Vec::new());
    while let Some((ids, log_p)) = open.pop() {
        if ids.len() == MAX {
            found.push(Hypothesis { ended: false, log_p, score: score(log_p, MAX), ids });
            continue;
        }
        for (token, p) in next(model, params, &ids, never).into_iter().enumerate() {
            let log_p = log_p + p;
            if token as u32 == END {
                found.push(Hypothesis {
                    ids: ids.clone(),
                    ended: true,
                    log_p,
                    score: score(log_p, ids.len() + 1),
                });
            } else if p > f64::NEG_INFINITY {
                open.push(([&ids[..], &[token as u32]].concat(), log_p));
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

fn search(model: &Gpt, params: &Params, beam: &Beam, never: &[u32], n_best: usize) -> Vec<Hypothesis> {
    let mut decoder = Decoder::new(model, params);
    decoder.push_all(&PROMPT);
    beam.search(decoder, Limits { end: END, never, max: MAX }, n_best)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A beam that loses nothing finds the best answers of all, in their order.
    #[test]
    fn a_wide_beam_finds_the_best(seed in 0..1000_u64, length_penalty in 0.0..3.0_f64, forbid in any::<bool>()) {
        let (model, params) = model(seed);
        let never: &[u32] = if forbid { &[1] } else { &[] };
        let beam = Beam { width: VOCAB.pow(MAX as u32), length_penalty };
        let expected = all(&model, &params, &beam, never);
        for n_best in [1, 7, expected.len()] {
            let found = search(&model, &params, &beam, never, n_best);
            prop_assert_eq!(found.len(), n_best);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found.score - expected.score).abs() < 1e-4, "{:?} {:?}", found, expected);
            }
            prop_assert_eq!(&found[0].ids, &expected[0].ids);
        }
    }

    /// The probabilities are those of the answers, whatever the width.
    #[test]
    fn the_probability_is_that_of_the_answer(seed in 0..1000_u64, width in 1..6_usize) {
        let (model, params) = model(seed);
        let beam = Beam { width, length_penalty: 0.6 };
        for answer in search(&model, &params, &beam, &[], width) {
            let end = answer.ended.then_some(END);
            let tokens: Vec<u32> = answer.ids.iter().copied().chain(end).collect();
            let log_p: f64 =
                (0..tokens.len()).map(|i| next(&model, &params, &tokens[..i], &[])[tokens[i] as usize]).sum();
            prop_assert!((log_p - answer.log_p).abs() < 1e-4, "{} {:?}", log_p, answer);
        }
    }

    /// A beam of one returns the greedy answer or one with a better score: it goes on after an end token.
    #[test]
    fn a_beam_of_one_is_greedy_or_better(seed in 0..1000_u64) {
        let (model, params) = model(seed);
        let greedy = greedy(&model, &params);
        let found = search(&model, &params, &ONE, &[], 1).swap_remove(0);
        prop_assert!(found.ids == greedy.ids || found.score >= greedy.score, "{:?} {:?}", found, greedy);
    }
}

const ONE: Beam = Beam { width: 1, length_penalty: 0.6 };

/// The likeliest token each time, up to the first end, and the score of that answer.
fn greedy(model: &Gpt, params: &Params) -> Hypothesis {
    let (mut ids, mut log_p) = (Vec::new(), 0.0);
    let ended = loop {
        let p = next(model, params, &ids, &[]);
        let best = (0..VOCAB).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap() as u32;
        log_p += p[best as usize];
        if best == END {
            break true;
        }
        ids.push(best);
        if ids.len() == MAX {
            break false;
        }
    };
    let length = ids.len() + usize::from(ended);
    Hypothesis { ended, log_p, score: log_p / ((5 + length) as f64 / 6.0).powf(ONE.length_penalty), ids }
}

/// A model after whose prompt the end is a little likelier than token 0, and after token 0 nearly certain: the longer answer
/// costs hardly more and has a better score. Greedy sampling ends at once; a beam of one does not.
#[test]
fn a_beam_of_one_may_go_on_where_greedy_ends() {
    let mut config = config();
    [("position", "none"), ("tied", "false"), ("n_layer", "1")]
        .iter()
        .for_each(|(name, value)| config.set(name, value).unwrap());
    let mut params = Params::new();
    let model = Gpt::new(&config.model, &mut params, &mut Rng::new(1, Stream::Init));
    params.all_mut().for_each(|(_, data)| data.fill(0.0));
    // Blocks that add nothing: the logits of a position are those of its own token, whose vector is one-hot.
    let id = |name: &str| params.id(name).unwrap();
    let (norm, embedding, head) = (id("ln_f.weight"), id("wte.weight"), id("lm_head.weight"));
    params.data_mut(norm).fill(1.0);
    let c = config.model.n_embd; // 8
    for token in 0..VOCAB {
        params.data_mut(embedding)[token * c + token] = 1.0;
    }
    // A normalised one-hot vector is 8 / sqrt(7) apart at its place; the last column takes off the mean of the others.
    let after = [(0, [0.004_f32, 0.003, 0.003, 0.99]), (1, [0.48, 0.01, 0.01, 0.5])];
    for (token, p) in after {
        for (next, p) in p.into_iter().enumerate() {
            let weight = p.ln() * 7_f32.sqrt() / 8.0;
            params.data_mut(head)[next * c + token] = weight;
            params.data_mut(head)[next * c + c - 1] -= weight;
        }
    }
    assert_eq!(PROMPT[2], 1);
    let p: Vec<f64> = next(&model, &params, &[], &[]).iter().map(|p| p.exp()).collect();
    assert!((p[0] - 0.48).abs() < 1e-3 && (p[3] - 0.5).abs() < 1e-3, "{p:?}");
    let greedy = greedy(&model, &params);
    let found = search(&model, &params, &ONE, &[], 1).swap_remove(0);
    assert_eq!((greedy.ids, found.ids), (vec![], vec![0]));
    assert!(found.ended && found.score > greedy.score, "{} {}", found.score, greedy.score);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (width, length_penalty) in [(0, 0.6), (5000, 0.6), (4, -1.0), (4, f64::NAN), (4, 11.0)] {
        let error = Beam { width, length_penalty }.validate().unwrap_err().to_string();
        assert!(error.contains("beam") || error.contains("length_penalty"), "{error}");
    }
    assert_eq!(Beam::default().validate(), Ok(()));
}
