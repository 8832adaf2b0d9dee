//! `scfg-zh-en`: sentence pairs of a synchronous grammar, Chinese and English.
//!
//! Each rule has two right-hand sides over the same parts (Lewis and Stearns 1968; Chiang 2007):
//!
//! ```text
//! Sentence -> < Time Subject 在 Place Verb Object 。 , Subject Verb Object Place Time . >
//! Noun     -> < Number Measure [Verb Object 的] Noun , Number Noun [that Verb Object] >
//!
//! 昨天那只追两条狗的猫在花园里看见三本书。
//! that cat that chased two dogs saw three books in the garden yesterday.
//! ```
//!
//! so time and place move to the other end, and a relative clause from before its noun to behind it.
//! Chinese measure words follow from the noun, English plurals from the number. The translation follows
//! from the source: floor 0. With `synonyms=yes` some words have two translations, equally likely: ln 2 nats
//! each, in the floor; paraphrasing by translating back lives on them.

use crate::params::word;
use crate::pen::{Part, Pen, Writing, Written};
use crate::{Entry, Field, Layout, Param, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "scfg-zh-en",
    aliases: &["scfg", "translation"],
    about: "Chinese and English sentence pairs of a synchronous grammar",
    layout: Layout::Parallel,
    parameters: PARAMS,
    build: |params| {
        let synonyms = params.get("synonyms") == 1;
        Ok(match params.get("direction") {
            0 => Box::new(Written::new(FromChinese::new(synonyms))),
            _ => Box::new(Written::new(FromEnglish::new(synonyms))),
        })
    },
};

const PARAMS: &[Param] = &[
    word("direction", &["zh-en", "en-zh"], "which language is the source"),
    word("synonyms", &["no", "yes"], "whether some words have two translations"),
];

// Two translations of a word are divided by a bar; the first is the one in sources.

/// A noun: Chinese, English, English plural.
type NounForms = (&'static str, &'static str, &'static str);

/// Measure words, each with its nouns.
const NOUNS: [(&str, &[NounForms]); 6] = [
    (
        "只",
        &[
            ("猫", "cat", "cats"),
            ("鸟", "bird", "birds"),
            ("羊", "goat", "goats"),
            ("兔子", "rabbit", "rabbits"),
        ],
    ),
    ("条", &[("狗", "dog|hound", "dogs|hounds"), ("鱼", "fish", "fish"), ("蛇", "snake", "snakes")]),
    (
        "个",
        &[
            ("孩子|小孩", "child|kid", "children|kids"),
            ("农民", "farmer", "farmers"),
            ("老师", "teacher", "teachers"),
            ("医生|大夫", "doctor|physician", "doctors|physicians"),
            ("客人", "guest|visitor", "guests|visitors"),
        ],
    ),
    ("本", &[("书", "book", "books"), ("词典|字典", "dictionary", "dictionaries")]),
    ("张", &[("桌子", "table", "tables"), ("床", "bed", "beds"), ("地图", "map", "maps")]),
    ("辆", &[("车", "car", "cars"), ("自行车|单车", "bicycle|bike", "bicycles|bikes")]),
];
const VERBS: [(&str, &str); 10] = [
    ("看见|瞧见", "saw"),
    ("找到", "found"),
    ("喜欢", "liked"),
    ("画", "painted|drew"),
    ("追", "chased"),
    ("忘记", "forgot"),
    ("听见", "heard"),
    ("帮助", "helped"),
    ("等", "awaited"),
    ("带来", "brought"),
];
const PLACES: [(&str, &str); 7] = [
    ("花园里", "in the garden"),
    ("河边", "by the river"),
    ("学校里|校园里", "at school"),
    ("山上", "on the hill"),
    ("村子里", "in the village"),
    ("桥下", "under the bridge"),
    ("市场上|集市上", "at the market"),
];
const TIMES: [(&str, &str); 7] = [
    ("昨天|昨日", "yesterday"),
    ("上周|上个星期", "last week"),
    ("早上", "this morning"),
    ("去年", "last year"),
    ("冬天", "in winter"),
    ("晚上|夜里", "in the evening|at night"),
    ("刚才", "just now|a moment ago"),
];
/// (Chinese, English, 1 if what is counted is plural)
const NUMBERS: [(&str, &str, usize); 6] = [
    ("那", "that", 0),
    ("一", "one", 0),
    ("两", "two", 1),
    ("三", "three", 1),
    ("十", "ten", 1),
    ("几", "several|some", 1),
];

const SOURCE: Part = 0;
const TARGET: Part = 1;
const PARTS: &[(&str, bool)] = &[("source", false), ("target", true)];

/// The word as a source has it.
fn plain(word: &str) -> &str {
    word.split('|').next().unwrap_or(word)
}

/// Words of one kind: what the source says, and what the target can say for each.
struct Lexicon {
    source: Phrases,
    target: Vec<Phrases>,
}

impl Lexicon {
    /// Of (source, target, group); the marks are what follows each word in its language.
    fn new(words: &[(&str, &str, usize)], marks: (&str, &str), synonyms: bool) -> Lexicon {
        let source: Vec<_> = words.iter().map(|w| (format!("{}{}", plain(w.0), marks.0), 1, w.2)).collect();
        let target = words.iter().map(|w| translations(w.1, marks.1, synonyms)).collect();
        Lexicon { source: Phrases::grouped(&source), target }
    }

    fn pick(&self, pen: &mut dyn Pen) -> usize {
        pen.pick(&self.source, SOURCE)
    }

    fn translate(&self, pen: &mut dyn Pen, pick: usize) {
        pen.form(&self.source, &self.target, pick, TARGET);
    }
}

fn translations(words: &str, mark: &str, synonyms: bool) -> Phrases {
    let taken = if synonyms { usize::MAX } else { 1 };
    Phrases::uniform(&words.split('|').take(taken).map(|word| format!("{word}{mark}")).collect::<Vec<_>>())
}

fn pairs<'a>(words: &[(&'a str, &'a str)], zh_first: bool) -> Vec<(&'a str, &'a str, usize)> {
    words.iter().map(|&(zh, en)| if zh_first { (zh, en, 0) } else { (en, zh, 0) }).collect()
}

