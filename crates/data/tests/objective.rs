//! Every objective: the window can be put together again from each example, nothing that is asked can be seen,
//! and what is drawn has the frequencies it should have.

use data::objective::{Corruptor, MaskSplit, OBJECTIVES, Objective, ObjectiveSettings, Vocabulary};
use data::{Example, MaskSpec};
use proptest::prelude::*;
use random::{Rng, Stream};
use std::sync::Arc;

/// Ordinary tokens are 1 to 50. 0 is a special token that no objective has, so that the label 0 of what is
/// not asked is never an answer.
const ORDINARY: u32 = 50;

struct Bench {
    corruptor: Arc<Corruptor>,
    vocabulary: Vocabulary,
}

impl Bench {
    fn new(objective: &str, settings: ObjectiveSettings, block_size: usize) -> Bench {
        Bench::try_new(objective, settings, block_size).unwrap()
    }

    fn try_new(
        objective: &str,
        settings: ObjectiveSettings,
        block_size: usize,
    ) -> Result<Bench, data::DataError> {
        let objective: Objective = objective.parse()?;
        let names = objective.specials(&settings, block_size);
        let named = names.iter().map(String::as_str).zip(1 + ORDINARY..);
        let vocabulary = Vocabulary::new(1 + ORDINARY as usize + names.len(), named.chain([("<pad>", 0)]))?;
        let corruptor = Arc::new(objective.resolve(&settings, &vocabulary, block_size)?);
        Ok(Bench { corruptor, vocabulary })
    }

    fn id(&self, name: &str) -> u32 {
        self.vocabulary.special(name).unwrap()
    }

    /// Number k of `<extra_id_k>`.
    fn sentinel(&self, id: u32) -> Option<usize> {
        (0..).map_while(|k| self.vocabulary.special(&format!("<extra_id_{k}>")).ok()).position(|s| s == id)
    }

    fn window(&self, rng: &mut Rng) -> Vec<u32> {
        let len = 2 + rng.below(self.corruptor.window() as u64 - 1) as usize;
        let len = len.max(self.corruptor.tasks()[0].least());
        (0..len).map(|_| 1 + rng.below(u64::from(ORDINARY)) as u32).collect()
    }

    /// The text of an example, found in another way than the library does.
    fn text(&self, objective: &str, example: &Example, mntp: bool) -> Vec<u32> {
        match objective {
            "clm" | "prefix" => row(example),
            "mlm" | "mlm-causal" | "span-mask" => filled_in(example, usize::from(mntp)),
            "span" => self.spans_put_back(&row(example), known(example)),
            "glm" => self.blanks_filled(example),
            "fim" => self.middle_put_back(&row(example)),
            "ul2" => {
                let row = row(example);
                assert!(["[R]", "[X]", "[S]"].iter().any(|mode| row[0] == self.id(mode)));
                match row[0] == self.id("[S]") {
                    true => row[1..].to_vec(),
                    false => self.spans_put_back(&row[1..], known(example) - 1),
                }
            }
            other => panic!("{other}: write here how its text is found"),
        }
    }

    fn spans_put_back(&self, row: &[u32], known: usize) -> Vec<u32> {
        let (text, answer) = row.split_at(known);
        let spans = self.by_sentinel(answer);
        let count = spans.len() - 1;
        assert!(spans.iter().enumerate().all(|(k, (sentinel, _))| *sentinel == k), "in order");
        assert!(spans[count].1.is_empty(), "nothing after the end");
        self.put_back(text, &spans[..count])
    }

    /// (k, the tokens after `<extra_id_k>`) for each.
    fn by_sentinel(&self, answer: &[u32]) -> Vec<(usize, Vec<u32>)> {
        let mut spans: Vec<(usize, Vec<u32>)> = Vec::new();
        for &id in answer {
            match self.sentinel(id) {
                Some(k) => spans.push((k, Vec::new())),
                None => spans.last_mut().expect("an answer begins with a sentinel").1.push(id),
            }
        }
        spans
    }

    fn put_back(&self, text: &[u32], spans: &[(usize, Vec<u32>)]) -> Vec<u32> {
        assert_eq!(text.iter().filter(|&&id| self.sentinel(id).is_some()).count(), spans.len());
        let span = |k| &spans.iter().find(|(number, _)| *number == k).unwrap().1[..];
        text.iter()
            .flat_map(|id| self.sentinel(*id).map_or(std::slice::from_ref(id), span))
            .copied()
            .collect()
    }

