//! The oracle of corrupted examples: against the closed forms on average, and against counting all texts.

use data::objective::{Corruptor, MaskSplit, Objective, ObjectiveSettings, Vocabulary};
use data::{Example, MaskSpec};
use random::{Rng, Stream};
use synth::process::chain::MarkovChain;
use synth::process::grammar::Grammar;
use synth::process::hmm::Hmm;
use synth::process::objectives::{masked_causal_floor, masked_floor, span_floor};
use synth::process::oracle::Oracle;
use synth::{Document, Generator, Measure, find};

/// A corruptor for texts of `symbols` symbols, which are the tokens 0, 1, ..., before the special ones.
fn corruptor(objective: &str, settings: ObjectiveSettings, symbols: usize, block_size: usize) -> Corruptor {
    let objective: Objective = objective.parse().unwrap();
    let names = objective.specials(&settings, block_size);
    let named = names.iter().map(String::as_str).zip(symbols as u32..);
    let vocabulary = Vocabulary::new(symbols + names.len(), named).unwrap();
    objective.resolve(&settings, &vocabulary, block_size).unwrap()
}

fn generator(name: &str) -> Box<dyn Generator> {
    let entry = find(name).unwrap();
    (entry.build)(&entry.defaults()).unwrap()
}

fn pure() -> ObjectiveSettings {
    ObjectiveSettings { mask_split: MaskSplit::PURE, ..ObjectiveSettings::default() }
}

fn spans_of(n: usize) -> ObjectiveSettings {
    ObjectiveSettings { span_length: Some(n), ..ObjectiveSettings::default() }
}

/// Windows of an endless text of a generator, far enough from each other to be nearly independent.
fn windows(name: &str, len: usize, count: usize) -> Vec<Vec<u32>> {
    let (mut generator, mut rng, mut document) =
        (generator(name), Rng::new(5, Stream::Data), Document::default());
    while document.symbols.len() < (count + 1) * (len + 20) {
        generator.append(&mut rng, &mut document);
    }
    document.symbols.chunks(len + 20).take(count).map(|window| window[20..].to_vec()).collect()
}

/// The mean cost of the labels at the places of the text `counted`, over many windows.
fn mean(
    corruptor: &Corruptor,
    windows: &[Vec<u32>],
    counted: std::ops::Range<usize>,
    nats: impl Fn(&Example) -> Vec<f64>,
) -> Measure {
    let (mut rng, mut measure) = (Rng::new(9, Corruptor::STREAM), Measure::new(0.9));
    for window in windows {
        let example = corruptor.example(0, window, &mut rng);
        let puzzle = corruptor.tasks()[0].puzzle(&example).unwrap();
        let nats = nats(&example);
        let asked = puzzle.asked.iter().filter(|question| counted.contains(&question.place));
        let (sum, n) = asked.fold((0.0, 0.0), |(sum, n), question| (sum + nats[question.position], n + 1.0));
        measure.add(sum, n);
    }
    measure
}

#[track_caller]
fn assert_agrees(measure: Measure, floor: f64, published: f64) {
    assert!((floor - published).abs() < 1e-6, "the closed form is {floor}, expected {published}");
    let (mean, se) = (measure.mean(), measure.standard_error().unwrap());
    assert!(se < 0.006, "{se} is too uncertain to mean anything");
    assert!(measure.agrees_with(floor, 0.0, 4.0), "{mean} +- {se}, expected {floor}");
}

