//! `sentiment`: short reviews with a known best accuracy.
//!
//! A review has one or three opinions, each perhaps negated ("not slow" is praise). The true label is that of
//! the majority of its opinions; with probability eta the label written is the other one. So the best
//! classifier is right with probability 1 - eta, and the label costs
//!
//! H(eta) = -eta ln eta - (1 - eta) ln(1 - eta): 0.198515 nats for eta = 0.05, 0.325083 for 0.1.
//!
//! What a reader must know is which words praise, and that "not" turns them over. Labels: 1 good, 0 bad.

use crate::params::{conflict, share, word};
use crate::pen::{Pen, Writing, Written};
use crate::{Entry, Field, Layout, ONE, Param, Params, Phrases};
use data::DataError;

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "sentiment",
    aliases: &["sentimentgen"],
    about: "reviews with labels, a share of which is wrong: known best accuracy",
    layout: Layout::Labelled,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Written::new(Sentiment::new(params)?))),
};

const PARAMS: &[Param] = &[
    share("eta", 50_000, "share of wrong labels; less than 0.5"),
    share("negated", 250_000, "share of opinions with a negation; between 0 and 1"),
    word("language", &["en", "zh"], "English or Chinese"),
];

/// The words of a language.
struct Language {
    openings: &'static [&'static str],
    aspects: &'static [&'static str],
    good: &'static [&'static str],
    bad: &'static [&'static str],
    negation: &'static str,
    emphasis: &'static str,
    /// Before and after an aspect.
    around_aspect: (&'static str, &'static str),
    joints: &'static [&'static str],
    end: &'static str,
}

const ENGLISH: Language = Language {
    openings: &[
        "We came at noon. ",
        "I went there alone. ",
        "This was our second visit. ",
        "A friend told us about it. ",
        "It rained all day. ",
    ],
    aspects: &["food", "service", "soup", "room", "coffee", "price", "music", "view", "bread", "staff"],
    good: &["good", "great", "fresh", "quick", "friendly", "lovely", "clean", "warm", "superb", "pleasant"],
    bad: &["bad", "slow", "stale", "rude", "dirty", "awful", "bland", "cold", "noisy", "dreadful"],
    negation: "not ",
    emphasis: "very ",
    around_aspect: ("the ", " was "),
    joints: &[", and ", ", but ", ", while "],
    end: ".",
};

const CHINESE: Language = Language {
    openings: &["中午去的。", "第二次来了。", "朋友推荐的。", "那天下着雨。", "一个人去的。"],
    aspects: &["味道", "服务", "汤", "房间", "咖啡", "价格", "音乐", "面包", "环境", "店员"],
    good: &["好", "棒", "新鲜", "周到", "热情", "舒服", "干净", "满意", "快", "香"],
    bad: &["差", "慢", "难吃", "冷淡", "脏", "糟糕", "吵", "贵", "旧", "乱"],
    negation: "不",
    emphasis: "很",
    around_aspect: ("", ""),
    joints: &["，而且", "，不过", "，另外"],
    end: "。",
};

const BAD: usize = 0;
const GOOD: usize = 1;
const NEGATION: usize = 2;
const EMPHASIS: usize = 3;

struct Sentiment {
    language: &'static Language,
    eta: u64,
    openings: Phrases,
    aspects: Phrases,
    /// An opinion, or what comes before one.
    first: Phrases,
    opinions: Phrases,
    /// Group 0 ends the review, group 1 goes on.
    end_or_joint: Phrases,
    joints: Phrases,
    /// labels[true label]
    labels: [Phrases; 2],
}

/// `eta` and `negated` in millionths.
fn shares(params: &Params) -> Result<(u64, u64), DataError> {
    let (eta, negated) = (params.get("eta"), params.get("negated"));
    if eta >= ONE / 2 {
        let found = params.probability("eta").to_string();
        return Err(conflict("the parameter eta", found, "less than 0.5", "at 0.5 the label says nothing"));
    }
    if negated == 0 || negated == ONE {
        let found = (negated / ONE).to_string();
        let expected = "more than 0 and less than 1";
        return Err(conflict("the parameter negated", found, expected, "set a share in between"));
    }
    Ok((eta, negated))
}

