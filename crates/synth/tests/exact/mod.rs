//! Floors worked out by hand, and what the generated texts say.

mod documents;

use random::{Rng, Stream};
use synth::kinds::sentiment;
use synth::process::chain::MarkovChain;
use synth::process::grammar::Grammar;
use synth::process::hmm::{Edge, Hmm};
use synth::process::objectives;
use synth::{Document, Field, Format, Generator, find, run, sample};

const LN_2: f64 = std::f64::consts::LN_2;

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
}

fn generator(name: &str, set: &[(&str, &str)]) -> Box<dyn Generator> {
    let entry = find(name).unwrap();
    (entry.build)(&entry.params(set).unwrap()).unwrap()
}

fn floor(name: &str, set: &[(&str, &str)]) -> f64 {
    generator(name, set).floor().nats_per_symbol()
}

fn fact(name: &str, set: &[(&str, &str)], fact: &str) -> f64 {
    generator(name, set).facts().iter().find(|(name, _)| *name == fact).unwrap().1
}

fn text(name: &str, set: &[(&str, &str)], tokens: u64, format: Format) -> String {
    let entry = find(name).unwrap();
    let mut out = Vec::new();
    run(entry, &entry.params(set).unwrap(), 11, tokens, format, &mut out, |_, _| Ok(())).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn worked_values() {
    near(floor("markov-k", &[]), 0.909637);
    near(fact("markov-k", &[], "unigram_entropy_nats"), 1.082196);
    near(floor("golden-mean", &[]), 0.462098);
    near(floor("even-process", &[]), 0.462098);
    near(floor("golden-mean", &[]), 2.0 / 3.0 * LN_2);
    near(floor("dyck-1", &[]), 0.673012);
    near(fact("dyck-1", &[], "mean_length"), 4.0);
    near(floor("induction", &[]), 1.352482);
    near(floor("induction", &[("symbols", "64"), ("length", "32")]), 2.047450);
    near(floor("sentiment", &[]), 0.198515);
    near(fact("sentiment", &[], "bayes_accuracy"), 0.95);
    near(floor("sentiment", &[("eta", "0.1"), ("language", "zh")]), 0.325083);
    near(fact("sentiment", &[("eta", "0.1")], "bayes_accuracy"), 0.9);
    for name in ["copy", "reverse", "sort", "add", "mod-add", "scfg-zh-en", "report-summary", "slots"] {
        assert_eq!(floor(name, &[]), 0.0, "{name}");
    }
    near(floor("iid-zipf", &[("symbols", "8"), ("exponent", "0")]), 3.0 * LN_2);
}

#[test]
fn the_worked_chain() {
    let chain = MarkovChain::worked();
    for (found, expected) in chain.stationary().iter().zip([0.375, 0.375, 0.25]) {
        assert!((found - expected).abs() < 1e-12);
    }
    near(fact("markov-k", &[], "masked_15_percent_nats"), 0.810885);
    near(objectives::masked_floor(&chain, 0.15), 0.810885);
    near(objectives::masked_causal_floor(&chain, 0.15), 0.929859);
    near(objectives::masked_causal_floor(&chain, 0.15) - objectives::masked_floor(&chain, 0.15), 0.118974);
    for (n, expected) in [(1, 0.779771), (3, 0.853045), (8, 0.888067)] {
        near(objectives::span_floor(&chain, n), expected);
    }
    // A span of one is one masked symbol with both neighbours seen.
    near(objectives::span_floor(&chain, 1), objectives::bridge_entropy(&chain, 1, 1));
    assert_eq!(objectives::masked_causal_floor(&chain, 0.0), objectives::conditional_entropy(&chain, 1));
}

/// H(X_1, X_2 | X_0, X_3) / 2 by summing over all four symbols, without any identity of entropies.
#[test]
fn spans_by_enumeration() {
    let chain = MarkovChain::worked();
    let p = |i: usize, j: usize| chain.row(i).probability(j);
    let mut entropy = 0.0;
    for (a, d) in (0..9).map(|n| (n / 3, n % 3)) {
        let paths: Vec<f64> = (0..9).map(|n| p(a, n / 3) * p(n / 3, n % 3) * p(n % 3, d)).collect();
        let both: f64 = paths.iter().sum();
        entropy -= chain.stationary()[a] * paths.iter().map(|q| q * (q / both).ln()).sum::<f64>();
    }
    near(objectives::span_floor(&chain, 2), entropy / 2.0);
}

#[test]
fn a_shift_costs_its_divergence() {
    let shift = Hmm::golden_mean(700_000).shift_from(&Hmm::golden_mean(500_000));
    near(shift.entropy, 0.469896);
    near(shift.kl, 0.063295);
    near(shift.cross_entropy, 0.533190);
    near(fact("golden-mean", &[("p", "0.7")], "nats_of_a_model_of_p_half"), 0.533190);
    near(Hmm::golden_mean(500_000).shift_from(&Hmm::golden_mean(500_000)).kl, 0.0);
    // Measured: the belief of the training model follows a text of the other one.
    let trained = Hmm::golden_mean(500_000);
    let test = sample("golden-mean", &[("p", "0.7")], 11, 100_000).unwrap();
    let mut belief = trained.stationary().to_vec();
    let mean = test.symbols.iter().map(|&s| -trained.update(&mut belief, s).ln()).sum::<f64>() / 100_000.0;
    assert!((mean - shift.cross_entropy).abs() < 0.004, "{mean}");
}

#[test]
fn the_even_process_has_no_finite_memory() {
    let h = 2.0 / 3.0 * LN_2;
    let even = Hmm::even_process(500_000);
    let gaps: Vec<f64> = (0..12).map(|k| even.conditional_entropy(k) - h).collect();
    near(gaps[0], 3.0_f64.ln() - 2.0 / 3.0 * LN_2 - h); // H(1/3) - h
    assert!(gaps.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12), "{gaps:?}");
    assert!(gaps[11] > 1e-4, "{gaps:?}"); // still not there
    // One symbol back is all that the golden mean needs.
    near(Hmm::golden_mean(500_000).conditional_entropy(1), h);
    assert!(Hmm::golden_mean(500_000).conditional_entropy(0) > h + 0.1);
}

