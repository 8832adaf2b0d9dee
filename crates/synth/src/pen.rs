//! One description of a document, two uses: to write it, and to know its expected cost exactly.
//!
//! A [`Writing`] says how a document comes about by calls of a [`Pen`]: fixed text, choices between
//! texts, branches, repetitions. With a pen that draws ([`Sampler`]) documents come out, each character
//! with its cost. With a pen that adds up ([`expect`]) the same calls give the expected nats and
//! characters of every part, by running through all branches:
//!
//! E\[cost\] = sum over paths of P(path) * cost(path)
//!
//! so the floor cannot drift from what is written. Choices on which nothing later depends
//! ([`Pen::pick`]) are not branches: their expectation is added at once, or paths would be too many.
//!
//! The rule that makes each cost exact: a choice must show in the text, at once and without doubt, so
//! that a reader knows all that the writer decided. [`Phrases`] guarantee it for texts; after
//! [`Pen::decide`] the alternatives must begin with different characters.

use crate::{Choice, Document, Field, Floor, Generator, Method, PartFloor, Phrases};
use random::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// The number of a part in [`Writing::PARTS`].
pub type Part = u8;

/// How a document is written.
pub trait Writing {
    /// The names of the parts of the floor, and whether they count.
    const PARTS: &'static [(&'static str, bool)];

    /// Writes one document.
    fn write(&self, pen: &mut dyn Pen);

    /// Texts whose characters belong to the alphabet although the expectation does not pass them: those that
    /// depend on a [`Pen::pick`].
    fn more_texts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Other known numbers.
    fn facts(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

/// What a document can be written with.
pub trait Pen {
    /// Fixed text: it costs nothing, being known.
    fn write(&mut self, text: &str, part: Part);

    /// Writes one of the phrases. The rest of the document may depend on which only by [`Pen::form`], and
    /// by fixed text whose length does not depend on it.
    fn pick(&mut self, phrases: &Phrases, part: Part) -> usize;

    /// Writes what belongs to an earlier pick: one of `forms[pick]`. With [`Phrases::same`] as forms that is
    /// the same text again.
    fn form(&mut self, picked_from: &Phrases, forms: &[Phrases], pick: usize, part: Part);

    /// Writes one of the phrases; the rest of the document may depend on its group.
    fn branch(&mut self, phrases: &Phrases, part: Part) -> usize;

    /// A choice that shows in the next character: the alternatives must begin with different ones.
    fn decide(&mut self, choice: &Choice) -> usize;

    /// Writes phrases, each followed by `body`, until one of the group `stop` comes. What comes after must
    /// not depend on what was drawn within.
    fn until(
        &mut self,
        phrases: &Phrases,
        stop: usize,
        part: Part,
        body: &mut dyn FnMut(&mut dyn Pen, usize),
    );

    /// Writes one phrase a step, of `step[i]` if the one before it was number `i` (`first` before the first step):
    /// a Markov chain. Returns what it wrote; the rest of the document may depend on it as on a [`Pen::pick`].
    fn chain(&mut self, steps: &[Vec<Phrases>], first: usize, part: Part) -> String;

    /// A part of the document whose branches are counted by themselves: the rest may depend on them as on a
    /// [`Pen::pick`].
    fn scope(&mut self, body: &mut dyn FnMut(&mut dyn Pen));

    /// What comes next belongs to this field.
    fn field(&mut self, field: Field);
}

/// The pen that draws.
pub struct Sampler<'a> {
    rng: &'a mut Rng,
    document: &'a mut Document,
    alphabet: &'a [char],
    /// Nats decided, to be shown by the next character.
    pending: f64,
}

impl Sampler<'_> {
    fn push(&mut self, character: char, nats: f64, part: Part) {
        let symbol = self.alphabet.binary_search(&character);
        let symbol =
            symbol.unwrap_or_else(|_| panic!("{character:?} is in no phrase that the expectation saw"));
        self.document.push(symbol as u32, nats + self.pending, part);
        self.pending = 0.0;
    }
}