    fn blanks_filled(&self, example: &Example) -> Vec<u32> {
        let (text, answers) = example.ids.split_at(known(example));
        let mut spans = Vec::new();
        let mut at = known(example);
        for span in answers.split(|&id| id == self.id("[sop]")).skip(1) {
            spans.extend(self.by_sentinel(span));
            // [sop] asks for nothing, then each token for the next one, the last for [eop].
            assert_eq!((example.labels[at], example.weights[at]), (0, 0.0));
            let labels = &example.labels[at + 1..at + 1 + span.len()];
            assert_eq!(labels, [&span[1..], &[self.id("[eop]")]].concat());
            at += 1 + span.len();
        }
        assert_eq!(at, example.ids.len());
        self.put_back(text, &spans)
    }

    fn middle_put_back(&self, row: &[u32]) -> Vec<u32> {
        let [p, s, m, end] =
            ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_end>"].map(|n| self.id(n));
        if row[0] != p {
            return row.to_vec();
        }
        assert_eq!(row.last(), Some(&end));
        let place = |mark| row.iter().position(|&id| id == mark).unwrap();
        let (s, m) = (place(s), place(m));
        let (prefix, suffix, middle) = (&row[1..s], &row[s + 1..m], &row[m + 1..row.len() - 1]);
        // In the order SPM, prefix and middle come together, and that is how they are put back, too.
        [prefix, middle, suffix].concat()
    }
}

/// The ids and the last label: a row before it was divided into ids and labels.
fn row(example: &Example) -> Vec<u32> {
    [&example.ids[..], &example.labels[example.labels.len() - 1..]].concat()
}

fn known(example: &Example) -> usize {
    match example.mask {
        MaskSpec::Prefix { len } => len as usize,
        ref other => panic!("{other:?} is no prefix"),
    }
}

fn filled_in(example: &Example, shift: usize) -> Vec<u32> {
    let mut text = example.ids.clone();
    for (position, (&label, &weight)) in example.labels.iter().zip(&example.weights).enumerate() {
        if weight > 0.0 {
            text[position + shift] = label;
        }
    }
    text
}

fn any_settings() -> impl Strategy<Value = ObjectiveSettings> {
    let split = prop_oneof![Just(MaskSplit::BERT), Just(MaskSplit::PURE)];
    let length = prop_oneof![Just(None), (1..5_usize).prop_map(Some)];
    (0.05..0.6, split, any::<bool>(), 1.0..6.0, length, 0.0..1.0).prop_map(
        |(mask_rate, mask_split, mntp, mean, span_length, fim_rate)| ObjectiveSettings {
            mask_rate,
            mask_split,
            mntp,
            span_mean: mean,
            span_length,
            glm_mean: mean,
            fim_rate,
            ..ObjectiveSettings::default()
        },
    )
}

fn any_objective() -> impl Strategy<Value = &'static str> {
    (0..OBJECTIVES.len()).prop_map(|i| OBJECTIVES[i].name)
}