#[test]
fn a_hidden_chain_lies_below_its_blocks() {
    let mess3 = Hmm::mess3(50_000, 850_000);
    assert!(!mess3.is_unifilar() && mess3.entropy_rate().is_none());
    // The bounds close in on each other, and what is measured lies between them.
    let bounds: Vec<(f64, f64)> = (1..=8).map(|k| mess3.entropy_bounds(k)).collect();
    assert!(bounds.windows(2).all(|b| b[0].0 < b[1].0 && b[1].0 < b[1].1 && b[1].1 < b[0].1), "{bounds:?}");
    let (below, above) = bounds[7];
    assert!(above - below < 1e-4 && above == mess3.conditional_entropy(8), "{bounds:?}");
    let (h, error) = mess3.measured_entropy_rate(100_000, 1);
    let near_enough = below - 4.0 * error < h && h < above + 4.0 * error;
    assert!(error < 0.002 && near_enough, "{h} +- {error}, {below} to {above}");
    near(floor("mess3", &[]), 0.793458);
    // A unifilar model gives its state away: both bounds are its entropy rate.
    let (below, above) = Hmm::golden_mean(700_000).entropy_bounds(3);
    near(below, 0.469896);
    near(above, 0.469896);
    // Without hiding, alpha = 1, the state is seen: a Markov chain.
    let seen = Hmm::mess3(50_000, 1_000_000);
    near(seen.conditional_entropy(1), -0.9 * 0.9_f64.ln() - 0.1 * 0.05_f64.ln());
}

