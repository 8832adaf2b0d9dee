//! A model that learns from examples before the question, with no weight changing.
//!
//! ```text
//! cargo run --release -p examples --example 11_few_shot                   # a minute on two cores
//! NEWLEAF_EXAMPLE_STEPS=20 cargo run --release -p examples --example 11_few_shot
//! ```
//!
//! Large models can do this; small ones can if they have read texts in which words mean something new each time (Chan et al.
//! 2022, arXiv 2205.05055). The generator `fewshot-episodes` writes such texts: two classes of words, a new label word for
//! each, some words with their labels, and a question.
//!
//! ```text
//! fruit tool
//! plum: dax
//! file: wug
//! pear:           which label?
//! ```
//!
//! Episodes for training are of six classes. Four other classes are *held out*: no episode of them is ever trained on. Their
//! words do stand in plain text without labels, or nobody could know that a lute and a drum are alike. Plain text says which
//! words are alike ("lute: drum"), or repeats itself: what a word was followed by before follows it again. From the first a
//! model learns what is alike, from the second to look for what came before, from episodes to put both together; and with
//! classes that it has only met in plain text it can show that it did.

use data::baseline::likeliest;
use data::tokenizer::{PieceCounts, WordTokenizer};
use data::{Batch, Example, MaskSpec, Tokenizer};
use gpt::config::{Activation, GptConfig, Norm, Position, Preset};
use gpt::{Decoder, Gpt};
use nn::Schedule;
use nn::optim::{Muon, MuonConfig, Optimizer, clip_grad_norm};
use random::{Rng, Stream};
use std::error::Error;
use std::time::Instant;
use synth::kinds::episodes::{Class, HELD_OUT, LABELS, USUAL};
use synth::{Document, Field, find};
use tensor::{DropoutSeeds, Grads, Params, Tape, Workspace};

const SEED: u64 = 1337;
const BATCH_SIZE: usize = 64;
/// Labelled words before the question.
const SHOTS: [usize; 5] = [0, 1, 2, 4, 8];
/// Plain texts among a hundred.
const PLAIN: u64 = 60;
/// Lines of a plain text, as many as an episode has.
const LINES: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let steps: u64 = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(1400), |steps| steps.parse())?;
    let tokenizer = tokenizer()?;
    let config = config(tokenizer.vocab_size());
    let mut params = Params::new();
    let gpt = Gpt::new(&config, &mut params, &mut Rng::new(SEED, Stream::Init));
    println!(
        "{} words, {} parameters, {steps} updates of {BATCH_SIZE} texts",
        config.vocab_size,
        params.count()
    );
    let labels = LABELS.iter().flat_map(|label| tokenizer.encode(&format!(" {label}"))).flatten().collect();
    let reader = Reader { gpt, tokenizer, labels };
    reader.train(&mut params, steps)?;

    reader.report(&params, if steps < 100 { 50 } else { 1000 })
}

/// A token is a word, with the space before it.
fn tokenizer() -> Result<Tokenizer, Box<dyn Error>> {
    let mut counts = PieceCounts::new(None);
    for (class, words) in USUAL.iter().chain(&HELD_OUT) {
        words.iter().chain([class]).for_each(|word| counts.add(&format!("{word}: {word}\n")));
    }
    LABELS.iter().for_each(|label| counts.add(&format!(" {label}")));
    Ok(Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None)?))
}

/// Two layers: one to see which word stands before a label, one to find the words like the one that is asked for.
fn config(vocab_size: usize) -> GptConfig {
    GptConfig {
        n_layer: 2,
        n_embd: 64,
        n_head: 4,
        block_size: 64,
        position: Position::Rope,
        norm: Norm::RmsNorm,
        activation: Activation::Relu2,
        qk_norm: true,
        zero_init: true,
        ..Preset::NanoCpu.config(vocab_size).model
    }
}

/// The words of two classes, some labelled words, and a question.
struct Episode {
    header: String,
    shots: Vec<(String, String)>,
    question: String,
    answer: String,
}