/// What the source says of a noun.
struct Noun {
    number: usize,
    plural: usize,
    measure: usize,
    noun: usize,
    /// The verb and the object of its relative clause.
    relative: Option<(usize, Box<Noun>)>,
}

/// The words that do not depend on the direction of the nouns.
struct Sentence {
    numbers: Lexicon,
    verbs: Lexicon,
    places: Lexicon,
    times: Lexicon,
}

// ---- Chinese to English

struct FromChinese {
    words: Sentence,
    measures: Phrases,
    /// Of each measure word.
    nouns: Vec<ChineseNouns>,
}

/// The nouns of a measure word.
struct ChineseNouns {
    nouns: Lexicon,
    plurals: Vec<Phrases>,
    /// A noun (group 0), or the verb of a relative clause before it (group 1).
    noun_or_verb: Phrases,
}

impl FromChinese {
    fn new(synonyms: bool) -> FromChinese {
        let space = ("", " ");
        let lexicon = |words: &[(&str, &str)], marks| Lexicon::new(&pairs(words, true), marks, synonyms);
        let words = Sentence {
            numbers: Lexicon::new(&NUMBERS, space, synonyms),
            verbs: lexicon(&VERBS, space),
            places: lexicon(&PLACES, space),
            times: lexicon(&TIMES, ("", "")),
        };
        let measures: Vec<_> = NOUNS.iter().map(|&(measure, nouns)| (measure, nouns.len() as u64)).collect();
        let nouns = NOUNS.iter().map(|(_, nouns)| ChineseNouns::new(nouns, synonyms)).collect();
        FromChinese { words, measures: Phrases::new(&measures), nouns }
    }

    fn read(&self, pen: &mut dyn Pen, may_have_relative: bool) -> Noun {
        let number = pen.branch(&self.words.numbers.source, SOURCE);
        let plural = self.words.numbers.source.group(number);
        let measure = pen.branch(&self.measures, SOURCE);
        let set = &self.nouns[measure];
        if may_have_relative {
            let i = pen.branch(&set.noun_or_verb, SOURCE);
            if set.noun_or_verb.group(i) == 0 {
                return Noun { number, plural, measure, noun: i, relative: None };
            }
            let verb = i - set.plurals.len();
            let object = self.read(pen, false);
            pen.write("的", SOURCE);
            let noun = set.nouns.pick(pen);
            return Noun { number, plural, measure, noun, relative: Some((verb, Box::new(object))) };
        }
        Noun { number, plural, measure, noun: set.nouns.pick(pen), relative: None }
    }

    fn translate(&self, pen: &mut dyn Pen, noun: &Noun) {
        self.words.numbers.translate(pen, noun.number);
        let set = &self.nouns[noun.measure];
        let forms = if noun.plural == 1 { &set.plurals } else { &set.nouns.target };
        pen.form(&set.nouns.source, forms, noun.noun, TARGET);
        if let Some((verb, object)) = &noun.relative {
            pen.write("that ", TARGET);
            self.words.verbs.translate(pen, *verb);
            self.translate(pen, object);
        }
    }
}

impl ChineseNouns {
    fn new(nouns: &[(&str, &str, &str)], synonyms: bool) -> ChineseNouns {
        let singular: Vec<_> = nouns.iter().map(|&(zh, en, _)| (zh, en, 0)).collect();
        let plurals = nouns.iter().map(|(.., plural)| translations(plural, " ", synonyms)).collect();
        // Three nouns of ten have a relative clause.
        let (noun, verb) = (7 * VERBS.len() as u64, 3 * nouns.len() as u64);
        let words = nouns.iter().map(|(zh, ..)| (plain(zh), noun, 0));
        let words = words.chain(VERBS.iter().map(|(zh, _)| (plain(zh), verb, 1)));
        ChineseNouns {
            nouns: Lexicon::new(&singular, ("", " "), synonyms),
            plurals,
            noun_or_verb: Phrases::grouped(&words.collect::<Vec<_>>()),
        }
    }
}

