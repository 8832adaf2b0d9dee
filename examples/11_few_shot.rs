//! scratch
use data::generate::{Document, Field, find};
use data::tokenizer::{PieceCounts, WordTokenizer};
use data::{Batch, Example, MaskSpec, Tokenizer};
use gpt::Gpt;
use gpt::config::{Activation, Norm, Position, Preset};
use nn::optim::{AdamWConfig, Muon, MuonConfig, Optimizer, clip_grad_norm};
use nn::{DropoutSeeds, Schedule};
use random::{Rng, Stream};
use std::time::Instant;
use tensor::{Grads, Params, Tape, Workspace};

const CLASSES: [(&str, [&str; 6]); 10] = [
    ("fruit", ["pear", "plum", "kiwi", "lime", "date", "sloe"]),
    ("tool", ["file", "vice", "adze", "rasp", "hook", "pick"]),
    ("beast", ["goat", "lamb", "mule", "colt", "hare", "bull"]),
    ("colour", ["blue", "pink", "gold", "grey", "teal", "cyan"]),
    ("house", ["door", "roof", "wall", "sill", "tile", "beam"]),
    ("weather", ["rain", "snow", "hail", "wind", "mist", "gale"]),
    ("music", ["drum", "harp", "lute", "oboe", "fife", "horn"]),
    ("cloth", ["coat", "boot", "sock", "belt", "cape", "robe"]),
    ("ship", ["mast", "sail", "helm", "keel", "deck", "prow"]),
    ("body", ["hand", "knee", "neck", "chin", "heel", "palm"]),
];
const LABELS: [&str; 8] = ["dax", "wug", "fep", "zup", "gor", "kif", "lum", "tob"];

fn env(name: &str, default: f64) -> f64 {
    std::env::var(name).map_or(default, |v| v.parse().unwrap())
}

struct Episode {
    header: String,
    shots: Vec<(String, String)>,
}

fn episodes(n: usize, shots: usize, held_out: bool, rng: &mut Rng) -> Vec<Episode> {
    let entry = find("fewshot-episodes").unwrap();
    let shots = shots.to_string();
    let params =
        entry.params(&[("shots", &shots), ("classes", if held_out { "held-out" } else { "usual" })]).unwrap();
    let mut generator = (entry.build)(&params).unwrap();
    let alphabet = generator.alphabet().to_vec();
    let mut document = Document::default();
    (0..n)
        .map(|_| {
            document.clear();
            generator.append(rng, &mut document);
            let fields = document.field_texts(&alphabet);
            let end = document.fields[0].1;
            let header = document.symbols[..end].iter().map(|&s| alphabet[s as usize]).collect();
            let texts = fields.iter().filter(|f| f.0 == Field::Text).map(|f| f.1.clone());
            let labels = fields.iter().filter(|f| f.0 == Field::Label).map(|f| f.1.clone());
            Episode { header, shots: texts.zip(labels).collect() }
        })
        .collect()
}