proptest! {
    #[test]
    fn examples_are_their_windows(
        objective in any_objective(),
        settings in any_settings(),
        block_size in 12..80_usize,
        seed: u64,
    ) {
        let bench = Bench::new(objective, settings, block_size);
        let (task, mut rng) = (&bench.corruptor.tasks()[0], Rng::new(seed, Stream::Other(0)));
        for _ in 0..8 {
            let window = bench.window(&mut rng);
            let example = bench.corruptor.example(0, &window, &mut rng);
            let t = example.ids.len();
            prop_assert!(t <= block_size && example.labels.len() == t && example.weights.len() == t);
            let text = bench.text(objective, &example, settings.mntp);
            prop_assert_eq!(&text[..], &window[..text.len()]);
            // All of the window is used, but what ul2's modes and fim's marks have no room for.
            let room_for = task.source_len(block_size);
            match objective {
                "ul2" => prop_assert!(text.len() >= window.len().min(2)),
                "fim" => prop_assert!(text.len() + 4 >= window.len().min(room_for)),
                _ => prop_assert_eq!(text.len(), window.len().min(room_for)),
            }
            prop_assert!(example.weights.iter().any(|&w| w > 0.0));
            prop_assert!(!example.ids.contains(&0), "a special token as a random one");
            for (&label, &weight) in example.labels.iter().zip(&example.weights) {
                prop_assert!(weight == 1.0 && label > 0 || weight == 0.0 && label == 0);
            }
        }
    }

    /// With a mask that looks ahead of what is asked a model only has to copy.
    #[test]
    fn no_answer_is_in_sight(objective in any_objective(), settings in any_settings(), seed: u64) {
        let bench = Bench::new(objective, ObjectiveSettings { mask_split: MaskSplit::PURE, ..settings }, 48);
        let mut rng = Rng::new(seed, Stream::Other(0));
        let window = bench.window(&mut rng);
        let example = bench.corruptor.example(0, &window, &mut rng);
        let intervals = example.mask.intervals(example.ids.len());
        let asked = (0..example.ids.len()).filter(|&i| example.weights[i] > 0.0);
        for (i, hi) in asked.map(|i| (i, intervals[i].1 as usize)) {
            if matches!(objective, "mlm" | "span-mask") {
                prop_assert_eq!(example.ids[i + usize::from(settings.mntp)], bench.id("[MASK]"));
            } else {
                prop_assert!(hi <= i + 1, "position {} of {} sees up to {}", i, objective, hi);
            }
        }
    }

    #[test]
    fn a_random_token_is_never_special(seed: u64, first in 0..20_u32, specials in 1..5_u32) {
        let names: Vec<String> = (0..specials).map(|k| k.to_string()).collect();
        let named = names.iter().map(String::as_str).zip((first..).step_by(3));
        let vocabulary = Vocabulary::new(40, named).unwrap();
        let mut rng = Rng::new(seed, Stream::Other(0));
        let drawn: Vec<u32> = (0..200).map(|_| vocabulary.random(&mut rng)).collect();
        prop_assert!(drawn.iter().all(|&id| id < 40 && !vocabulary.is_special(id)));
    }

    #[test]
    fn objectives_survive_being_written(a in 0.01..5.0_f64, b in 0.01..5.0_f64, c in 0.01..5.0_f64) {
        let objective: Objective = format!("mix=span:{a},ul2:{b},clm:{c}").parse().unwrap();
        let json = serde_json::to_string(&objective).unwrap();
        prop_assert_eq!(serde_json::from_str::<Objective>(&json).unwrap(), objective.clone());
        let shares: Vec<f64> = objective.parts().map(|(_, share)| share).collect();
        prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!((shares[0] / shares[1] - a / b).abs() < 1e-9 * a / b);
    }
}

/// `found` of `n` has the probability `p`, within four standard deviations.
#[track_caller]
fn assert_share(found: usize, n: usize, p: f64) {
    let (mean, sigma) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
    let distance = (found as f64 - mean).abs();
    assert!(distance <= 4.0 * sigma, "{found} of {n}, expected {mean:.1} +- {sigma:.1}");
}

/// Counts examples of a long window of equal tokens.
fn many(bench: &Bench, n: usize, mut look: impl FnMut(&Example)) {
    let mut rng = Rng::new(11, Stream::Other(0));
    let window = vec![7; bench.corruptor.window()];
    (0..n).for_each(|_| look(&bench.corruptor.example(0, &window, &mut rng)));
}

#[test]
fn bert_masks_as_often_as_it_says() {
    for mntp in [false, true] {
        let settings = ObjectiveSettings { mntp, ..ObjectiveSettings::default() };
        let bench = Bench::new("mlm", settings, 128);
        let mask = bench.id("[MASK]");
        let (mut chosen, mut masked, mut random, mut tokens) = (0, 0, 0, 0);
        many(&bench, 1000, |example| {
            tokens += 128 - usize::from(mntp);
            for i in (0..128).filter(|&i| example.weights[i] > 0.0) {
                chosen += 1;
                match example.ids[i + usize::from(mntp)] {
                    id if id == mask => masked += 1,
                    id => random += usize::from(id != 7),
                }
            }
        });
        assert_share(chosen, tokens, 0.15);
        assert_share(masked, chosen, 0.8);
        assert_share(random, chosen, 0.1 * 49.0 / 50.0); // one in 50 random tokens is the right one
    }
}