#[test]
fn masked_symbols_cost_their_closed_form() {
    let (chain, windows) = (MarkovChain::worked(), windows("markov-k", 128, 2000));
    let oracle = Oracle::new(&chain.process());
    let corruptor = corruptor("mlm", pure(), 3, 128);
    let task = &*corruptor.tasks()[0];
    // Near the ends a side is missing, which the closed form does not know.
    let both = mean(&corruptor, &windows, 20..108, |example| oracle.nats(task, example).unwrap());
    assert_agrees(both, masked_floor(&chain, 0.15), 0.810885);
    let left = mean(&corruptor, &windows, 20..108, |example| oracle.nats_from_left(task, example).unwrap());
    assert_agrees(left, masked_causal_floor(&chain, 0.15), 0.929859);
    // The two differ by far more than they are uncertain.
    assert!(!both.agrees_with(masked_causal_floor(&chain, 0.15), 0.0, 4.0));
}

#[test]
fn spans_cost_their_closed_form() {
    let (chain, windows) = (MarkovChain::worked(), windows("markov-k", 128, 1500));
    let oracle = Oracle::new(&chain.process());
    for (n, published) in [(1, 0.779771), (3, 0.853045), (8, 0.888067)] {
        for objective in ["span", "glm"] {
            let corruptor = corruptor(objective, spans_of(n), 3, 128);
            let task = &*corruptor.tasks()[0];
            let measure = mean(&corruptor, &windows, 0..128, |example| oracle.nats(task, example).unwrap());
            assert_agrees(measure, span_floor(&chain, n), published);
        }
    }
}

#[test]
fn continuing_costs_the_entropy_rate() {
    for (name, rate, symbols) in
        [("markov-k", 0.909637, 3), ("golden-mean", 0.462098, 2), ("even-process", 0.462098, 2)]
    {
        let windows = windows(name, 129, 800);
        let process = generator(name).process().unwrap();
        let (oracle, corruptor) =
            (Oracle::new(&process), corruptor("clm", ObjectiveSettings::default(), symbols, 128));
        let task = &*corruptor.tasks()[0];
        let measure = mean(&corruptor, &windows, 64..129, |example| oracle.nats(task, example).unwrap());
        assert!(measure.agrees_with(rate, 1e-6, 4.0), "{name}: {} for {rate}", measure.mean());
    }
}

/// What a generator says that its symbols cost is what the oracle says, once it knows the state.
#[test]
fn processes_are_those_of_the_generators() {
    for name in ["markov-k", "golden-mean", "even-process", "mess3", "dyck-k", "dyck-1", "pcfg"] {
        let generator = &mut *generator(name);
        let oracle = generator.oracle().unwrap();
        let (mut document, mut rng) = (Document::default(), Rng::new(2, Stream::Data));
        while document.symbols.len() < 500 {
            generator.append(&mut rng, &mut document);
        }
        let corruptor = corruptor("clm", ObjectiveSettings::default(), generator.alphabet().len(), 499);
        let example = corruptor.example(0, &document.symbols, &mut Rng::new(2, Stream::Other(0)));
        let nats = oracle.nats(&*corruptor.tasks()[0], &example).unwrap();
        // Generators of brackets know that they begin with none open; the oracle sees a window from anywhere.
        let from = if matches!(name, "dyck-k" | "dyck-1" | "pcfg") { 250 } else { 0 };
        for (i, (ours, theirs)) in nats.iter().zip(&document.nats[1..]).enumerate().skip(from) {
            assert!((ours - theirs).abs() < 1e-9, "{name}, symbol {}: {ours} and {theirs}", i + 1);
        }
    }
}

/// All texts of a length and their probabilities, by following the belief along each.
fn all_texts(process: &Hmm, symbols: u32, len: usize) -> Vec<(Vec<u32>, f64)> {
    let mut texts = vec![(Vec::new(), 1.0, process.stationary().to_vec())];
    for _ in 0..len {
        texts = texts
            .into_iter()
            .flat_map(|(text, p, belief)| {
                (0..symbols).map(move |symbol| {
                    let (mut text, mut belief) = (text.clone(), belief.clone());
                    text.push(symbol);
                    let next = process.update(&mut belief, symbol);
                    (text, p * next, belief)
                })
            })
            .filter(|(_, p, _)| *p > 0.0)
            .collect();
    }
    texts.into_iter().map(|(text, p, _)| (text, p)).collect()
}