impl Pen for Sampler<'_> {
    fn write(&mut self, text: &str, part: Part) {
        text.chars().for_each(|c| self.push(c, 0.0, part));
    }

    fn pick(&mut self, phrases: &Phrases, part: Part) -> usize {
        let i = phrases.choice().draw(self.rng);
        phrases.characters(i).for_each(|(c, nats)| self.push(c, nats, part));
        i
    }

    fn form(&mut self, _: &Phrases, forms: &[Phrases], pick: usize, part: Part) {
        self.pick(&forms[pick], part);
    }

    fn branch(&mut self, phrases: &Phrases, part: Part) -> usize {
        self.pick(phrases, part)
    }

    fn decide(&mut self, choice: &Choice) -> usize {
        let i = choice.draw(self.rng);
        self.pending += choice.nats(i);
        i
    }

    fn until(
        &mut self,
        phrases: &Phrases,
        stop: usize,
        part: Part,
        body: &mut dyn FnMut(&mut dyn Pen, usize),
    ) {
        loop {
            let i = self.pick(phrases, part);
            if phrases.group(i) == stop {
                return;
            }
            body(self, i);
        }
    }

    fn chain(&mut self, steps: &[Vec<Phrases>], first: usize, part: Part) -> String {
        let (mut last, mut text) = (first, String::new());
        for step in steps {
            let phrases = &step[last];
            last = self.pick(phrases, part);
            text.push_str(phrases.text(last));
        }
        text
    }

    fn scope(&mut self, body: &mut dyn FnMut(&mut dyn Pen)) {
        body(self);
    }

    fn field(&mut self, field: Field) {
        self.document.begin(field);
    }
}

/// Expected nats and characters of each part.
type Sums = Vec<(f64, f64)>;

/// The pen that adds up expectations along one path of branches.
struct Adder<'a> {
    sums: Sums,
    pending: f64,
    /// The branches taken: (alternative, probabilities of the alternatives).
    path: &'a mut Vec<(usize, Vec<f64>)>,
    /// How many of them this run has passed.
    passed: usize,
    characters: &'a mut BTreeSet<char>,
}

impl Adder<'_> {
    /// Adds text `i` of the phrases with this probability.
    fn add(&mut self, phrases: &Phrases, i: usize, probability: f64, part: Part) {
        let (nats, symbols) = &mut self.sums[usize::from(part)];
        for (c, cost) in phrases.characters(i) {
            *nats += probability * cost;
            *symbols += probability;
            self.characters.insert(c);
        }
    }

    /// Adds all texts of a group, given that one of it comes.
    fn add_group(&mut self, phrases: &Phrases, group: Option<usize>, share: f64, part: Part) {
        self.show_pending(share, part);
        let choice = phrases.choice();
        let within: Vec<usize> = (0..choice.len())
            .filter(|&i| choice.weight(i) > 0 && group.is_none_or(|g| phrases.group(i) == g))
            .collect();
        let total: f64 = within.iter().map(|&i| choice.probability(i)).sum();
        for i in within {
            self.add(phrases, i, share * choice.probability(i) / total, part);
        }
    }

    fn show_pending(&mut self, share: f64, part: Part) {
        self.sums[usize::from(part)].0 += share * self.pending;
        if share == 1.0 {
            self.pending = 0.0;
        }
    }

    /// The alternative of this path at the next branch.
    fn turn(&mut self, probabilities: impl FnOnce() -> Vec<f64>) -> usize {
        if self.passed == self.path.len() {
            self.path.push((0, probabilities()));
        }
        self.passed += 1;
        self.path[self.passed - 1].0
    }

    /// Adds a body whose branches are counted by themselves, this many times.
    fn add_expected(&mut self, times: f64, mut body: impl FnMut(&mut dyn Pen)) {
        assert_eq!(self.pending, 0.0, "a decision must show before a scope begins");
        let sums = expected(self.sums.len(), self.characters, &mut body);
        for (sum, (nats, symbols)) in self.sums.iter_mut().zip(sums) {
            sum.0 += times * nats;
            sum.1 += times * symbols;
        }
    }
}

/// P(group) for each of the groups that these texts stand for.
fn group_probabilities(phrases: &Phrases, representatives: &[usize]) -> Vec<f64> {
    let choice = phrases.choice();
    let of = |&r: &usize| choice.mean(|i| f64::from(u8::from(phrases.group(i) == phrases.group(r))));
    representatives.iter().map(of).collect()
}

