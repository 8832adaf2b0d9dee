//! What is learned by which method, model and head, and what does not matter.

use super::*;

#[test]
fn a_label_is_learned() {
    for (pool, both_sides) in [(Pool::Mean, false), (Pool::Mean, true), (Pool::Last, false)] {
        let settings = TuneConfig { epochs: 25, patience: None, ..settings() };
        let (classifier, params, outcome) = trained("full", pool, both_sides, &settings);
        assert!(outcome.best_score >= 0.97, "{pool:?} {both_sides}: {outcome:?}");
        let (test, Targets::Labels(labels, _)) = texts(100, 3) else { unreachable!() };
        let p = classifier.probabilities(&params, &test);
        let right = p.iter().zip(&labels).filter(|(p, label)| usize::from(p[1] > 0.5) == **label).count();
        assert!(right >= 95, "{right}");
        assert!(p.iter().all(|p| (p[0] + p[1] - 1.0).abs() < 1e-12));
    }
}

/// From random weights each method learns something, with no more numbers than it says.
#[test]
fn every_method_learns() {
    for method in [
        "head",
        "lora:r=4,targets=all",
        "ia3",
        "bitfit",
        "adapter:width=8",
        "prefix:tokens=4",
        "prompt:tokens=2",
    ] {
        let settings = TuneConfig { learning_rate: 2e-2, epochs: 20, patience: None, ..settings() };
        let (_, _, outcome) = trained(method, Pool::Mean, false, &settings);
        assert!(outcome.best_score > 0.75 && outcome.best_update > 0, "{method}: {outcome:?}");
        assert_eq!(outcome.optimizer_bytes, 8 * outcome.trainable_parameters, "{method}");
    }
}

/// A model as the preset `shakespeare` has it: tables of n-grams, a head of its own.
#[test]
fn models_of_every_kind_are_tuned() {
    let base = config();
    for (config, dead) in [
        (GptConfig { tied: false, ..base.clone() }, "lm_head.weight"),
        (
            GptConfig { ngram: 2, ngram_rows: 5, value_residual: true, embedding_skip: true, ..base },
            "ngram.2.ngrams",
        ),
    ] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let gpt = Gpt::new(&config, &mut params, &mut rng);
        gpt.ngram.set_ngrams(&mut params, &vec![vec![(4, 3), (5, 3)]; config.ngram.saturating_sub(1)]);
        let settings = linear(yes_or_no(), Pool::Mean, false, 0.1);
        let classifier = Classifier::new(gpt, settings, &tokenizer(), &mut params, &mut rng).unwrap();
        let before = params.clone();
        let (texts, targets) = texts(64, 1);
        let task = on_itself(&classifier, &texts, &targets);
        let settings = TuneConfig { epochs: 3, patience: None, ..self::settings() };
        let outcome = fit(&mut params, &task, &settings, quietly).unwrap();
        assert!(outcome.best_update > 0);
        let id = params.id(dead).unwrap();
        assert_eq!(params.data(id), before.data(id), "{dead} moved");
    }
}

#[test]
fn a_number_is_learned() {
    let target = Target::Number { mean: 0.0, deviation: 1.0 };
    let (classifier, mut params) = classifier("full", Pool::Mean, true, target);
    let share = |texts: &[Vec<u32>]| {
        let share = |text: &Vec<u32>| text.iter().filter(|&&id| id < 8).count() as f32 / text.len() as f32;
        Targets::Numbers(texts.iter().map(|text| 2.0 * share(text) - 1.0).collect())
    };
    let ((train, _), (dev, _)) = (texts(240, 1), texts(100, 2));
    let task = Classify {
        classifier: &classifier,
        texts: &train,
        targets: &share(&train),
        dev_texts: &dev,
        dev_targets: &share(&dev),
        metric: Metric::Pearson,
        noise: Noise::default(),
    };
    let outcome = fit(&mut params, &task, &settings(), quietly).unwrap();
    assert!(outcome.best_score > 0.97, "{outcome:?}");
}

/// Whatever else is in its batch, and however long, a text has its own scores; only its first tokens are read.
#[test]
fn neighbours_do_not_matter() {
    for (pool, both_sides) in [(Pool::Mean, true), (Pool::Last, false)] {
        for method in ["full", "prefix:tokens=3", "prompt:tokens=2"] {
            let (classifier, params) = classifier(method, pool, both_sides, yes_or_no());
            let (texts, _) = texts(40, 9);
            let together = classifier.scores_of(&params, &texts);
            for (text, scores) in texts.iter().zip(&together) {
                let alone = &classifier.scores_of(&params, std::slice::from_ref(text))[0];
                for (a, b) in alone.iter().zip(scores) {
                    assert!((a - b).abs() <= 1e-5, "{method}: {alone:?} {scores:?}");
                }
            }
            let most = classifier.max_tokens(&params);
            let long: Vec<u32> = (0..30).map(|i| 4 + i % 8).collect();
            assert_eq!(
                classifier.scores_of(&params, std::slice::from_ref(&long)),
                classifier.scores_of(&params, &[long[..most].to_vec()])
            );
        }
    }
}

