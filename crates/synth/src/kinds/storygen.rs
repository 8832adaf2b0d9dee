//! `storygen`: small stories with everything a language model must learn, and a floor for each.
//!
//! ```text
//! Old friends
//! In Tolsby, Kamel met Dorin. Kamel had 37 plums, and Dorin had 52 coins.
//! The farmers that follow the dog guard the lamp.
//! "Do you see the boats?" asked Dorin.
//! So Kamel still had 37 plums.
//! ```
//!
//! | part | what has to be learnt | floor |
//! |---|---|---|
//! | grammar | which sentence comes, what stands in it | entropy of the rules |
//! | lexicon | nouns and verbs, Zipf frequencies | entropy of the words |
//! | names | names and places when they first come: known ones, or spelled letter by letter | entropy of the names |
//! | numbers | numbers and things when they first come | their entropy |
//! | who | which of the two persons is meant | the first letter tells |
//! | recall | numbers, things and speakers written before: copying from the context | 0 |
//! | agreement | a verb agrees with its subject across a relative clause; quotes close as they opened | 0 |
//!
//! A share `new_names` of the stories has persons that were never seen. Their names are spelled by a Markov
//! chain over syllables (consonant and vowel, then consonant and vowel given the vowel, then a last
//! consonant given the vowel), so what unknown names cost is known exactly: the controllable form of the
//! shift that new speakers cause in a play. The title says which kind a story is.
//!
//! Each story is written and its floor computed by the same code, see [`pen`](crate::pen).

use crate::params::share;
use crate::pen::{Part, Pen, Writing, Written, expected_nats};
use crate::process::choice::{dirichlet_weights, zipf_weight};
use crate::{Entry, Layout, ONE, Param, Params, Phrases};
use random::{Rng, Stream};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "storygen",
    aliases: &["storygen-1M"],
    about: "stories with names, agreement, quotes and numbers to remember; the floor of each part",
    layout: Layout::Lines,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Written::new(Storygen::new(params)))),
};

const PARAMS: &[Param] =
    &[share("new_names", 200_000, "share of stories whose persons are never seen elsewhere")];

const PARTS: &[(&str, bool)] = &[
    ("grammar", true),
    ("lexicon", true),
    ("names", true),
    ("numbers", true),
    ("who", true),
    ("recall", true),
    ("agreement", true),
];
const GRAMMAR: Part = 0;
const LEXICON: Part = 1;
const NAMES: Part = 2;
const NUMBERS: Part = 3;
const WHO: Part = 4;
const RECALL: Part = 5;
const AGREEMENT: Part = 6;

// Words of which no one begins another, also with an s, and with regular plurals and pasts.
const NOUNS: [&str; 32] = [
    "dog",
    "boat",
    "farmer",
    "garden",
    "lamp",
    "horse",
    "sailor",
    "bridge",
    "window",
    "goat",
    "teacher",
    "wagon",
    "river",
    "door",
    "miller",
    "basket",
    "neighbour",
    "tower",
    "bird",
    "letter",
    "fence",
    "baker",
    "lantern",
    "hill",
    "cousin",
    "mirror",
    "trader",
    "kettle",
    "orchard",
    "statue",
    "ladder",
    "visitor",
];
const VERBS: [&str; 24] = [
    "follow", "help", "paint", "call", "guard", "visit", "clean", "remember", "cover", "repair", "greet",
    "inspect", "collect", "answer", "turn", "avoid", "pull", "borrow", "mend", "count", "lift", "protect",
    "open", "sketch",
];
const ITEMS: [&str; 10] =
    ["plums", "coins", "eggs", "candles", "apples", "nails", "stones", "ropes", "shells", "pots"];
const PLACES: [&str; 16] = [
    "Tolsby",
    "Harrowmere",
    "Mereham",
    "Stonnet",
    "Velling",
    "Ashwick",
    "Kilnhurst",
    "Oxmoor",
    "Brandle",
    "Pellan",
    "Withing",
    "Garrowby",
    "Lindhollow",
    "Fenwater",
    "Nettlecombe",
    "Upper Dray",
];

struct Storygen {
    kinds: Phrases,
    places: Phrases,
    known: KnownNames,
    spelling: Spelling,
    numbers: Phrases,
    same_numbers: Vec<Phrases>,
    items: Phrases,
    same_items: Vec<Phrases>,
    sentences: Phrases,
    nouns: Phrases,
    verbs: Phrases,
    /// The verb of the sentence (group 0), or a relative clause (group 1).
    verb_or_that: Phrases,
    /// What follows a noun that another word follows: singular or plural.
    number: Phrases,
}

/// The sentences; the last one ends the story.
const SENTENCES: [(&str, u64); 6] =
    [("The ", 40), ("\"Do you ", 10), ("\"We ", 12), ("Then ", 16), ("So ", 14), ("\n", 12)];
const END: usize = 5;

/// Someone in a story: the name and what this person has.
struct Person {
    name: String,
    number: usize,
    item: usize,
}