impl Sentiment {
    fn new(params: &Params) -> Result<Sentiment, DataError> {
        let (eta, negated) = shares(params)?;
        let language = if params.get("language") == 0 { &ENGLISH } else { &CHINESE };
        let words = || {
            let good = language.good.iter().map(|&w| (w, GOOD));
            good.chain(language.bad.iter().map(|&w| (w, BAD)))
        };
        // `negated` of the weight on the negation, a fifth of the rest on the emphasis.
        let (emphasis, plain) = ((ONE - negated) / 5, (ONE - negated) / 5 * 4);
        let count = words().count() as u64;
        let mut first = vec![
            (language.negation, negated * count, NEGATION),
            (language.emphasis, emphasis * count, EMPHASIS),
        ];
        first.extend(words().map(|(w, group)| (w, plain, group)));
        let mut end_or_joint = vec![(language.end, 3, 0)];
        end_or_joint.extend(language.joints.iter().map(|&joint| (joint, 1, 1)));
        Ok(Sentiment {
            eta,
            openings: Phrases::uniform(language.openings),
            aspects: Phrases::zipf(language.aspects),
            first: Phrases::grouped(&first),
            opinions: Phrases::grouped(&words().map(|(w, group)| (w, 1, group)).collect::<Vec<_>>()),
            end_or_joint: Phrases::grouped(&end_or_joint),
            joints: Phrases::uniform(language.joints),
            labels: [
                Phrases::new(&[("0", ONE - eta), ("1", eta)]),
                Phrases::new(&[("1", ONE - eta), ("0", eta)]),
            ],
            language,
        })
    }

    /// Writes an opinion; says whether it is good.
    fn opinion(&self, pen: &mut dyn Pen) -> bool {
        let (before, after) = self.language.around_aspect;
        pen.write(before, TEXT);
        pen.pick(&self.aspects, TEXT);
        pen.write(after, TEXT);
        match self.first.group(pen.branch(&self.first, TEXT)) {
            NEGATION => self.opinions.group(pen.branch(&self.opinions, TEXT)) == BAD,
            EMPHASIS => self.opinions.group(pen.branch(&self.opinions, TEXT)) == GOOD,
            group => group == GOOD,
        }
    }
}

const TEXT: u8 = 0;
const LABEL: u8 = 1;
const END: u8 = 2;

impl Writing for Sentiment {
    const PARTS: &'static [(&'static str, bool)] = &[("text", false), ("label", true), ("end", false)];

    fn write(&self, pen: &mut dyn Pen) {
        pen.field(Field::Text);
        pen.pick(&self.openings, TEXT);
        let mut good = usize::from(self.opinion(pen));
        let goes_on = self.end_or_joint.group(pen.branch(&self.end_or_joint, TEXT)) == 1;
        if goes_on {
            good += usize::from(self.opinion(pen));
            pen.pick(&self.joints, TEXT);
            good += usize::from(self.opinion(pen));
            pen.write(self.language.end, TEXT);
        }
        let truth = if goes_on { good >= 2 } else { good == 1 };
        pen.field(Field::Separator);
        pen.write("\t", TEXT);
        pen.field(Field::Label);
        pen.pick(&self.labels[usize::from(truth)], LABEL);
        pen.field(Field::Separator);
        pen.write("\n", END);
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        vec![("bayes_accuracy", (ONE - self.eta) as f64 / ONE as f64)]
    }
}

/// The true label of a review of this generator, by reading it: 1 good, 0 bad. For tests of classifiers
/// and of augmentation.
pub fn true_label(text: &str) -> Option<u8> {
    let language = if text.is_ascii() { &ENGLISH } else { &CHINESE };
    let opening = language.openings.iter().find_map(|opening| text.strip_prefix(opening))?;
    let opinions = opening.strip_suffix(language.end)?;
    let mut votes = Vec::new();
    let mut rest = opinions;
    while !rest.is_empty() {
        let end = language.joints.iter().filter_map(|joint| rest.find(joint)).min().unwrap_or(rest.len());
        votes.push(opinion_of(language, &rest[..end])?);
        rest = &rest[end..];
        rest = language.joints.iter().find_map(|joint| rest.strip_prefix(joint)).unwrap_or(rest);
    }
    let good = votes.iter().filter(|&&good| good).count();
    (votes.len() % 2 == 1).then_some(u8::from(2 * good > votes.len()))
}

fn opinion_of(language: &Language, text: &str) -> Option<bool> {
    let (before, after) = language.around_aspect;
    let rest = text.strip_prefix(before)?;
    let rest = language.aspects.iter().find_map(|aspect| rest.strip_prefix(aspect))?.strip_prefix(after)?;
    let (negated, rest) = match rest.strip_prefix(language.negation) {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix(language.emphasis).unwrap_or(rest)),
    };
    let good = language.good.contains(&rest);
    (good || language.bad.contains(&rest)).then_some(good != negated)
}