/// Class weights move the answers: of texts that say nothing, the heavier label is told.
#[test]
fn class_weights_count() {
    let told = |weights: Vec<f32>| {
        let (classifier, mut params) = classifier("head", Pool::Mean, false, yes_or_no());
        let texts: Vec<Vec<u32>> = vec![vec![5, 6]; 20];
        let targets = Targets::labels((0..20).map(|i| usize::from(i % 4 == 0)).collect(), &weights);
        let task = on_itself(&classifier, &texts, &targets);
        let settings = TuneConfig { epochs: 300, learning_rate: 5e-2, patience: None, ..settings() };
        fit(&mut params, &Last(task, Mutex::new(0.0)), &settings, quietly).unwrap();
        classifier.probabilities(&params, &texts[..1])[0][1]
    };
    let (equal, balanced) = (told(vec![1.0, 1.0]), told(vec![1.0, 3.0]));
    assert!((equal - 0.25).abs() < 0.05, "{equal}");
    assert!((balanced - 0.5).abs() < 0.07, "{balanced}");
}

/// More tokens change nothing for the old ones, and each new one begins near the mean of them.
#[test]
fn a_vocabulary_grows() {
    let base = config();
    for config in [base.clone(), GptConfig { tied: false, ngram: 2, ngram_rows: 4, ..base }] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let gpt = Gpt::new(&config, &mut params, &mut rng);
        let (larger, larger_params) = grown(&gpt, &params, VOCAB + 3, &mut rng);
        assert_eq!(larger.config.vocab_size, VOCAB + 3);
        let logits = |gpt: &Gpt, params: &Params, ids: &[u32]| -> Vec<Vec<f32>> {
            let workspace = Workspace::new();
            let tape = Tape::no_grad(params, &workspace);
            let logits = gpt.logits(ids, &mut gpt.causal(&tape, [1, ids.len()])).value();
            logits
                .as_slice()
                .unwrap()
                .chunks(gpt.config.vocab_size)
                .map(|row| row[..VOCAB].to_vec())
                .collect()
        };
        let ids = [1, 7, 3, 11, 0];
        assert_eq!(logits(&larger, &larger_params, &ids), logits(&gpt, &params, &ids));
        assert!(
            logits(&larger, &larger_params, &[1, VOCAB as u32 + 2]).iter().flatten().all(|x| x.is_finite())
        );
    }
}

/// Answers that depend on the question are learned, and only they count.
#[test]
fn answers_are_learned() {
    let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
    let gpt = Gpt::new(&config(), &mut params, &mut rng);
    // The question is a token and noise; the answer is that token, then 2.
    let mut example = || {
        let asked = 3 + rng.below(9) as u32;
        let noise = (0..1 + rng.below(5)).map(|_| 3 + rng.below(9) as u32);
        let ids: Vec<u32> = [asked].into_iter().chain(noise).chain([1, asked]).collect();
        let labels = ids[1..].iter().copied().chain([2]).collect();
        let counts = |i: usize| if i + 2 >= ids.len() { 1.0 } else { 0.0 };
        Example { weights: (0..ids.len()).map(counts).collect(), labels, ids, mask: MaskSpec::Causal }
    };
    let (examples, dev): (Vec<_>, Vec<_>) =
        ((0..400).map(|_| example()).collect(), (0..60).map(|_| example()).collect());
    let before = mean_loss(&gpt, &params, &dev);
    let settings = TuneConfig { epochs: 40, learning_rate: 1e-2, patience: None, ..settings() };
    let task = Complete { gpt: &gpt, examples: &examples, dev: &dev, label_smoothing: 0.0 };
    let outcome = fit(&mut params, &task, &settings, quietly).unwrap();
    assert!(before > 2.0 && -outcome.best_score < 0.1, "{before} {outcome:?}");
    assert!((mean_loss(&gpt, &params, &dev) + outcome.best_score).abs() < 1e-9);
}