/// Brackets of two kinds, three deep at most, as a chain whose 15 states are what is open.
#[test]
fn bounded_brackets_are_a_unifilar_chain() {
    let (kinds, depth) = (2, 3);
    // Stacks in the order of a heap: below stack s lie 2 s + 1 and 2 s + 2.
    let parent = |stack: usize| (stack - 1) / kinds;
    let height = |stack: usize| (stack + 1).ilog2();
    let edges = |stack: usize| {
        let (opening, closing) = match height(stack) {
            0 => (1, 0),
            h if h == depth => (0, 1),
            _ => (3, 7), // p = 0.3, a half of which each kind
        };
        let mut edges = Vec::new();
        for kind in (0..kinds).filter(|_| opening > 0) {
            edges.push(Edge { symbol: 2 * kind as u32, next: kinds * stack + 1 + kind, weight: opening });
        }
        if closing > 0 {
            let kind = (stack - 1) % kinds;
            let weight = 2 * closing;
            edges.push(Edge { symbol: 2 * kind as u32 + 1, next: parent(stack), weight });
        }
        edges
    };
    let chain = Hmm::new((0..15).map(edges).collect());
    let set = [("kinds", "2"), ("depth", "3"), ("p", "0.3")];
    near(floor("dyck-k", &set), chain.entropy_rate().unwrap());
    // The costs, too: whoever knows the chain pays as much for each symbol.
    let text = sample("dyck-k", &set, 4, 2000).unwrap();
    let mut belief = vec![0.0; 15];
    belief[0] = 1.0;
    for (&symbol, nats) in text.symbols.iter().zip(&text.nats) {
        near(-chain.update(&mut belief, symbol).ln(), *nats);
    }
}

/// What `sample` hands over is what `run` writes, and its costs have the floor as their mean.
#[test]
fn a_sample_is_the_text() {
    let set = [("shots", "1")];
    let sample = sample("fewshot-episodes", &set, 11, 20_000).unwrap();
    assert_eq!(sample.text(), text("fewshot-episodes", &set, 20_000, Format::Text));
    assert!(sample.nats.len() == sample.symbols.len() && sample.counted.len() == sample.symbols.len());
    let counted = sample.nats.iter().zip(&sample.counted).filter(|(_, counted)| **counted);
    let (sum, symbols) = counted.fold((0.0, 0.0), |(sum, n), (nats, _)| (sum + nats, n + 1.0));
    assert!((sum / symbols - sample.floor_nats).abs() < 0.05, "{}", sum / symbols);
    assert!(synth::sample("golden-mean", &[("q", "0.7")], 1, 10).is_err());
}

#[test]
fn a_grammar_scores_what_it_draws() {
    let grammar = Grammar::parse("S 2: a S B\nS 1: x\nS 1:\nB 3: b\nB 1: ( S )").unwrap();
    let mut rng = Rng::new(1, Stream::Data);
    for _ in 0..200 {
        let (mut text, mut costs) = (String::new(), Vec::new());
        grammar.draw(&mut rng, |c, nats| {
            text.extend(c);
            costs.push(nats);
        });
        assert_eq!(grammar.score(&text), Some(costs), "{text}");
    }
    for wrong in ["a", "b", "ab)", "xx", "a(b", "y"] {
        assert_eq!(grammar.score(wrong), None, "{wrong}");
    }
}

/// All texts of n pairs of brackets together have the probability C_n p^n (1-p)^(n+1), C_n Catalan's number.
#[test]
fn brackets_have_catalan_probabilities() {
    let grammar = Grammar::parse("S 4: ( S ) S\nS 6:").unwrap();
    for (n, catalan) in [(0, 1.0), (1, 1.0), (2, 2.0), (3, 5.0), (4, 14.0)] {
        let all = (0..1_u32 << (2 * n)).map(|bits| -> String {
            (0..2 * n).map(|i| if bits >> i & 1 == 0 { '(' } else { ')' }).collect()
        });
        let total: f64 = all.filter_map(|t| grammar.score(&t)).map(|c| (-c.iter().sum::<f64>()).exp()).sum();
        near(total, catalan * 0.4_f64.powi(n) * 0.6_f64.powi(n + 1));
    }
}

