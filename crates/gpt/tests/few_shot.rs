//! Labels as words: their scores, learning them, and learning from what stands before the question.

use data::pattern::{Cloze, Pattern};
use data::{CharTokenizer, Tokenizer};
use gpt::Gpt;
use gpt::config::{GptConfig, Position, Preset};
use gpt::peft::Method;
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, Event, Head, HeadConfig, InContext, Metric, Noise, Target,
    Targets, Task, TuneConfig, TuneError, Words, fit, load_classifier, save_classifier,
};
use random::{Rng, Stream};
use std::ops::ControlFlow;
use std::path::Path;
use tensor::{Grads, Params, Tape, Workspace, gradcheck};

const LETTERS: &str = "abcdefgh .:";

fn tokenizer() -> Tokenizer {
    Tokenizer::Char(CharTokenizer::from_text(LETTERS).unwrap())
}

fn encode(text: &str) -> Vec<u32> {
    tokenizer().encode(text).unwrap()
}

/// Models of different kinds; the scores of all of them are those of `Gpt::logits`.
fn configs() -> Vec<GptConfig> {
    let base = Preset::NanoCpu.config(LETTERS.chars().count()).model;
    let base =
        GptConfig { n_layer: 2, n_head: 2, n_embd: 16, block_size: 24, position: Position::Rope, ..base };
    vec![
        base.clone(),
        GptConfig { position: Position::Learned, window: Some(5), tied: false, ..base.clone() },
        GptConfig { soft_cap: 2.0, qk_norm: true, ..base },
    ]
}

fn cloze(pattern: &str, words: &[&str]) -> Cloze {
    Cloze { pattern: pattern.parse().unwrap(), words: words.iter().map(|word| word.to_string()).collect() }
}

/// Words of one token, of several, with and without something behind them, and before the text.
fn clozes() -> Vec<Cloze> {
    vec![
        cloze("{text}: {mask}", &["a", "b", "c"]),
        cloze("{text} {mask}.", &["a", "bcd"]),
        cloze("{text}{mask}", &["ab", "ac", "cab"]),
        cloze("fed {mask}: {text}.", &["ab", "c"]),
    ]
}

/// A classifier by words, its weights far from what they begin as.
fn classifier(config: &GptConfig, method: &str, cloze: Cloze) -> (Classifier, Params) {
    let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
    let mut gpt = Gpt::new(config, &mut params, &mut rng);
    gpt.tune(&method.parse::<Method>().unwrap(), &mut params, &mut rng).unwrap();
    for id in params.ids().collect::<Vec<_>>() {
        params.data_mut(id).iter_mut().for_each(|x| *x += 0.3 * (rng.f32() - 0.5));
    }
    let target = Target::Label { names: cloze.words.clone() };
    let config = ClassifierConfig { target, head: HeadConfig::Words(cloze) };
    let classifier = Classifier::new(gpt, config, &tokenizer(), &mut params, &mut rng).unwrap();
    (classifier, params)
}

/// ln p of the tokens of a row from `first` on, each by a forward of its own.
fn brute_force(gpt: &Gpt, params: &Params, row: &[u32], first: usize) -> f64 {
    let workspace = Workspace::new();
    let ln_p = |i: usize| {
        let tape = Tape::no_grad(params, &workspace);
        let logits = gpt.logits(&row[..i], &mut gpt.causal(&tape, [1, i])).value();
        let last: Vec<f64> =
            logits.iter().skip((i - 1) * gpt.config.vocab_size).map(|&x| f64::from(x)).collect();
        last[row[i] as usize] - last.iter().map(|x| x.exp()).sum::<f64>().ln()
    };
    (first..row.len()).map(ln_p).sum()
}

/// To learn these texts, and to be measured on them.
fn learning<'a>(classifier: &'a Classifier, texts: &'a [Vec<u32>], targets: &'a Targets) -> Classify<'a> {
    Classify {
        classifier,
        texts,
        targets,
        dev_texts: texts,
        dev_targets: targets,
        metric: Metric::Loss,
        noise: Noise::default(),
    }
}

#[test]
fn scores_are_those_of_the_model() {
    for (config, method) in configs().iter().zip(["full", "lora", "prompt:tokens=3"]) {
        for cloze in clozes() {
            let (classifier, params) = classifier(config, method, cloze.clone());
            let pattern = &cloze.pattern;
            let texts: Vec<Vec<u32>> =
                ["hag", "a", "bad egg", "face cab"].map(|text| encode(&pattern.text_piece(text))).to_vec();
            for (text, scores) in texts.iter().zip(classifier.scores_of(&params, &texts)) {
                for (word, score) in cloze.words.iter().zip(scores) {
                    let (row, first) = pattern.frame(&tokenizer(), word).unwrap().around(text);
                    let expected = brute_force(&classifier.gpt, &params, &row, first);
                    let error = (f64::from(score) - expected).abs();
                    assert!(error < 1e-4 * expected.abs().max(1.0), "{pattern} {word}: {score} {expected}");
                }
            }
        }
    }
}

