//! A pattern and its words are found by a model that has read texts with such a sentence behind them.

use data::pattern::Cloze;
use data::{CharTokenizer, Tokenizer};
use gpt::Gpt;
use gpt::config::{Config, Preset};
use gpt::train::Trainer;
use gpt::tune::{Classifier, ClassifierConfig, HeadConfig, Target, find_cloze};
use random::{Rng, Stream};
use tensor::Params;

/// A review, and what it says in the end.
fn review(rng: &mut Rng) -> (String, usize) {
    let label = rng.below(2) as usize;
    let signs: Vec<char> = if label == 1 { "香甜鲜" } else { "冷硬咸" }.chars().collect();
    let others: Vec<char> = "饭菜面汤茶肉".chars().collect();
    let sign = signs[rng.below(3) as usize];
    let text = (0..3).map(|_| others[rng.below(6) as usize]).chain([sign]).collect();
    (text, label)
}

/// A model that has read reviews with a verdict: 真好 or 真差.
fn reader() -> (Gpt, Params, Tokenizer) {
    let mut rng = Rng::new(7, Stream::Data);
    let text: String = (0..2500)
        .map(|_| {
            let (text, label) = review(&mut rng);
            format!("{text}真{}。", ["差", "好"][label])
        })
        .collect();
    // The characters of other patterns, too, in a text that says nothing.
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text(&format!("{text}，这是总之")).unwrap());
    let mut config: Config = Preset::NanoCpu.config(tokenizer.vocab_size());
    let model = &mut config.model;
    (model.n_layer, model.n_head, model.n_embd, model.block_size) = (2, 2, 64, 32);
    config.train.batch_size = 16;
    config.set("max_iters", "500").unwrap();
    config.set("learning_rate", "5e-3").unwrap();
    let tokens = tokenizer.encode(&text).unwrap();
    let mut trainer = Trainer::new(&config, &tokens[..]).unwrap();
    for _ in 0..500 {
        trainer.step(&tokens[..]).unwrap();
    }
    (trainer.model.clone(), trainer.params.clone(), tokenizer)
}

#[test]
fn words_that_the_model_has_read_are_found() {
    let (gpt, params, tokenizer) = reader();
    let mut rng = Rng::new(8, Stream::Data);
    let mut draw = |count: usize| -> (Vec<Vec<u32>>, Vec<usize>) {
        (0..count)
            .map(|_| review(&mut rng))
            .map(|(text, label)| (tokenizer.encode(&text).unwrap(), label))
            .unzip()
    };
    let (train, validation, new) = (draw(32), draw(32), draw(100));
    let find = |names: [&str; 2], words: Option<&[String]>| {
        let names = names.map(String::from);
        let parts = [&train, &validation].map(|(texts, labels)| (&texts[..], &labels[..]));
        find_cloze((&gpt, &params), &tokenizer, (&names, words), parts[0], parts[1])
    };
    // The share of new texts that it is right about, each word beside its mean.
    let right = |cloze: Cloze| {
        let target = Target::Label { names: vec!["0".into(), "1".into()] };
        let config = ClassifierConfig { target, head: HeadConfig::Words(cloze) };
        let (mut params, mut rng) = (params.clone(), Rng::new(1, Stream::Init));
        let classifier = Classifier::new(gpt.clone(), config, &tokenizer, &mut params, &mut rng).unwrap();
        let scores = classifier.scores_of(&params, &new.0);
        let differences: Vec<f32> = scores.iter().map(|scores| scores[1] - scores[0]).collect();
        let mean = differences.iter().sum::<f32>() / differences.len() as f32;
        let right = differences.iter().zip(&new.1).filter(|(d, label)| (**d > mean) == (**label == 1));
        right.count() as f64 / differences.len() as f64
    };
    // The labels are numbers: words are looked for, one for each.
    let found = find(["0", "1"], None).unwrap();
    assert!(found.words[0] != found.words[1] && right(found.clone()) > 0.95, "{found:?}");
    // They are words: these. Words are given: those.
    let words = ["差", "好"].map(String::from);
    let [named, given] = [find(["差", "好"], None), find(["a", "b"], Some(&words))].map(Result::unwrap);
    assert!(named == given && named.words == words && right(named.clone()) > 0.95, "{named:?}");
    // Words in letters that the model does not know.
    let refused = find(["bad", "good"], None).unwrap_err().to_string();
    assert!(refused.contains("auto") && refused.contains("--verbalizer"), "{refused}");
}