/// -ln of the share of `right` texts, of those that are possible.
fn cost<'t>(
    texts: impl Iterator<Item = &'t (Vec<u32>, f64)>,
    weight: impl Fn(&[u32]) -> f64,
    right: impl Fn(&[u32]) -> bool,
) -> f64 {
    let (mut all, mut of_right) = (0.0, 0.0);
    for (text, p) in texts {
        let p = p * weight(text);
        all += p;
        of_right += if right(text) { p } else { 0.0 };
    }
    -(of_right / all).ln()
}

fn processes() -> Vec<(Hmm, u32)> {
    vec![
        (MarkovChain::worked().process(), 3),
        (Hmm::golden_mean(500_000), 2),
        (Hmm::even_process(300_000), 2),
        (Hmm::mess3(50_000, 850_000), 3),
    ]
}

/// Runs `check` on examples of random possible texts of every process.
fn on_texts(
    objective: &str,
    settings: ObjectiveSettings,
    block_size: usize,
    check: impl Fn(&Corruptor, &Oracle, &[(Vec<u32>, f64)], &[u32], &Example, u32),
) {
    for (process, symbols) in processes() {
        let corruptor = corruptor(objective, settings, symbols as usize, block_size);
        let (oracle, mut rng) = (Oracle::new(&process), Rng::new(4, Stream::Other(1)));
        let texts = all_texts(&process, symbols, corruptor.window());
        for _ in 0..25 {
            let text = &texts[rng.below(texts.len() as u64) as usize].0;
            let example = corruptor.example(0, text, &mut rng);
            check(&corruptor, &oracle, &texts, text, &example, symbols);
        }
    }
}

#[test]
fn pure_masks_by_counting() {
    for (objective, mntp) in [("mlm", false), ("mlm", true), ("span-mask", false), ("span-mask", true)] {
        let settings = ObjectiveSettings { mask_rate: 0.4, mntp, ..pure() };
        on_texts(objective, settings, 7, |corruptor, oracle, texts, text, example, symbols| {
            let nats = oracle.nats(&*corruptor.tasks()[0], example).unwrap();
            let shows = |other: &[u32]| {
                let agree = other.iter().zip(&example.ids).all(|(x, &id)| id >= symbols || *x == id);
                f64::from(agree)
            };
            for (i, &weight) in example.weights.iter().enumerate() {
                let place = i + usize::from(mntp);
                let expected = match weight > 0.0 {
                    true => cost(texts.iter(), shows, |other| other[place] == text[place]),
                    false => 0.0,
                };
                assert!(
                    (nats[i] - expected).abs() < 1e-9,
                    "{objective} {text:?} {i}: {} {expected}",
                    nats[i]
                );
            }
        });
    }
}

/// With BERT's replacements: over all texts and all choices of tokens that include the one asked.
#[test]
fn doubtful_tokens_by_counting() {
    for mntp in [false, true] {
        let split = MaskSplit { mask: 0.4, random: 0.35, keep: 0.25 };
        let settings = ObjectiveSettings { mask_rate: 0.3, mask_split: split, mntp, ..pure() };
        on_texts("mlm", settings, 5, |corruptor, oracle, texts, text, example, symbols| {
            let nats = oracle.nats(&*corruptor.tasks()[0], example).unwrap();
            let first = usize::from(mntp);
            // The probability of what stands at a place, given the token and whether it was chosen.
            let channel = |id: u32, token: u32, chosen: bool| match (chosen, id >= symbols) {
                (false, _) => f64::from(id == token),
                (true, true) => split.mask,
                (true, false) => split.random / f64::from(symbols) + split.keep * f64::from(id == token),
            };
            for i in (0..example.ids.len() - first).filter(|&i| example.weights[i] > 0.0) {
                let asked = i + first;
                let weight = |other: &[u32]| -> f64 {
                    let choices = (0..1_u32 << other.len()).map(|bits| {
                        let chosen = |place: usize| bits >> place & 1 == 1;
                        let p = |place: usize| match (chosen(place), place < first) {
                            (true, true) => 0.0,
                            (false, true) => 1.0,
                            (true, false) => 0.3,
                            (false, false) => 0.7,
                        };
                        let places = 0..other.len();
                        let standing = |place| channel(example.ids[place], other[place], chosen(place));
                        f64::from(chosen(asked)) * places.map(|t| p(t) * standing(t)).product::<f64>()
                    });
                    choices.sum()
                };
                let expected = cost(texts.iter(), weight, |other| other[asked] == text[asked]);
                assert!(
                    (nats[i] - expected).abs() < 1e-9,
                    "{text:?} {example:?} {i}: {} {expected}",
                    nats[i]
                );
            }
        });
    }
}