/// A text longer than the context is read in pieces that overlap: its scores are the mean of theirs, by their tokens, whatever
/// stands beside it; with one piece it is its beginning.
#[test]
fn a_long_text_is_the_mean_of_its_pieces() {
    for (pool, both_sides) in [(Pool::Mean, true), (Pool::Mean, false), (Pool::Last, false)] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let gpt = Gpt::new(&config(), &mut params, &mut rng);
        let max = gpt.config.block_size;
        let head = |pieces: usize| ClassifierConfig {
            head: HeadConfig::Linear(LinearConfig { pool, both_sides, dropout: 0.0, pieces }),
            target: yes_or_no(),
        };
        let classifier = Classifier::new(gpt, head(3), &tokenizer(), &mut params, &mut rng).unwrap();
        let room = max + 2 * (max - max / 4);
        assert_eq!(classifier.max_tokens(&params), room);
        let text = |len: usize| (0..len).map(|i| (3 + i * i % 7) as u32).collect::<Vec<u32>>();
        for len in [1, max, max + 1, room - 1, room, 2 * room] {
            let all = text(len);
            let read = &all[..len.min(room)];
            let stride = max - max / 4;
            let mut parts = vec![&read[..read.len().min(max)]];
            for start in [stride, 2 * stride] {
                if read.len() > start + max / 4 {
                    let start = start.min(read.len() - max);
                    parts.push(&read[start..start + max]);
                }
            }
            let tokens: usize = parts.iter().map(|part| part.len()).sum();
            let expected: f64 = match pool {
                Pool::Mean => {
                    parts
                        .iter()
                        .map(|part| {
                            f64::from(classifier.scores_of(&params, &[part.to_vec()])[0][0])
                                * part.len() as f64
                        })
                        .sum::<f64>()
                        / tokens as f64
                }
                Pool::Last => classifier.scores_of(&params, &[parts.last().unwrap().to_vec()])[0][0].into(),
            };
            let found = classifier.scores_of(&params, &[text(2), all.clone(), text(max)])[1][0];
            assert!((f64::from(found) - expected).abs() < 1e-5, "{pool:?} {len}: {found} {expected}");
        }
        // With one piece: the beginning.
        let long = text(2 * room);
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let gpt = Gpt::new(&config(), &mut params, &mut rng);
        let classifier = Classifier::new(gpt, head(1), &tokenizer(), &mut params, &mut rng).unwrap();
        assert_eq!(classifier.max_tokens(&params), max);
        let beginning = long[..max].to_vec();
        assert_eq!(classifier.scores_of(&params, &[long]), classifier.scores_of(&params, &[beginning]));
    }
}

/// A window of two holds in a classifier, too: with one layer, what stands further away changes nothing, on either side.
#[test]
fn a_window_is_kept_by_a_classifier() {
    for (pool, both_sides) in [(Pool::Last, false), (Pool::Last, true)] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let windowed = GptConfig { n_layer: 1, window: Some(2), ..config() };
        let gpt = Gpt::new(&windowed, &mut params, &mut rng);
        let head = linear(yes_or_no(), pool, both_sides, 0.0);
        let classifier = Classifier::new(gpt, head, &tokenizer(), &mut params, &mut rng).unwrap();
        let score = |text: &[u32]| classifier.scores_of(&params, &[text.to_vec(), vec![1; 9]])[0].clone();
        assert_eq!(score(&[5, 6, 7, 8]), score(&[9, 6, 7, 8]), "three positions away");
        assert_ne!(score(&[5, 6, 7, 8]), score(&[5, 6, 9, 8]), "beside it");
    }
    // The mean asks the first position as well: with both sides, it sees the second and no third.
    let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
    let gpt = Gpt::new(&GptConfig { n_layer: 1, window: Some(2), ..config() }, &mut params, &mut rng);
    let workspace = Workspace::new();
    let first = |ids: &[u32]| {
        let tape = Tape::no_grad(&params, &workspace);
        let intervals = gpt.visibility().texts(&[ids.len()], ids.len(), true);
        let mut cx = nn::Context::new(&tape, [1, ids.len()], intervals);
        gpt.hidden(ids, &mut cx).read(|x| x.data[..gpt.config.n_embd].to_vec())
    };
    assert_eq!(first(&[5, 6, 7, 8]), first(&[5, 6, 9, 8]));
    assert_ne!(first(&[5, 6, 7, 8]), first(&[5, 9, 7, 8]));
}

/// Texts of unequal lengths whose beginnings see themselves from both sides, behind a learned prompt or prefix: padding
/// changes no loss.
#[test]
fn a_prompt_before_padded_rows() {
    for method in ["prompt:tokens=2", "prefix:tokens=3"] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let mut gpt = Gpt::new(&config(), &mut params, &mut rng);
        gpt.tune(&method.parse().unwrap(), &mut params, &mut rng).unwrap();
        let example = |len: usize, prefix: u32| Example {
            ids: (0..len as u32).map(|i| i % 12).collect(),
            labels: (1..=len as u32).map(|i| i % 12).collect(),
            weights: vec![1.0; len],
            mask: MaskSpec::Prefix { len: prefix },
        };
        let (short, long) = (example(3, 2), example(9, 4));
        let alone = [&short, &long].map(|one| mean_loss(&gpt, &params, std::slice::from_ref(one)));
        let together = mean_loss(&gpt, &params, &[short, long]);
        let expected = (3.0 * alone[0] + 9.0 * alone[1]) / 12.0;
        assert!((together - expected).abs() <= 1e-6 * expected, "{method}: {together} {expected}");
    }
}