impl Storygen {
    fn new(params: &Params) -> Storygen {
        let new_names = params.get("new_names");
        let numbers: Vec<String> = (10..=99).map(|n| n.to_string()).collect();
        let numbers = Phrases::uniform(&numbers);
        let items = Phrases::zipf(&ITEMS);
        let verbs = Phrases::zipf(&VERBS);
        let weighted = (0..VERBS.len()).map(|i| (VERBS[i], 6 * verbs.choice().weight(i), 0));
        let all: u64 = (0..VERBS.len()).map(|i| verbs.choice().weight(i)).sum();
        let verb_or_that: Vec<_> = weighted.chain([("that ", 4 * all, 1)]).collect();
        let spelling = Spelling::new(1);
        Storygen {
            kinds: Phrases::new(&[("Old friends\n", ONE - new_names), ("New faces\n", new_names)]),
            places: Phrases::zipf(&PLACES),
            known: KnownNames::new(&spelling, 1),
            spelling,
            same_numbers: numbers.same(),
            numbers,
            same_items: items.same(),
            items,
            sentences: Phrases::new(&SENTENCES),
            nouns: Phrases::zipf(&NOUNS),
            verbs,
            verb_or_that: Phrases::grouped(&verb_or_that),
            number: Phrases::new(&[(" ", 3), ("s ", 2)]),
        }
    }

    /// "Kamel had 37 plums"
    fn possession(&self, pen: &mut dyn Pen, name: String) -> Person {
        pen.write(&name, RECALL);
        pen.write(" had ", GRAMMAR);
        let number = pen.pick(&self.numbers, NUMBERS);
        pen.write(" ", GRAMMAR);
        let item = pen.pick(&self.items, NUMBERS);
        Person { name, number, item }
    }

    /// One of the persons; the names begin with different letters.
    fn who<'a>(&self, pen: &mut dyn Pen, persons: &'a [Person; 2]) -> &'a Person {
        let names = Phrases::new(&[(&persons[0].name, 3), (&persons[1].name, 2)]);
        &persons[pen.branch(&names, WHO)]
    }

    /// "the dogs": a thing that something is done to, singular or plural, and what ends the clause.
    fn object(&self, pen: &mut dyn Pen, end: &str) {
        pen.write("the ", GRAMMAR);
        pen.pick(&self.nouns, LEXICON);
        pen.pick(&Phrases::new(&[(end.to_string(), 3), (format!("s{end}"), 2)]), GRAMMAR);
    }

    /// "farmers that follow the dog guard the lamp.": both verbs agree with the first noun.
    fn agreement(&self, pen: &mut dyn Pen) {
        pen.pick(&self.nouns, LEXICON);
        let ending = ["s ", " "][pen.branch(&self.number, GRAMMAR)];
        if self.verb_or_that.group(pen.branch(&self.verb_or_that, LEXICON)) == 1 {
            pen.pick(&self.verbs, LEXICON);
            pen.write(ending, AGREEMENT);
            self.object(pen, " ");
            pen.pick(&self.verbs, LEXICON);
        }
        pen.write(ending, AGREEMENT);
        self.object(pen, ".\n");
    }

    /// `"Do you see the boats?" asked Dorin.`: mark and verb of saying follow from the first words.
    fn quote(&self, pen: &mut dyn Pen, persons: &[Person; 2], mark: &str, said: &str) {
        pen.pick(&self.verbs, LEXICON);
        pen.write(" ", GRAMMAR);
        self.object(pen, mark);
        pen.write(said, AGREEMENT);
        self.who(pen, persons);
        pen.write(".\n", GRAMMAR);
    }

    /// "Kamel painted the door."
    fn deed(&self, pen: &mut dyn Pen, persons: &[Person; 2]) {
        self.who(pen, persons);
        pen.write(" ", GRAMMAR);
        pen.pick(&self.verbs, LEXICON);
        pen.write("ed ", AGREEMENT);
        self.object(pen, ".\n");
    }

    /// "Kamel still had 37 plums."
    fn recall(&self, pen: &mut dyn Pen, persons: &[Person; 2]) {
        let person = self.who(pen, persons);
        pen.write(" still had ", GRAMMAR);
        pen.form(&self.numbers, &self.same_numbers, person.number, RECALL);
        pen.write(" ", RECALL);
        pen.form(&self.items, &self.same_items, person.item, RECALL);
        pen.write(".\n", RECALL);
    }

    /// The names of two persons, with what is written between them. All names are equally long.
    fn names(&self, pen: &mut dyn Pen, new: bool, met: &str) -> [String; 2] {
        let mut names = Default::default();
        pen.scope(&mut |pen| names = if new { self.new_names(pen, met) } else { self.known_names(pen, met) });
        names
    }

    fn new_names(&self, pen: &mut dyn Pen, met: &str) -> [String; 2] {
        let (first, initial) = self.spelling.write(pen, &self.spelling.initials);
        pen.write(met, GRAMMAR);
        let (second, _) = self.spelling.write(pen, &self.spelling.without[initial]);
        [first, second]
    }

    fn known_names(&self, pen: &mut dyn Pen, met: &str) -> [String; 2] {
        let first = pen.branch(&self.known.names, NAMES);
        pen.write(met, GRAMMAR);
        let others = &self.known.without[first];
        let second = others.text(pen.pick(others, NAMES));
        [self.known.names.text(first).to_string(), second.to_string()]
    }
}