/// Spans of the length 2, in order and shuffled, and plain continuation: over all texts that agree with what
/// has been seen and answered so far.
#[test]
fn written_answers_by_counting() {
    for (objective, block_size) in [("clm", 6), ("prefix", 6), ("span", 12), ("glm", 14)] {
        let settings = ObjectiveSettings { mask_rate: 0.5, ..spans_of(2) };
        on_texts(objective, settings, block_size, |corruptor, oracle, texts, text, example, symbols| {
            let nats = oracle.nats(&*corruptor.tasks()[0], example).unwrap();
            let hidden = hidden_places(objective, text, example, symbols);
            let mut known: Vec<bool> =
                (0..text.len()).map(|t| !hidden.iter().any(|&(_, p)| p == t)).collect();
            assert!(!hidden.is_empty());
            for (position, place) in hidden {
                let shows =
                    |other: &[u32]| f64::from((0..text.len()).all(|t| !known[t] || other[t] == text[t]));
                let expected = cost(texts.iter(), shows, |other| other[place] == text[place]);
                let found = nats[position];
                assert!((found - expected).abs() < 1e-9, "{objective} {text:?} {place}: {found} {expected}");
                assert_eq!(example.labels[position], text[place]);
                known[place] = true;
            }
        });
    }
}

/// (position in the example, place in the text) of what is asked, in order, found from the layout of a row.
fn hidden_places(objective: &str, text: &[u32], example: &Example, symbols: u32) -> Vec<(usize, usize)> {
    if matches!(objective, "clm" | "prefix") {
        return (0..example.ids.len()).filter(|&i| example.weights[i] > 0.0).map(|i| (i, i + 1)).collect();
    }
    let MaskSpec::Prefix { len } = example.mask else { panic!("no prefix") };
    let (seen, answers) = example.ids.split_at(len as usize);
    // Where each marker's span begins: the markers before it stand for two tokens each.
    let start = |marker: u32| {
        let at = seen.iter().position(|&id| id == marker).unwrap();
        at + seen[..at].iter().filter(|&&id| id >= symbols).count()
    };
    let mut places = Vec::new();
    let mut next = 0;
    for (i, &id) in answers.iter().enumerate() {
        let is_marker = id >= symbols && seen.contains(&id);
        next = if is_marker { start(id) } else { next };
        let label = example.labels[len as usize + i];
        if label < symbols && example.weights[len as usize + i] > 0.0 {
            places.push((len as usize + i, next));
            next += 1;
        }
    }
    assert_eq!(places.len(), text.len() - seen.iter().filter(|&&id| id < symbols).count());
    places
}