impl Writing for FromChinese {
    const PARTS: &'static [(&'static str, bool)] = PARTS;

    fn write(&self, pen: &mut dyn Pen) {
        let words = &self.words;
        pen.field(Field::Source);
        let time = words.times.pick(pen);
        let subject = self.read(pen, true);
        pen.write("在", SOURCE);
        let place = words.places.pick(pen);
        let verb = words.verbs.pick(pen);
        let object = self.read(pen, false);
        pen.write("。", SOURCE);
        pen.field(Field::Separator);
        pen.write("\t", SOURCE);
        pen.field(Field::Target);
        self.translate(pen, &subject);
        words.verbs.translate(pen, verb);
        self.translate(pen, &object);
        words.places.translate(pen, place);
        words.times.translate(pen, time);
        pen.write(".", TARGET);
        pen.field(Field::Separator);
        pen.write("\n", TARGET);
    }
}

// ---- English to Chinese

struct FromEnglish {
    words: Sentence,
    /// English singular and plural nouns, all measure words together.
    nouns: [Lexicon; 2],
    measures: Vec<Phrases>,
    /// The verb of the sentence (group 0), or a relative clause (group 1).
    verb_or_that: Phrases,
}

impl FromEnglish {
    fn new(synonyms: bool) -> FromEnglish {
        let space = (" ", "");
        let lexicon = |words: &[(&str, &str)], marks| Lexicon::new(&pairs(words, false), marks, synonyms);
        let numbers = NUMBERS.map(|(zh, en, plural)| (en, zh, plural));
        let words = Sentence {
            numbers: Lexicon::new(&numbers, space, synonyms),
            verbs: lexicon(&VERBS, space),
            places: lexicon(&PLACES, space),
            times: lexicon(&TIMES, ("", "")),
        };
        let all = || NOUNS.iter().flat_map(|&(measure, nouns)| nouns.iter().map(move |noun| (measure, noun)));
        let singular: Vec<_> = all().map(|(_, &(zh, en, _))| (en, zh, 0)).collect();
        let plural: Vec<_> = all().map(|(_, &(zh, _, en))| (en, zh, 0)).collect();
        let measures = all().map(|(measure, _)| Phrases::new(&[(measure, 1)])).collect();
        let verbs = VERBS.iter().map(|(_, en)| (format!("{} ", plain(en)), 7, 0));
        let that = ("that ".to_string(), 3 * VERBS.len() as u64, 1);
        FromEnglish {
            words,
            nouns: [singular, plural].map(|nouns| Lexicon::new(&nouns, space, synonyms)),
            measures,
            verb_or_that: Phrases::grouped(&verbs.chain([that]).collect::<Vec<_>>()),
        }
    }

    fn read(&self, pen: &mut dyn Pen) -> Noun {
        let number = pen.branch(&self.words.numbers.source, SOURCE);
        let plural = self.words.numbers.source.group(number);
        Noun { number, plural, measure: 0, noun: self.nouns[plural].pick(pen), relative: None }
    }

    fn translate(&self, pen: &mut dyn Pen, noun: &Noun) {
        self.words.numbers.translate(pen, noun.number);
        let nouns = &self.nouns[noun.plural];
        pen.form(&nouns.source, &self.measures, noun.noun, TARGET);
        if let Some((verb, object)) = &noun.relative {
            self.words.verbs.translate(pen, *verb);
            self.translate(pen, object);
            pen.write("的", TARGET);
        }
        nouns.translate(pen, noun.noun);
    }
}

impl Writing for FromEnglish {
    const PARTS: &'static [(&'static str, bool)] = PARTS;

    fn write(&self, pen: &mut dyn Pen) {
        let words = &self.words;
        pen.field(Field::Source);
        let mut subject = self.read(pen);
        let mut verb = pen.branch(&self.verb_or_that, SOURCE);
        if self.verb_or_that.group(verb) == 1 {
            subject.relative = Some((words.verbs.pick(pen), Box::new(self.read(pen))));
            verb = words.verbs.pick(pen);
        }
        let object = self.read(pen);
        let place = words.places.pick(pen);
        let time = words.times.pick(pen);
        pen.write(".", SOURCE);
        pen.field(Field::Separator);
        pen.write("\t", SOURCE);
        pen.field(Field::Target);
        words.times.translate(pen, time);
        self.translate(pen, &subject);
        pen.write("在", TARGET);
        words.places.translate(pen, place);
        words.verbs.translate(pen, verb);
        self.translate(pen, &object);
        pen.write("。", TARGET);
        pen.field(Field::Separator);
        pen.write("\n", TARGET);
    }
}