/// A text without room loses its end, for all labels at the same place, and the pattern nothing.
#[test]
fn the_text_is_cut_and_not_the_pattern() {
    for cloze in clozes() {
        let (classifier, params) = classifier(&configs()[0], "full", cloze.clone());
        let long: Vec<u32> = encode(&"bad egg ".repeat(9));
        let most = classifier.max_tokens(&params);
        let longest = cloze.words.iter().map(|word| cloze.pattern.frame(&tokenizer(), word).unwrap().len());
        assert_eq!(most, 24 + 1 - longest.max().unwrap());
        assert_eq!(
            classifier.scores_of(&params, std::slice::from_ref(&long)),
            classifier.scores_of(&params, &[long[..most].to_vec()])
        );
        assert_ne!(
            classifier.scores_of(&params, std::slice::from_ref(&long)),
            classifier.scores_of(&params, &[long[..most - 1].to_vec()])
        );
    }
    let message = |pattern: &str| {
        let words = Words::new(cloze(pattern, &["a", "b"]), &tokenizer(), 6);
        words.unwrap_err().to_string()
    };
    assert!(
        message("{text} deaf: {mask}").contains("found 8 tokens without a text"),
        "{}",
        message("{text} deaf: {mask}")
    );
    assert!(message("{text} was {mask}").contains("'w'"));
}

#[test]
fn gradients_are_right() {
    let models = configs().into_iter().zip(["full", "lora", "prompt:tokens=3"]).collect::<Vec<_>>();
    for (cloze, (config, method)) in clozes().into_iter().zip(models.iter().cycle()) {
        let (classifier, params) = classifier(config, method, cloze.clone());
        let (workspace, mut grads) = (Workspace::poisoned(), Grads::new(&params));
        let texts = ["hag", "a", "bad egg"].map(|text| encode(&cloze.pattern.text_piece(text))).to_vec();
        let targets = Targets::labels(vec![0, 1, 1], &[1.0, 0.5, 1.0][..cloze.words.len()]);
        let task = learning(&classifier, &texts, &targets);
        let tape = Tape::new(&params, &workspace);
        let loss = task.loss(&tape, &[0, 1, 2], 3.0);
        loss.backward(&mut grads);
        assert!(grads.unreached(&params).is_empty(), "{method}");
        if let Err(mismatch) = gradcheck::check_graph(loss, &params, &grads, 1) {
            panic!("{method}, {}: {mismatch}", cloze.pattern);
        }
    }
}

/// Texts whose label is whether an h stands in them.
fn texts(count: usize, seed: u64) -> (Vec<Vec<u32>>, Targets) {
    let mut rng = Rng::new(seed, Stream::Data);
    let text = |i: usize| {
        let mut text: Vec<u32> = (0..5).map(|_| encode("abcdefg")[rng.below(7) as usize]).collect();
        if i % 2 == 1 {
            text[rng.below(5) as usize] = encode("h")[0];
        }
        text
    };
    ((0..count).map(text).collect(), Targets::labels((0..count).map(|i| i % 2).collect(), &[1.0; 2]))
}

fn quietly(_: Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn save(path: &Path, gpt: &Gpt, params: &Params) {
    let model = gpt::Model::new(gpt.clone(), params.clone(), tokenizer());
    model.save(path, &gpt::formats::NEWLEAF, &gpt::ModelCard::default()).unwrap();
}

/// What is learned by words is kept in the directory: by the whole model or by an adapter, without a layer for labels.
#[test]
fn labels_are_learned_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["full", "lora:r=4,targets=all"] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let mut gpt = Gpt::new(&configs()[0], &mut params, &mut rng);
        let base = folder.path().join("base");
        save(&base, &gpt, &params);
        let sha256 = gpt::peft::fingerprint(&gpt.config, &params);
        let method: Method = method.parse().unwrap();
        gpt.tune(&method, &mut params, &mut rng).unwrap();
        let target = Target::Label { names: vec!["no".into(), "yes".into()] };
        let config =
            ClassifierConfig { target, head: HeadConfig::Words(cloze("{text}: {mask}.", &["bad", "fab"])) };
        let classifier = Classifier::new(gpt, config, &tokenizer(), &mut params, &mut rng).unwrap();
        let ((train, targets), (dev, dev_targets)) = (texts(240, 1), texts(100, 2));
        let task = Classify {
            classifier: &classifier,
            texts: &train,
            targets: &targets,
            dev_texts: &dev,
            dev_targets: &dev_targets,
            metric: Metric::Accuracy,
            noise: Noise::default(),
        };
        let settings = TuneConfig {
            epochs: 20,
            batch_size: 16,
            learning_rate: 1e-2,
            patience: None,
            ..TuneConfig::default()
        };
        let outcome = fit(&mut params, &task, &settings, quietly).unwrap();
        assert!(outcome.best_score > 0.95, "{method}: {outcome:?}");
        let path = folder.path().join("classifier");
        save_classifier(&path, (&classifier, &params), &method, (&base, &sha256), &tokenizer(), &[]).unwrap();
        assert!(!path.join("classifier.safetensors").exists());
        let saved = load_classifier(&path, None).unwrap();
        assert_eq!(saved.classifier.config, classifier.config);
        assert_eq!(
            saved.classifier.scores_of(&saved.params, &dev),
            classifier.scores_of(&params, &dev),
            "{method}"
        );
        std::fs::remove_dir_all(&path).unwrap();
    }
}