#[test]
fn spanbert_hides_spans_of_its_lengths() {
    let settings = ObjectiveSettings { mask_split: MaskSplit::PURE, ..ObjectiveSettings::default() };
    let bench = Bench::new("span-mask", settings, 400);
    many(&bench, 50, |example| {
        let hidden: usize = example.weights.iter().map(|&w| w as usize).sum();
        assert_eq!(hidden, 60);
    });
    // One span a row, where nothing is in its way: 1 to 10, each 0.8 times as likely as the one before.
    let settings = ObjectiveSettings { mask_rate: 0.002, ..settings };
    let bench = Bench::new("span-mask", settings, 5000); // 10 tokens are hidden
    let mut of_length = [0; 11];
    let mut rows = 0;
    many(&bench, 1500, |example| {
        rows += 1;
        let first = example.weights.iter().position(|&w| w > 0.0).unwrap();
        of_length[example.weights[first..].iter().take_while(|&&w| w > 0.0).count()] += 1;
    });
    assert!(of_length[10] > 0);
    let whole = of_length[10] as f64 / rows as f64;
    let p10 = 0.8_f64.powi(9) * 0.2 / (1.0 - 0.8_f64.powi(10));
    assert!((whole - p10).abs() < 4.0 * (p10 / rows as f64).sqrt() + 0.003, "{whole} {p10}");
}

#[test]
fn t5_cuts_out_its_share_in_spans_of_its_mean() {
    let bench = Bench::new("span", ObjectiveSettings::default(), 256);
    let len = bench.corruptor.window();
    let noise = (len as f64 * 0.15).round_ties_even() as usize;
    let spans = (noise as f64 / 3.0).round_ties_even() as usize;
    assert!(256 - (len + 2 * spans) <= 2, "a row of {} for 256 positions", len + 2 * spans);
    let mut seen = vec![0; len];
    let n = 1000;
    many(&bench, n, |example| {
        assert_eq!(example.ids.len(), len + 2 * spans);
        let asked: f32 = example.weights.iter().sum();
        assert_eq!(asked as usize, noise + spans + 1);
        let mut place = 0;
        for &id in &example.ids[..known(example)] {
            match bench.sentinel(id) {
                Some(k) => {
                    let answer = &example.ids[known(example)..];
                    let at = answer.iter().position(|&id| bench.sentinel(id) == Some(k)).unwrap();
                    let tail = answer[at + 1..].iter().take_while(|&&id| bench.sentinel(id).is_none());
                    place += tail.count();
                }
                None => {
                    seen[place] += 1;
                    place += 1;
                }
            }
        }
    });
    assert_eq!(seen[0], n); // T5's text begins with what stays, and ends with a span
    assert_eq!(seen[len - 1], 0);
    let middle: usize = seen[len / 4..3 * len / 4].iter().sum();
    let (tokens, p) = (n * (3 * len / 4 - len / 4), 1.0 - noise as f64 / len as f64);
    assert!((middle as f64 / tokens as f64 - p).abs() < 0.01, "{middle} of {tokens}, expected {p}");
}

#[test]
fn cuts_and_orders_are_uniform() {
    let bench = Bench::new("prefix", ObjectiveSettings::default(), 16);
    let mut at = [0; 17];
    many(&bench, 8000, |example| at[known(example)] += 1);
    (1..=16).for_each(|cut| assert_share(at[cut], 8000, 1.0 / 16.0));

    let bench = Bench::new("fim", ObjectiveSettings::default(), 16);
    let [p, s, m] = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"].map(|name| bench.id(name));
    let (mut rearranged, mut spm, mut first_cut) = (0, 0, [0; 14]);
    many(&bench, 8000, |example| {
        if example.ids[0] == p {
            rearranged += 1;
            let suffix_first = example.ids[1] == s;
            // PSM with an empty prefix begins like SPM: only the longer middle tells; they are counted below.
            spm += usize::from(suffix_first);
            let place = |mark| example.ids.iter().position(|&id| id == mark).unwrap();
            first_cut[place(m) - place(s) - 1] += 1;
        }
    });
    assert_share(rearranged, 8000, 0.5);
    // Of 14 places for two cuts in 13 tokens: the suffix is empty if one of the cuts is the last place.
    assert_share(first_cut[0], rearranged, 1.0 - (13.0_f64 / 14.0).powi(2));
    let empty_prefix = 1.0 - (13.0_f64 / 14.0).powi(2);
    assert_share(spm, rearranged, 0.5 + 0.5 * empty_prefix);
}