impl Writing for Storygen {
    const PARTS: &'static [(&'static str, bool)] = PARTS;

    fn write(&self, pen: &mut dyn Pen) {
        let new = pen.branch(&self.kinds, GRAMMAR) == 1;
        pen.write("In ", GRAMMAR);
        pen.pick(&self.places, NAMES);
        pen.write(", ", GRAMMAR);
        let [first, second] = self.names(pen, new, " met ");
        pen.write(". ", GRAMMAR);
        let first = self.possession(pen, first);
        pen.write(", and ", GRAMMAR);
        let second = self.possession(pen, second);
        pen.write(".\n", GRAMMAR);
        let persons = [first, second];
        pen.until(&self.sentences, END, GRAMMAR, &mut |pen, sentence| match sentence {
            0 => self.agreement(pen),
            1 => self.quote(pen, &persons, "?\" ", "asked "),
            2 => self.quote(pen, &persons, ",\" ", "said "),
            3 => self.deed(pen, &persons),
            _ => self.recall(pen, &persons),
        });
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        let of = |new| expected_nats(&mut |pen| drop(self.names(pen, new, "")));
        vec![("nats_of_two_known_names", of(false)), ("nats_of_two_new_names", of(true))]
    }
}

/// How names are spelled: Kamel = Ka, me given a, l given e.
struct Spelling {
    initials: Phrases,
    /// Of each initial: all others, for the second person.
    without: Vec<Phrases>,
    /// Vowel given the initial, consonant given the vowel, vowel given the consonant, last given the vowel.
    steps: [Vec<Phrases>; 4],
}

// No T and no I: "The", "Then" and "In" begin so.
const INITIALS: &str = "BDGKLMNPRSVZ";
const CONSONANTS: &str = "bdgklmnprsvz";
const VOWELS: &str = "aeiou";
const LAST: &str = "lmnrs";

impl Spelling {
    fn new(seed: u64) -> Spelling {
        let mut rng = Rng::new(seed, Stream::Init);
        let mut letters = |letters: &str| -> Vec<(String, u64)> {
            let weights = dirichlet_weights(&mut rng, letters.len(), 2);
            letters.chars().map(String::from).zip(weights).collect()
        };
        let initials = letters(INITIALS);
        let mut after =
            |n: usize, next: &str| (0..n).map(|_| Phrases::new(&letters(next))).collect::<Vec<_>>();
        let steps = [
            after(INITIALS.len(), VOWELS),
            after(VOWELS.len(), CONSONANTS),
            after(CONSONANTS.len(), VOWELS),
            after(VOWELS.len(), LAST),
        ];
        let without = |i: usize| Phrases::new(&without(&initials, |j| i == j));
        Spelling {
            without: (0..initials.len()).map(without).collect(),
            initials: Phrases::new(&initials),
            steps,
        }
    }

    /// Writes a name with one of these initials; returns it and the number of its initial.
    fn write(&self, pen: &mut dyn Pen, initials: &Phrases) -> (String, usize) {
        let first = initials.text(pen.branch(initials, NAMES)).to_string();
        let initial = INITIALS.find(&first).expect("one of the initials");
        (first + &pen.chain(&self.steps, initial, NAMES), initial)
    }

    /// A name drawn outside of any story.
    fn draw(&self, rng: &mut Rng) -> String {
        let mut last = self.initials.choice().draw(rng);
        let mut name = self.initials.text(last).to_string();
        for step in &self.steps {
            let letters = &step[last];
            last = letters.choice().draw(rng);
            name.push_str(letters.text(last));
        }
        name
    }
}

/// The persons of the stories with old friends, and for each of them those with another initial.
struct KnownNames {
    names: Phrases,
    without: Vec<Phrases>,
}

impl KnownNames {
    const COUNT: usize = 40;

    fn new(spelling: &Spelling, seed: u64) -> KnownNames {
        let mut rng = Rng::new(seed, Stream::Other(0));
        let mut names: Vec<String> = Vec::new();
        while names.len() < KnownNames::COUNT {
            let name = spelling.draw(&mut rng);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let weighted: Vec<_> = names.into_iter().zip((0..).map(zipf_weight)).collect();
        let initial = |i: usize| weighted[i].0.as_bytes()[0];
        let without = |i: usize| Phrases::new(&without(&weighted, |j| initial(i) == initial(j)));
        KnownNames { without: (0..weighted.len()).map(without).collect(), names: Phrases::new(&weighted) }
    }
}

/// Those that are not to be left out.
fn without(weighted: &[(String, u64)], left_out: impl Fn(usize) -> bool) -> Vec<(String, u64)> {
    weighted.iter().enumerate().filter(|(i, _)| !left_out(*i)).map(|(_, pair)| pair.clone()).collect()
}