fn main() {
    let steps = env("NEWLEAF_EXAMPLE_STEPS", 1500.0) as u64;
    let plain = env("PLAIN", 1.0) as usize;
    let share = env("SHARE", 0.5);
    let batch_size = env("BATCH", 64.0) as usize;
    let mut rng = Rng::new(env("SEED", 1337.0) as u64, Stream::Data);
    let mut text = String::from(": \n \n\n");
    for (name, words) in CLASSES {
        text += &format!("{name}\n {name}\n");
        for w in words {
            text += &format!("{w}\n {w}\n");
        }
    }
    for l in LABELS {
        text += &format!(" {l}\n");
    }
    let mut counts = PieceCounts::new(None);
    counts.add(&text);
    let tok = Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None).unwrap());
    let label_ids: Vec<u32> = LABELS.iter().map(|l| tok.encode(&format!(" {l}")).unwrap()[0]).collect();
    let mut config = Preset::NanoCpu.config(tok.vocab_size()).model;
    config.n_layer = env("LAYERS", 2.0) as usize;
    config.n_embd = env("WIDTH", 64.0) as usize;
    config.n_head = env("HEADS", 4.0) as usize;
    config.block_size = 128;
    config.position = Position::Rope;
    config.norm = Norm::RmsNorm;
    config.activation = Activation::Relu2;
    config.qk_norm = true;
    config.zero_init = env("ZERO", 1.0) > 0.0;
    config.dropout = env("DROPOUT", 0.0) as f32;
    let mut params = Params::new();
    let gpt = Gpt::new(&config, &mut params, &mut Rng::new(env("SEED", 1337.0) as u64, Stream::Init));
    eprintln!("{} params, vocab {}", params.count(), tok.vocab_size());
    let lr = env("LR", 3e-3);
    let mut optimizer = Muon::new(
        &params,
        MuonConfig {
            lr_ratio: env("RATIO", 7.0),
            weight_decay: env("WD", 0.1),
            adamw: AdamWConfig { weight_decay: env("WD", 0.1), ..AdamWConfig::default() },
            ..MuonConfig::default()
        },
        |p, id| gpt.stacked_rows(p, id),
    );
    let schedule = Schedule::Linear { learning_rate: lr, warmup_iters: steps / 20, lr_decay_iters: steps };
    let workspace = Workspace::new();
    let mut grads = Grads::new(&params);
    let train = episodes(40000, 8, false, &mut rng);
    let encode = |episode: &Episode| -> Example {
        let mut ids = tok.encode(&episode.header).unwrap();
        for (w, l) in &episode.shots {
            ids.extend(tok.encode(&format!("{w}: {l}\n")).unwrap());
        }
        example(ids, &label_ids, env("ALL", 0.0) > 0.0)
    };
    let train: Vec<Example> = train.iter().map(encode).collect();
    let started = Instant::now();
    for step in 0..steps {
        let examples: Vec<Example> = (0..batch_size)
            .map(|_| {
                if plain == 0 || (rng.below(1000) as f64) >= 1000.0 * share {
                    return train[rng.below(train.len() as u64) as usize].clone();
                }
                let pair = |rng: &mut Rng| {
                    let a = rng.below(10);
                    let b = (a + 1 + rng.below(9)) % 10;
                    (a as usize, b as usize)
                };
                let mut text = String::new();
                let (a, b) = pair(&mut rng);
                match plain {
                    1 => {
                        // lists of one class
                        let mut words = CLASSES[a].1.to_vec();
                        rng.shuffle(&mut words);
                        for w in words {
                            text += &format!("{w}\n");
                        }
                    }
                    2 => {
                        // class names as labels
                        text += &format!("{} {}\n", CLASSES[a].0, CLASSES[b].0);
                        for _ in 0..9 {
                            let c = if rng.below(2) == 0 { a } else { b };
                            text += &format!("{}: {}\n", CLASSES[c].1[rng.below(6) as usize], CLASSES[c].0);
                        }
                    }
                    3 => {
                        // alternating classes by a random pattern that repeats: a b b | a b b
                        let n = 2 + rng.below(3) as usize;
                        let p: Vec<usize> = (0..n).map(|_| if rng.below(2) == 0 { a } else { b }).collect();
                        for i in 0..24 {
                            text += &format!(
                                "{}{}",
                                CLASSES[p[i % n]].1[rng.below(6) as usize],
                                if i % n == n - 1 { "\n" } else { ": " }
                            );
                        }
                    }
                    5 | 6 => {
                        if rng.below(2) == 0 || (plain == 6 && rng.below(2) == 0) {
                            let mut words = CLASSES[a].1.to_vec();
                            rng.shuffle(&mut words);
                            for w in words {
                                text += &format!("{w}\n");
                            }
                        } else {
                            // keys and values, which come again
                            let n = 2 + rng.below(4) as usize;
                            let word =
                                |rng: &mut Rng| CLASSES[rng.below(10) as usize].1[rng.below(6) as usize];
                            let mut all: Vec<&str> = CLASSES.iter().flat_map(|c| c.1).collect();
                            rng.shuffle(&mut all);
                            let values: Vec<&str> = (0..n).map(|_| word(&mut rng)).collect();
                            for _ in 0..9 {
                                let i = rng.below(n as u64) as usize;
                                text += &format!("{}: {}\n", all[i], values[i]);
                            }
                        }
                    }
                    8 => {
                        // pairs of a class, or keys and values
                        if rng.below(2) == 0 {
                            for _ in 0..9 {
                                let c = rng.below(10) as usize;
                                text += &format!(
                                    "{}: {}\n",
                                    CLASSES[c].1[rng.below(6) as usize],
                                    CLASSES[c].1[rng.below(6) as usize]
                                );
                            }
                        } else {
                            let n = 2 + rng.below(4) as usize;
                            let word =
                                |rng: &mut Rng| CLASSES[rng.below(10) as usize].1[rng.below(6) as usize];
                            let mut all: Vec<&str> = CLASSES.iter().flat_map(|c| c.1).collect();
                            rng.shuffle(&mut all);
                            let values: Vec<&str> = (0..n).map(|_| word(&mut rng)).collect();
                            for _ in 0..9 {
                                let i = rng.below(n as u64) as usize;
                                text += &format!("{}: {}\n", all[i], values[i]);
                            }
                        }
                    }
                    _ => {
                        // "pear: plum" pairs of one class
                        for _ in 0..9 {
                            let c = rng.below(10) as usize;
                            text += &format!(
                                "{}: {}\n",
                                CLASSES[c].1[rng.below(6) as usize],
                                CLASSES[c].1[rng.below(6) as usize]
                            );
                        }
                    }
                }
                {
                    let mut e = example(tok.encode(&text).unwrap(), &label_ids, true);
                    if env("ANS", 0.0) > 0.0 {
                        let colon = tok.encode(":").unwrap()[0];
                        for i in 0..e.ids.len() {
                            e.weights[i] = if e.ids[i] == colon { 1.0 } else { 0.0 };
                        }
                    }
                    e
                }
            })
            .collect();
        let time = examples.iter().map(|e| e.ids.len()).max().unwrap();
        let batch = Batch::from_examples(&examples, time);
        let tape = Tape::new(&params, &workspace);
        let loss = gpt.loss(&tape, &batch, &DropoutSeeds::new(1, step));
        grads.clear();
        loss.backward(&mut grads);
        let loss = loss.item();
        drop(tape);
        clip_grad_norm(&mut grads, 1.0);
        optimizer.step(&mut params, &grads, schedule.lr(step)).unwrap();
        if (step + 1) % (steps / 6).max(1) == 0 {
            print!("{:>5} loss {loss:.3} {:.0}s |", step + 1, started.elapsed().as_secs_f64());
            for held in [false, true] {
                for k in [0, 1, 2, 4, 8] {
                    let a = accuracy(
                        &gpt,
                        &params,
                        &tok,
                        &label_ids,
                        &episodes(300, k, held, &mut Rng::new(9, Stream::Data)),
                        false,
                    );
                    print!(" {a:.2}");
                }
                print!(" |");
            }
            let a = accuracy(
                &gpt,
                &params,
                &tok,
                &label_ids,
                &episodes(300, 8, false, &mut Rng::new(9, Stream::Data)),
                true,
            );
            println!(" perm {a:.2}");
        }
    }
}