#[test]
fn ul2_draws_its_seven_denoisers_evenly() {
    let bench = Bench::new("ul2", ObjectiveSettings::default(), 128);
    let mut modes = [0; 3];
    many(&bench, 7000, |example| {
        let mode = ["[R]", "[X]", "[S]"].iter().position(|mode| bench.id(mode) == example.ids[0]).unwrap();
        modes[mode] += 1;
    });
    (0..3).for_each(|i| assert_share(modes[i], 7000, [2.0, 4.0, 1.0][i] / 7.0));
}

#[test]
fn glm_shuffles_its_spans() {
    let bench =
        Bench::new("glm", ObjectiveSettings { span_length: Some(2), ..ObjectiveSettings::default() }, 40);
    let n = 4000;
    let (mut first, mut spans) = (vec![0; 8], 0);
    many(&bench, n, |example| {
        let answers = &example.ids[known(example)..];
        spans = answers.iter().filter(|&&id| id == bench.id("[sop]")).count();
        first[bench.sentinel(answers[1]).unwrap()] += 1;
    });
    assert!(spans >= 2);
    (0..spans).for_each(|k| assert_share(first[k], n, 1.0 / spans as f64));
}

#[test]
fn mixtures_have_their_shares() {
    let bench = Bench::new("mix=clm:2,mlm:1,span:1", ObjectiveSettings::default(), 32);
    let mut rng = Rng::new(3, Stream::Other(0));
    let mut parts = [0; 3];
    (0..4000).for_each(|_| parts[bench.corruptor.draw(&mut rng)] += 1);
    (0..3).for_each(|i| assert_share(parts[i], 4000, [0.5, 0.25, 0.25][i]));
}

#[test]
fn what_cannot_be_is_an_error() {
    let message = |text: &str| text.parse::<Objective>().unwrap_err().to_string();
    assert_eq!(
        message("mlmm"),
        "the objective: expected one of clm, mlm, mlm-causal, span, span-mask, glm, fim, prefix, ul2, or a mixture, found \
         \"mlmm\": write for instance clm, or mix=clm:.5,mlm:.25,span:.25"
    );
    assert!(message("mix=clm").contains("expected NAME:WEIGHT, such as clm:.5, found \"clm\""));
    for weight in ["0", "-1", "nan", "inf", "x", ""] {
        assert!(message(&format!("mix=clm:{weight}")).contains("a weight above 0"), "{weight}");
    }
    assert!(message("mix=clm:1,clm:2").contains("each objective once"));
    assert!(message("mix=mix=clm:1").contains("not mixtures of mixtures"));

    let settings = ObjectiveSettings::default();
    let missing =
        "span".parse::<Objective>().unwrap().resolve(&settings, &Vocabulary::new(9, []).unwrap(), 64);
    assert!(missing.unwrap_err().to_string().contains("found no special token <extra_id_0>"));
    for (objective, block_size) in [("clm", 0), ("mlm", 1), ("span", 3), ("glm", 5), ("fim", 3), ("ul2", 4)] {
        let refused = Bench::try_new(objective, settings, block_size).map(|_| ()).unwrap_err();
        assert!(refused.to_string().starts_with("block_size is "), "{objective}: {refused}");
        assert!(Bench::try_new(objective, settings, block_size + 1).is_ok(), "{objective}");
    }
    for broken in [
        ObjectiveSettings { mask_rate: 0.0, ..settings },
        ObjectiveSettings { mask_rate: f64::NAN, ..settings },
        ObjectiveSettings { mask_split: MaskSplit { mask: 0.5, random: 0.1, keep: 0.1 }, ..settings },
        ObjectiveSettings { span_length: Some(0), ..settings },
        ObjectiveSettings { longest_span: 0, ..settings },
        ObjectiveSettings { geometric: 0.0, ..settings },
        ObjectiveSettings { fim_rate: 1.5, ..settings },
    ] {
        assert!(Bench::try_new("clm", broken, 64).is_err(), "{broken:?}");
    }
    assert!("0.8,0.1".parse::<MaskSplit>().is_err() && "1,1,1".parse::<MaskSplit>().is_err());
    assert!(Vocabulary::new(3, [("a", 3)]).is_err() && Vocabulary::new(3, [("a", 1), ("b", 1)]).is_err());
}