#[test]
fn grammars_that_cannot_be_read_are_refused() {
    let cases = [
        ("", "rules, one a line"),
        ("S: a", "line 1"),
        ("S 1: a\nS 0: b", "line 2"),
        ("S 1: Word", "a variable with rules of its own"),
        ("S 1: a\nS 1: a b", "begin with the same"),
        ("S 1: T a\nT 1: a\nT 1:", "begin with the same"),
        ("S 5: ( S ) S\nS 5:", "finite expected length"),
        ("S 1: a S", "finite expected length"),
        ("S 99999999999: a", "line 1"),
    ];
    for (text, words) in cases {
        let message = Grammar::parse(text).unwrap_err().to_string();
        assert!(message.contains(words), "{text:?}: {message}");
    }
}

#[test]
fn stories_agree_and_remember() {
    let text = text("storygen", &[], 100_000, Format::Text);
    let (mut clauses, mut recalls) = (0, 0);
    for story in text.trim_end().split("\n\n") {
        let lines: Vec<&str> = story.lines().collect();
        assert!(["Old friends", "New faces"].contains(&lines[0]), "{story}");
        for line in &lines[2..] {
            if let Some(fact) = line.strip_prefix("So ") {
                recalls += 1;
                let fact = fact.trim_end_matches('.').replace(" still had ", " had ");
                assert!(lines[1].contains(&fact), "{story}");
            }
            if let (Some(rest), true) = (line.strip_prefix("The "), line.contains(" that ")) {
                clauses += 1;
                let words: Vec<&str> = rest.split(' ').collect(); // farmers that follow the dogs guard ...
                let plural = words[0].ends_with('s');
                assert!([words[2], words[5]].iter().all(|verb| verb.ends_with('s') != plural), "{line}");
            }
            assert_eq!(line.contains("?\""), line.contains("asked"), "{line}");
        }
    }
    assert!(clauses > 100 && recalls > 100, "{clauses} {recalls}");
}

/// Persons never seen cost more, by as much as their spelling says.
#[test]
fn new_names_cost_what_they_are_spelled() {
    let known = fact("storygen", &[], "nats_of_two_known_names");
    let new = fact("storygen", &[], "nats_of_two_new_names");
    assert!(known > 4.0 && new > known + 6.0, "{known} {new}");
    let names = |share| generator("storygen", &[("new_names", share)]).floor().parts[2].nats;
    near(names("1") - names("0"), new - known);
    near(names("0.25"), 0.75 * names("0") + 0.25 * names("1"));
}

#[test]
fn records_of_every_task() {
    let first = |name: &str| text(name, &[], 1, Format::Records);
    let keys = |name: &str| -> Vec<String> {
        let record: serde_json::Value = serde_json::from_str(&first(name)).unwrap();
        record.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys("copy"), ["prompt", "answer"]);
    assert_eq!(keys("report-summary"), ["prompt", "answer"]);
    assert_eq!(keys("slots"), ["messages"]);
    assert_eq!(keys("fewshot-episodes"), ["shots", "text", "label"]);
    assert_eq!(keys("sentiment"), ["text", "label"]);
    assert_eq!(keys("scfg-zh-en"), ["source", "target"]);
}

#[test]
fn parameters_that_do_not_go_together() {
    let message = |name: &str, set: &[(&str, &str)]| {
        let entry = find(name).unwrap();
        (entry.build)(&entry.params(set).unwrap()).err().unwrap().to_string()
    };
    assert!(message("markov-k", &[("order", "2")]).contains("set chain=1"));
    let large = [("order", "8"), ("symbols", "256"), ("chain", "1")];
    assert!(message("markov-k", &large).contains("smaller order"));
    assert!(message("dyck-1", &[("p", "0.5")]).contains("less than 0.5"));
    assert!(message("dyck-k", &[("p", "1")]).contains("less than 1"));
    assert!(message("golden-mean", &[("p", "0")]).contains("more than 0"));
    assert!(message("mess3", &[("x", "0.5")]).contains("less than 0.5"));
    assert!(message("sentiment", &[("eta", "0.5")]).contains("less than 0.5"));
    assert!(message("sentiment", &[("negated", "1")]).contains("less than 1"));
    assert!(message("copy", &[("min", "5"), ("max", "4")]).contains("min up to max"));
}