/// Whole lines of a grammar between two line ends, masked: over all ways to fill in, each as probable as the lines in it
/// are by [`Grammar::score`]. (A hidden line end makes two lines of one.)
#[test]
fn masked_lines_by_counting() {
    let grammars = [("dyck-1", 3), ("pcfg", 2)];
    for (name, most) in grammars {
        let grammar = match name {
            "pcfg" => Grammar::parse(synth::kinds::pcfg::EXPRESSIONS).unwrap(),
            _ => Grammar::parse("S 4: ( S ) S\nS 6:").unwrap(),
        };
        let generator = &mut *generator(name);
        let (alphabet, oracle) = (generator.alphabet().to_vec(), generator.oracle().unwrap());
        let symbols = alphabet.len() as u32;
        let (mut rng, mut checked) = (Rng::new(6, Stream::Data), 0);
        while checked < 150 {
            // Two lines, and the line end before them.
            let mut document = Document { symbols: vec![0], ..Document::default() };
            generator.append(&mut rng, &mut document);
            generator.append(&mut rng, &mut document);
            let text = document.symbols;
            let corruptor =
                corruptor("mlm", ObjectiveSettings { mask_rate: 0.3, ..pure() }, alphabet.len(), text.len());
            let example = corruptor.example(0, &text, &mut rng);
            let hidden: Vec<usize> = (0..text.len()).filter(|&t| example.ids[t] >= symbols).collect();
            if hidden.is_empty()
                || hidden.len() > most
                || hidden[0] == 0
                || hidden.contains(&(text.len() - 1))
            {
                continue;
            }
            let fillings: Vec<(Vec<u32>, f64)> = fillings(&text, &hidden, symbols)
                .map(|text| {
                    let characters: String =
                        text[1..text.len() - 1].iter().map(|&s| alphabet[s as usize]).collect();
                    let nats = characters
                        .split('\n')
                        .map(|line| grammar.score(line).map(|nats| nats.iter().sum::<f64>()));
                    let p = nats.sum::<Option<f64>>().map_or(0.0, |nats| (-nats).exp());
                    (text, p)
                })
                .collect();
            let nats = oracle.nats(&*corruptor.tasks()[0], &example).unwrap();
            for &place in &hidden {
                let expected = cost(fillings.iter(), |_| 1.0, |other| other[place] == text[place]);
                let found = nats[place];
                assert!((found - expected).abs() < 1e-8, "{name} {text:?} {place}: {found} {expected}");
            }
            checked += 1;
        }
    }
}

/// The text with every combination of symbols at the hidden places.
fn fillings<'t>(text: &'t [u32], hidden: &'t [usize], symbols: u32) -> impl Iterator<Item = Vec<u32>> + 't {
    (0..symbols.pow(hidden.len() as u32)).map(move |mut number| {
        let mut text = text.to_vec();
        for &place in hidden {
            text[place] = number % symbols;
            number /= symbols;
        }
        text
    })
}

#[test]
fn what_has_no_exact_answer_is_none() {
    let oracle = Oracle::new(&Hmm::golden_mean(500_000));
    let text = [1, 0].repeat(32);
    let mut rng = Rng::new(1, Stream::Other(0));
    let bert = ObjectiveSettings::default();
    for (objective, settings) in
        [("span", bert), ("glm", bert), ("fim", bert), ("ul2", bert), ("span-mask", bert)]
    {
        let corruptor = corruptor(objective, settings, 2, 32);
        let example = corruptor.example(0, &text, &mut rng);
        assert_eq!(oracle.nats(&*corruptor.tasks()[0], &example), None, "{objective}");
    }
    // No two 0 in a row: not a text of this process. Nor are tokens that it does not have.
    for impossible in [[0, 0, 1, 1], [1, 7, 1, 1]] {
        let corruptor = corruptor("clm", bert, 9, 3);
        let example = corruptor.example(0, &impossible, &mut rng);
        assert_eq!(oracle.nats(&*corruptor.tasks()[0], &example), None, "{impossible:?}");
    }
    // Documents in a row are several texts.
    let corruptor = corruptor("mlm", bert, 2, 32);
    let packed = corruptor.documents(0, &text[..20], &[10], &mut rng);
    assert_eq!(oracle.nats(&*corruptor.tasks()[0], &packed), None);
}
