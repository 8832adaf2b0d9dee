//! `fewshot-episodes`: labels that mean something new each time.
//!
//! An episode names two classes of words and gives each a label word at random. It shows
//! `shots` words with their labels, then asks for the label of one more:
//!
//! ```text
//! fruit tool
//! plum: dax
//! file: wug
//! pear: dax
//! hook: wug
//! ```
//!
//! The labels cannot be learnt beforehand, only read off the shots (learning in context; Chan et al.,
//! arXiv 2205.05055). When k shots came before, a label is known if its class was among them; else it is one
//! of the L labels not yet given out. The best accuracy on the question is
//!
//! 1/L for k = 0;   1 - 2^-k + 2^-k / (L - 1) for k >= 1,
//!
//! since all shots are of the other class with probability 2^-k. With `classes=held-out` episodes are made
//! of classes that the others never use: a model must have learnt the task, not the classes.

use crate::params::{count, word};
use crate::pen::{Part, Pen, Writing, Written};
use crate::{Entry, Field, Layout, Param, Params, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "fewshot-episodes",
    aliases: &["fewshot", "few-shot", "episodes"],
    about: "words with label words that are new in each episode",
    layout: Layout::Episodes,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Written::new(Episodes::new(params)))),
};

const PARAMS: &[Param] = &[
    count("shots", 8, 0, 10, "k, labelled words before the question"),
    count("labels", 8, 2, 8, "L, label words to choose from"),
    word("classes", &["usual", "held-out"], "which classes the words are of"),
];

/// A class and its words, all equally long: an episode is as long whichever come.
pub type Class = (&'static str, [&'static str; 6]);

/// The classes of `classes=usual`.
pub const USUAL: [Class; 6] = [
    ("fruit", ["pear", "plum", "kiwi", "lime", "date", "sloe"]),
    ("tool", ["file", "vice", "adze", "rasp", "hook", "pick"]),
    ("beast", ["goat", "lamb", "mule", "colt", "hare", "bull"]),
    ("colour", ["blue", "pink", "gold", "grey", "teal", "cyan"]),
    ("house", ["door", "roof", "wall", "sill", "tile", "beam"]),
    ("weather", ["rain", "snow", "hail", "wind", "mist", "gale"]),
];
/// The classes of `classes=held-out`.
pub const HELD_OUT: [Class; 4] = [
    ("music", ["drum", "harp", "lute", "oboe", "fife", "horn"]),
    ("cloth", ["coat", "boot", "sock", "belt", "cape", "robe"]),
    ("ship", ["mast", "sail", "helm", "keel", "deck", "prow"]),
    ("body", ["hand", "knee", "neck", "chin", "heel", "palm"]),
];
/// The label words, equally long too.
pub const LABELS: [&str; 8] = ["dax", "wug", "fep", "zup", "gor", "kif", "lum", "tob"];

struct Episodes {
    shots: i32,
    labels: usize,
    /// The names of two classes.
    pairs: Phrases,
    /// For each pair, the words of both; the group says which of the two.
    words: Vec<Phrases>,
}

const WORD: Part = 0;
const SHOT: Part = 1;
const ANSWER: Part = 2;
const END: Part = 3;

impl Episodes {
    fn new(params: &Params) -> Episodes {
        let classes: &[Class] = if params.get("classes") == 0 { &USUAL } else { &HELD_OUT };
        let (mut pairs, mut words) = (Vec::new(), Vec::new());
        for (i, a) in classes.iter().enumerate() {
            for b in &classes[i + 1..] {
                pairs.push(format!("{} {}\n", a.0, b.0));
                let both = a.1.iter().map(|&w| (w, 1, 0)).chain(b.1.iter().map(|&w| (w, 1, 1)));
                words.push(Phrases::grouped(&both.collect::<Vec<_>>()));
            }
        }
        let (shots, labels) = (params.get("shots") as i32, params.size("labels"));
        Episodes { shots, labels, pairs: Phrases::uniform(&pairs), words }
    }

    /// Writes the label of a class, choosing one when the class is new.
    fn label(&self, pen: &mut dyn Pen, given: &mut [Option<&str>; 2], class: usize, part: Part) {
        if let Some(label) = given[class] {
            return pen.write(label, part);
        }
        let free: Vec<&str> =
            LABELS[..self.labels].iter().copied().filter(|&l| !given.contains(&Some(l))).collect();
        given[class] = Some(free[pen.pick(&Phrases::uniform(&free), part)]);
    }

    /// The probability that no shot is of the class asked for.
    #[allow(clippy::disallowed_methods, reason = "a power of two is exact everywhere")]
    fn unseen(&self) -> f64 {
        0.5_f64.powi(self.shots)
    }

    /// How many labels are possible for a class that was not seen.
    fn possible(&self) -> f64 {
        (self.labels - usize::from(self.shots > 0)) as f64
    }
}

impl Writing for Episodes {
    const PARTS: &'static [(&'static str, bool)] =
        &[("words", false), ("labels of shots", false), ("answer", true), ("end", false)];

    fn write(&self, pen: &mut dyn Pen) {
        let words = &self.words[pen.pick(&self.pairs, WORD)];
        let mut given = [None; 2];
        for shot in 0..=self.shots {
            pen.field(Field::Text);
            let class = words.group(pen.branch(words, WORD));
            pen.field(Field::Separator);
            pen.write(": ", WORD);
            pen.field(Field::Label);
            let part = if shot < self.shots { SHOT } else { ANSWER };
            self.label(pen, &mut given, class, part);
            pen.field(Field::Separator);
            pen.write("\n", if shot < self.shots { SHOT } else { END });
        }
        pen.write("\n", END);
    }

    fn more_texts(&self) -> Vec<String> {
        self.words
            .iter()
            .flat_map(|pair| (0..pair.choice().len()).map(|i| pair.text(i).to_string()))
            .collect()
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        let accuracy = 1.0 - self.unseen() + self.unseen() / self.possible();
        vec![("bayes_accuracy", accuracy), ("nats_per_answer", self.unseen() * random::ln(self.possible()))]
    }
}
