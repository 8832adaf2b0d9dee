//! `slots`: a dialogue in which an assistant fills a form.
//!
//! The user asks for a table, naming the day, the number of people, the place, or none of them. The assistant
//! asks for what is missing, in that order, and repeats everything at the end: what was said
//! many turns ago must be remembered. Some questions are not about tables; they are declined. All that
//! the assistant says follows from what the user said: floor 0 on the assistant's turns; the user's
//! entropy is a part of its own.

use crate::params::share;
use crate::pen::{Part, Pen, Writing, Written};
use crate::{Entry, Field, Layout, ONE, Param, Params, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "slots",
    aliases: &["slot-dialogue", "dialogue"],
    about: "dialogues: an assistant books a table, asking for what is missing",
    layout: Layout::Dialogue,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Written::new(Slots::new(params)))),
};

const PARAMS: &[Param] =
    &[share("off_topic", 150_000, "share of dialogues that begin with another question")];

/// For each slot its question, what comes before its value in a sentence, and its values.
const SLOTS: [(&str, &str, &[&str]); 3] = [
    (
        "For which day?",
        " on ",
        &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    ),
    ("For how many people?", " for ", &["two", "three", "four", "five", "six", "ten"]),
    (
        "Where would you like to sit?",
        " ",
        &["at the window", "in the garden", "on the terrace", "by the door", "near the fire"],
    ),
];
const OPENINGS: [&str; 4] = ["A table", "Please book a table", "I need a table", "Hello, a table"];
const OFF_TOPIC: [&str; 4] =
    ["Do you sell shoes?", "What is nine times nine?", "Who won the match?", "Can you mend my bicycle?"];

struct Slots {
    values: [Phrases; 3],
    same: [Vec<Phrases>; 3],
    openings: Phrases,
    /// An opening (group 0) or another question (group 1).
    first_words: Phrases,
    /// named[s]: the next slot from s on that the first sentence names (its number is the group), or its
    /// end (group 3).
    named: [Phrases; 3],
}

const USER: Part = 0;
const ASSISTANT: Part = 1;

impl Slots {
    fn new(params: &Params) -> Slots {
        let off_topic = params.get("off_topic");
        let values = [0, 1, 2].map(|slot| Phrases::uniform(SLOTS[slot].2));
        let openings = OPENINGS.iter().map(|&text| (text, ONE - off_topic, 0));
        let first_words: Vec<_> =
            openings.chain(OFF_TOPIC.iter().map(|&text| (text, off_topic, 1))).collect();
        Slots {
            same: [0, 1, 2].map(|slot| values[slot].same()),
            values,
            openings: Phrases::uniform(&OPENINGS),
            first_words: Phrases::grouped(&first_words),
            named: [0, 1, 2].map(named_from),
        }
    }

    fn user(&self, pen: &mut dyn Pen) {
        pen.field(Field::Separator);
        pen.write("User: ", USER);
        pen.field(Field::User);
    }

    /// The assistant's turn. Its line end counts: it says that the turn is over.
    fn assistant(&self, pen: &mut dyn Pen, text: impl FnOnce(&mut dyn Pen)) {
        pen.field(Field::Separator);
        pen.write("\nAssistant: ", USER);
        pen.field(Field::Assistant);
        text(pen);
        pen.field(Field::Separator);
        pen.write("\n", ASSISTANT);
    }

    /// The user's first sentence about the matter, after its first words: which slots it fills.
    fn request(&self, pen: &mut dyn Pen) -> [Option<usize>; 3] {
        let mut filled = [None; 3];
        let mut from = 0;
        while from < 3 {
            let i = pen.branch(&self.named[from], USER);
            let slot = self.named[from].group(i);
            if slot == 3 {
                return filled;
            }
            let offset: usize = (from..slot).map(|s| SLOTS[s].2.len()).sum();
            filled[slot] = Some(i - offset);
            from = slot + 1;
        }
        pen.write(".", USER); // nothing is left to name
        filled
    }
}

/// Each slot is named with probability 1/2: that slot j is the next from s on, with 1/2^(j-s+1).
fn named_from(s: usize) -> Phrases {
    const MULTIPLE: u64 = 210; // of the numbers of values: 7, 6, 5
    let of_slot = |slot: usize| {
        let (_, before, values) = SLOTS[slot];
        let weight = (MULTIPLE / values.len() as u64) << (2 + s - slot);
        values.iter().map(move |value| (format!("{before}{value}"), weight, slot))
    };
    let end = (".".to_string(), MULTIPLE << s, 3);
    Phrases::grouped(&(s..3).flat_map(of_slot).chain([end]).collect::<Vec<_>>())
}

impl Writing for Slots {
    const PARTS: &'static [(&'static str, bool)] = &[("user", false), ("assistant", true)];

    fn write(&self, pen: &mut dyn Pen) {
        self.user(pen);
        if self.first_words.group(pen.branch(&self.first_words, USER)) == 1 {
            self.assistant(pen, |pen| pen.write("I can only book tables.", ASSISTANT));
            self.user(pen);
            pen.pick(&self.openings, USER);
        }
        let mut filled = self.request(pen);
        for slot in 0..3 {
            if filled[slot].is_none() {
                self.assistant(pen, |pen| pen.write(SLOTS[slot].0, ASSISTANT));
                self.user(pen);
                filled[slot] = Some(pen.pick(&self.values[slot], USER));
                pen.write(".", USER);
            }
        }
        self.assistant(pen, |pen| {
            pen.write("Booked: a table", ASSISTANT);
            for (slot, value) in filled.iter().enumerate() {
                pen.write(SLOTS[slot].1, ASSISTANT);
                let value = value.expect("asked for above");
                pen.form(&self.values[slot], &self.same[slot], value, ASSISTANT);
            }
            pen.write(".", ASSISTANT);
        });
        pen.field(Field::Separator);
        pen.write("\n", USER);
    }
}