/// Episodes of the generator, and the accuracy that nobody exceeds.
fn episodes(
    shots: usize,
    classes: &str,
    count: usize,
    seed: u64,
) -> Result<(Vec<Episode>, f64), Box<dyn Error>> {
    let entry = find("fewshot-episodes")?;
    let mut generator =
        (entry.build)(&entry.params(&[("shots", &shots.to_string()), ("classes", classes)])?)?;
    let alphabet = generator.alphabet().to_vec();
    let (mut rng, mut document) = (Rng::new(seed, Stream::Data), Document::default());
    let mut episode = || {
        document.clear();
        generator.append(&mut rng, &mut document);
        let header = document.fields.first().map_or(0, |(_, start)| *start);
        let header = document.symbols[..header].iter().map(|&symbol| alphabet[symbol as usize]).collect();
        let fields = document.field_texts(&alphabet);
        let all =
            |wanted| fields.iter().filter(move |(field, _)| *field == wanted).map(|(_, text)| text.clone());
        let mut shots: Vec<(String, String)> = all(Field::Text).zip(all(Field::Label)).collect();
        let (question, answer) = shots.pop().expect("an episode ends with a question");
        Episode { header, shots, question, answer }
    };
    let episodes = (0..count).map(|_| episode()).collect();
    let best =
        generator.facts().iter().find(|(name, _)| *name == "bayes_accuracy").map_or(f64::NAN, |fact| fact.1);
    Ok((episodes, best))
}

impl Episode {
    /// Up to where the answer stands.
    fn prompt(&self) -> String {
        let shots: String = self.shots.iter().map(|(word, label)| format!("{word}: {label}\n")).collect();
        format!("{}{shots}{}:", self.header, self.question)
    }

    /// All of it.
    fn text(&self) -> String {
        format!("{} {}\n", self.prompt(), self.answer)
    }

    /// The same words with two labels of which a coin takes one each time, for the answer, too.
    fn with_random_labels(&self, rng: &mut Rng) -> Episode {
        let mut labels = LABELS;
        rng.shuffle(&mut labels);
        let mut random = || one_of(&labels[..2], rng).to_string();
        Episode {
            header: self.header.clone(),
            shots: self.shots.iter().map(|(word, _)| (word.clone(), random())).collect(),
            question: self.question.clone(),
            answer: random(),
        }
    }
}

fn one_of<'a, T>(of: &'a [T], rng: &mut Rng) -> &'a T {
    &of[rng.below(of.len() as u64) as usize]
}

/// A plain text: words beside words like them, or words that bring back what they brought before.
fn plain_text(rng: &mut Rng) -> String {
    let classes: Vec<Class> = USUAL.into_iter().chain(HELD_OUT).collect();
    if rng.below(2) == 0 {
        let mut line = || {
            let (_, words) = one_of(&classes, rng);
            format!("{}: {}\n", one_of(words, rng), one_of(words, rng))
        };
        return (0..LINES).map(|_| line()).collect();
    }
    let mut words: Vec<&str> = classes.iter().flat_map(|(_, words)| *words).collect();
    rng.shuffle(&mut words);
    let pairs: Vec<String> = words.chunks(2).map(|pair| format!("{}: {}\n", pair[0], pair[1])).collect();
    let pairs = &pairs[..2 + rng.below(4) as usize];
    (0..LINES).map(|_| &one_of(pairs, rng)[..]).collect()
}

/// The label of the word itself, if it was among the examples. If not, of the class that has more words left; with one label
/// seen, the other class might have any of the others.
fn by_repetition(episode: &Episode) -> String {
    if let Some((_, label)) = episode.shots.iter().find(|(word, _)| *word == episode.question) {
        return label.clone();
    }
    let words_of = |label: &str| {
        let mut words: Vec<&String> =
            episode.shots.iter().filter(|(_, other)| other == label).map(|(word, _)| word).collect();
        words.sort_unstable();
        words.dedup();
        words.len()
    };
    let seen = episode.shots.iter().map(|(_, label)| label);
    seen.min_by_key(|label| words_of(label)).map_or(LABELS[0].into(), String::clone)
}

/// The share of questions that is answered right.
fn share(episodes: &[Episode], answer: impl Fn(&Episode) -> String) -> f64 {
    let right = episodes.iter().filter(|episode| answer(episode) == episode.answer).count();
    right as f64 / episodes.len() as f64
}

/// What reads and learns.
struct Reader {
    gpt: Gpt,
    tokenizer: Tokenizer,
    /// The tokens of [`LABELS`].
    labels: Vec<u32>,
}