/// A head of words has nothing to train of its own, and needs labels with a word each.
#[test]
fn what_does_not_go_together_is_refused() {
    let (classifier, mut params) = classifier(&configs()[0], "head", clozes()[0].clone());
    let (texts, targets) = texts(8, 1);
    let task = learning(&classifier, &texts, &targets);
    let result = fit(&mut params, &task, &TuneConfig::default(), quietly);
    assert_eq!(result, Err(TuneError::NothingToTrain));
    let refused = |target: Target| {
        let config = ClassifierConfig { target, head: HeadConfig::Words(clozes()[0].clone()) };
        let mut rng = Rng::new(3, Stream::Init);
        let mut params = Params::new();
        let gpt = Gpt::new(&configs()[0], &mut params, &mut rng);
        let error =
            Classifier::new(gpt, config, &tokenizer(), &mut params, &mut rng).unwrap_err().to_string();
        assert!(error.contains("one for each label"), "{error}");
    };
    refused(Target::Number { mean: 0.0, deviation: 1.0 });
    refused(Target::Label { names: vec!["yes".into(), "no".into()] });
}

/// Examples stand before the question; those without room are left out, the first ones first.
#[test]
fn examples_stand_before_the_question() {
    let (classifier, params) = classifier(&configs()[0], "full", cloze("{text}: {mask}.", &["a", "bc"]));
    let Head::Words(words) = &classifier.head else { unreachable!() };
    let pattern: Pattern = "{text}: {mask}.".parse().unwrap();
    let separator = encode(" ");
    let shots: Vec<Vec<u32>> = [("bad", 0), ("egg", 1)]
        .map(|(text, label)| [words.shot(&encode(text), label), separator.clone()].concat())
        .to_vec();
    let in_context =
        InContext { gpt: &classifier.gpt, params: &params, words, shots: &shots, content_free: &[] };
    // Of 24 tokens 7 and 8 are the examples', and the last token of a row is not read.
    let asked = ["cab", "deaf hag", "deaf hag bad egg"];
    let told = in_context.tell(&asked.map(encode));
    let before = ["bad: a. egg: bc. ", "egg: bc. ", ""];
    for ((text, before), told) in asked.iter().zip(before).zip(&told) {
        assert_eq!(told.shots, before.matches(':').count(), "{text}");
        for (word, score) in ["a", "bc"].iter().zip(&told.scores) {
            let row = encode(&(before.to_string() + &pattern.fill(text, word)));
            let first = row.len() - word.len() - 2; // a space before, a full stop behind
            let expected = brute_force(&classifier.gpt, &params, &row, first);
            assert!((score - expected).abs() < 1e-4 * expected.abs(), "{text} {word}: {score} {expected}");
        }
    }
    // By tokens: three and four of them.
    let mut per_token = words.clone();
    per_token.per_token = true;
    let of_means = InContext { words: &per_token, ..in_context }.tell(&asked.map(encode));
    assert!((of_means[0].scores[0] - told[0].scores[0] / 3.0).abs() < 1e-5);
    assert!((of_means[0].scores[1] - told[0].scores[1] / 4.0).abs() < 1e-5);
}

/// A text that says nothing is as likely of each label, once it is calibrated with.
#[test]
fn calibration_takes_off_what_says_nothing() {
    let (classifier, params) = classifier(&configs()[0], "full", cloze("{text}: {mask}", &["a", "b", "c"]));
    let Head::Words(words) = &classifier.head else { unreachable!() };
    let content_free = [encode("."), encode(":")];
    let calibrated = |content_free: &[Vec<u32>], text: &str| {
        let in_context = InContext { gpt: &classifier.gpt, params: &params, words, shots: &[], content_free };
        in_context.tell(&[encode(text)]).remove(0).scores
    };
    let one = calibrated(&content_free[..1], ".");
    assert!(one.iter().all(|score| (score - one[0]).abs() < 1e-5), "{one:?}");
    // With two, the mean of the probabilities is taken off.
    let p = |text: &str| classifier.probabilities(&params, &[encode(text)]).remove(0);
    let (plain, both) = (calibrated(&[], "bad"), calibrated(&content_free, "bad"));
    for label in 0..3 {
        let mean = (p(".")[label] + p(":")[label]) / 2.0;
        assert!((both[label] - (plain[label] - mean.ln())).abs() < 1e-5, "{label}: {plain:?} {both:?}");
    }
}