impl Pen for Adder<'_> {
    fn write(&mut self, text: &str, part: Part) {
        if !text.is_empty() {
            self.add_group(&Phrases::new(&[(text, 1)]), None, 1.0, part);
        }
    }

    fn pick(&mut self, phrases: &Phrases, part: Part) -> usize {
        self.add_group(phrases, None, 1.0, part);
        phrases.representatives()[0]
    }

    fn form(&mut self, picked_from: &Phrases, forms: &[Phrases], _: usize, part: Part) {
        let choice = picked_from.choice();
        for i in (0..choice.len()).filter(|&i| choice.weight(i) > 0) {
            self.add_group(&forms[i], None, choice.probability(i), part);
        }
        self.pending = 0.0;
    }

    fn branch(&mut self, phrases: &Phrases, part: Part) -> usize {
        let representatives = phrases.representatives();
        let which = self.turn(|| group_probabilities(phrases, &representatives));
        let i = representatives[which];
        self.add_group(phrases, Some(phrases.group(i)), 1.0, part);
        i
    }

    fn decide(&mut self, choice: &Choice) -> usize {
        let possible: Vec<usize> = (0..choice.len()).filter(|&i| choice.weight(i) > 0).collect();
        let i = possible[self.turn(|| possible.iter().map(|&i| choice.probability(i)).collect())];
        self.pending += choice.nats(i);
        i
    }

    fn until(
        &mut self,
        phrases: &Phrases,
        stop: usize,
        part: Part,
        body: &mut dyn FnMut(&mut dyn Pen, usize),
    ) {
        // Until the group `stop`, of probability q, comes once, a group of probability p comes p/q times.
        let representatives = phrases.representatives();
        let probabilities = group_probabilities(phrases, &representatives);
        let end = representatives.iter().position(|&i| phrases.group(i) == stop).expect("it can stop");
        assert_eq!(self.pending, 0.0, "a decision must show before a repetition begins");
        for (&i, p) in representatives.iter().zip(&probabilities) {
            let times = p / probabilities[end];
            self.add_group(phrases, Some(phrases.group(i)), times, part);
            if phrases.group(i) != stop {
                self.add_expected(times, |pen| body(pen, i));
            }
        }
    }

    fn chain(&mut self, steps: &[Vec<Phrases>], first: usize, part: Part) -> String {
        assert_eq!(self.pending, 0.0, "a decision must show before a chain begins");
        let (mut last, mut text) = (first, String::new());
        // The probability of each phrase of the step before.
        let mut before = BTreeMap::from([(first, 1.0)]);
        for step in steps {
            let mut now = BTreeMap::new();
            for (i, p) in before {
                let choice = step[i].choice();
                self.add_group(&step[i], None, p, part);
                for j in (0..choice.len()).filter(|&j| choice.weight(j) > 0) {
                    *now.entry(j).or_insert(0.0) += p * choice.probability(j);
                }
            }
            before = now;
            let phrases = &step[last];
            last = phrases.representatives()[0];
            text.push_str(phrases.text(last));
        }
        text
    }

    fn scope(&mut self, body: &mut dyn FnMut(&mut dyn Pen)) {
        self.add_expected(1.0, body);
    }

    fn field(&mut self, _: Field) {}
}

/// The expectation of a body: one run a path of branches, in the order of an odometer.
fn expected(parts: usize, characters: &mut BTreeSet<char>, body: &mut dyn FnMut(&mut dyn Pen)) -> Sums {
    let mut total = vec![(0.0, 0.0); parts];
    let mut path = Vec::new();
    loop {
        let sums = vec![(0.0, 0.0); parts];
        let mut adder = Adder { sums, pending: 0.0, path: &mut path, passed: 0, characters };
        body(&mut adder);
        assert_eq!(adder.pending, 0.0, "a decision must show before the document ends");
        let sums = adder.sums;
        let probability: f64 = path.iter().map(|(i, p)| p[*i]).product();
        for (all, (nats, symbols)) in total.iter_mut().zip(sums) {
            all.0 += probability * nats;
            all.1 += probability * symbols;
        }
        // The last branch with an alternative left takes it; those after it begin anew.
        while path.last().is_some_and(|(i, p)| i + 1 == p.len()) {
            path.pop();
        }
        match path.last_mut() {
            Some((i, _)) => *i += 1,
            None => return total,
        }
    }
}

/// The exact floor of a writing, and every character that it can use, ascending.
pub fn expect<W: Writing>(writing: &W) -> (Floor, Vec<char>) {
    let mut characters: BTreeSet<char> = writing.more_texts().iter().flat_map(|text| text.chars()).collect();
    let sums = expected(W::PARTS.len(), &mut characters, &mut |pen| writing.write(pen));
    let part = |(&(name, counted), (nats, symbols))| PartFloor { name, counted, nats, symbols };
    let parts = W::PARTS.iter().zip(sums).map(part).collect();
    (Floor { parts, method: Method::Closed }, characters.into_iter().collect())
}

/// A writing as a generator.
pub struct Written<W> {
    writing: W,
    floor: Floor,
    alphabet: Vec<char>,
}

impl<W: Writing> Written<W> {
    /// Works out the floor.
    pub fn new(writing: W) -> Written<W> {
        let (floor, alphabet) = expect(&writing);
        Written { writing, floor, alphabet }
    }
}

impl<W: Writing> Generator for Written<W> {
    fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    fn floor(&self) -> &Floor {
        &self.floor
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        self.writing.facts()
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        self.writing.write(&mut Sampler { rng, document, alphabet: &self.alphabet, pending: 0.0 });
    }
}

/// Expected nats of a stretch of a document, all parts together.
pub(crate) fn expected_nats(body: &mut dyn FnMut(&mut dyn Pen)) -> f64 {
    let every_part = usize::from(Part::MAX) + 1;
    expected(every_part, &mut BTreeSet::new(), body).iter().map(|(nats, _)| nats).sum()
}