impl Reader {
    fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text).expect("what is not known is <unk>")
    }

    /// Trains on episodes of usual classes and on plain text of all.
    fn train(&self, params: &mut Params, steps: u64) -> Result<(), Box<dyn Error>> {
        let longest = SHOTS[SHOTS.len() - 1];
        let (usual, _) = episodes(longest, "usual", 20_000, SEED)?;
        let learning = MuonConfig { lr_ratio: 7.0, ..MuonConfig::default() };
        let mut optimizer = Muon::new(params, learning, |params, id| self.gpt.stacked_rows(params, id));
        let schedule =
            Schedule::Linear { learning_rate: 3e-3, warmup_iters: steps / 20, lr_decay_iters: steps };
        let (workspace, mut grads) = (Workspace::new(), Grads::new(params));
        let (mut rng, started) = (Rng::new(SEED, Stream::Data), Instant::now());
        let (watched, _) = episodes(longest, "held-out", 200, SEED + 3)?;
        println!("\n{:>6} {:>8} {:>18} {:>9}", "update", "loss", "held-out, 8 shots", "seconds");
        for step in 0..steps {
            let mut example = || match rng.below(100) < PLAIN {
                true => self.example(&plain_text(&mut rng), |_| true),
                false => self.example(&one_of(&usual, &mut rng).text(), |token| self.labels.contains(&token)),
            };
            let examples: Vec<Example> = (0..BATCH_SIZE).map(|_| example()).collect();
            let time = examples.iter().map(|example| example.ids.len()).max().unwrap_or(1);
            let tape = Tape::new(params, &workspace).with_dropout(DropoutSeeds::new(SEED, step));
            let batch = Batch::from_examples(&examples, time);
            let loss = self.gpt.loss(&tape, &batch);
            grads.clear();
            loss.backward(&mut grads);
            let loss = loss.item();
            drop(tape);
            clip_grad_norm(&mut grads, 1.0);
            optimizer.step(params, &grads, schedule.lr(step))?;
            if (step + 1) % (steps / 6).max(1) == 0 {
                let accuracy = share(&watched, |episode| self.answer(params, episode));
                let seconds = started.elapsed().as_secs_f64();
                println!("{:>6} {loss:>8.3} {accuracy:>18.3} {seconds:>9.1}", step + 1);
            }
        }
        Ok(())
    }

    /// The table of accuracies.
    fn report(&self, params: &Params, questions: usize) -> Result<(), Box<dyn Error>> {
        println!("\nthe share of {questions} questions that is answered right");
        println!(
            "{:>6} {:>8} {:>15} {:>18} {:>15} {:>15}",
            "shots", "at best", "usual classes", "held-out classes", "by repetition", "random labels"
        );
        for shots in SHOTS {
            let (usual, best) = episodes(shots, "usual", questions, SEED + 1)?;
            let (held_out, _) = episodes(shots, "held-out", questions, SEED + 2)?;
            // The control: labels of the examples that say nothing. Who still does better than chance reads something else.
            let mut rng = Rng::new(SEED, Stream::Other(0));
            let random: Vec<Episode> =
                usual.iter().map(|episode| episode.with_random_labels(&mut rng)).collect();
            println!(
                "{shots:>6} {best:>8.3} {:>15.3} {:>18.3} {:>15.3} {:>15.3}",
                share(&usual, |episode| self.answer(params, episode)),
                share(&held_out, |episode| self.answer(params, episode)),
                share(&held_out, by_repetition),
                share(&random, |episode| self.answer(params, episode)),
            );
        }
        println!(
            "\nby repetition: about the best that can be done on held-out classes by who has never read their words.\n\
             random labels: a coin says which of two labels comes, for the answer, too: with examples half are right at best."
        );
        Ok(())
    }

    /// An example that asks for every token that counts.
    fn example(&self, text: &str, counts: impl Fn(u32) -> bool) -> Example {
        let ids = self.encode(text);
        let (read, asked) = (&ids[..ids.len() - 1], &ids[1..]);
        Example {
            ids: read.to_vec(),
            labels: asked.to_vec(),
            weights: asked.iter().map(|&token| if counts(token) { 1.0 } else { 0.0 }).collect(),
            mask: MaskSpec::Causal,
        }
    }

    /// The label that is likeliest where the answer stands.
    fn answer(&self, params: &Params, episode: &Episode) -> String {
        let mut decoder = Decoder::new(&self.gpt, params);
        let logits = decoder.push_all(&self.encode(&episode.prompt()));
        let scores: Vec<f32> = self.labels.iter().map(|&label| logits[label as usize]).collect();
        LABELS[likeliest(&scores)].into()
    }
}