fn example(ids: Vec<u32>, labels: &[u32], all: bool) -> Example {
    Example {
        weights: ids[1..].iter().map(|id| if all || labels.contains(id) { 1.0 } else { 0.0 }).collect(),
        labels: ids[1..].to_vec(),
        ids: ids[..ids.len() - 1].to_vec(),
        mask: MaskSpec::Causal,
    }
}

fn accuracy(
    gpt: &Gpt,
    params: &Params,
    tok: &Tokenizer,
    label_ids: &[u32],
    episodes: &[Episode],
    permute: bool,
) -> f64 {
    let workspace = Workspace::new();
    let mut rng = Rng::new(5, Stream::Data);
    let mut right = 0;
    for e in episodes {
        let mut ids = tok.encode(&e.header).unwrap();
        let (q, shots) = e.shots.split_last().unwrap();
        let mut used: Vec<&String> = e.shots.iter().map(|s| &s.1).collect();
        used.sort();
        used.dedup();
        for (w, l) in shots {
            let l = if permute { used[rng.below(used.len() as u64) as usize] } else { l };
            ids.extend(tok.encode(&format!("{w}: {l}\n")).unwrap());
        }
        ids.extend(tok.encode(&format!("{}:", q.0)).unwrap());
        let tape = Tape::no_grad(params, &workspace);
        let n = ids.len();
        let logits = gpt.logits(&tape, &ids, [1, n], &gpt.intervals(n), &DropoutSeeds::off()).value();
        let row: Vec<f32> = logits.iter().copied().skip((n - 1) * gpt.config.vocab_size).collect();
        let best = (0..8)
            .max_by(|&a, &b| row[label_ids[a] as usize].total_cmp(&row[label_ids[b] as usize]))
            .unwrap();
        right += usize::from(LABELS[best] == q.1);
    }
    right as f64 / episodes.len() as f64
}
