//! `report-summary`: a report in sentences, and the summary that follows from its figures.
//!
//! ```text
//! In March the shop at Colbeck sold 42 rice, 31 salt, 77 wool and 58 fish. It rained a lot.
//! => March: most wool 77, least salt 31, total 208.
//! ```
//!
//! The summary is a function of the report: which article sold most and least (the first of equals), and
//! the sum. Floor of the summary 0; a model can be checked fact by fact. Sentences beside the point
//! stand before or behind, so that repeating the first sentence is no summary.

use crate::params::count;
use crate::pen::{Part, Pen, Writing, Written};
use crate::{Entry, Field, Layout, Param, Params, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "report-summary",
    aliases: &["report", "reportgen", "report-to-summary"],
    about: "reports of sales, and the summary that follows from them",
    layout: Layout::PromptAnswer,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Written::new(Report::new(params)))),
};

const PARAMS: &[Param] = &[count("articles", 4, 2, 8, "articles in a report")];

/// Names of equal length: the summary is as long whichever sold most, and its floor stays a formula.
const ARTICLES: [[&str; 3]; 8] = [
    ["rice", "oats", "corn"],
    ["salt", "lime", "clay"],
    ["wool", "silk", "felt"],
    ["fish", "crab", "eels"],
    ["nuts", "figs", "plum"],
    ["coal", "logs", "peat"],
    ["soap", "comb", "lamp"],
    ["rope", "sail", "cork"],
];
const MONTHS: [&str; 6] = ["January", "March", "May", "July", "September", "November"];
const SHOPS: [&str; 8] =
    ["Colbeck", "Marlow Cross", "Penhallow", "Stanning", "Tarrant", "Upper Wick", "Whinfell", "Yarrow Hill"];
const ASIDES: [&str; 6] = [
    "It rained a lot. ",
    "The roof was mended. ",
    "A new clerk began. ",
    "The road was closed for a week. ",
    "Nobody was ill. ",
    "The fair was well attended. ",
];

struct Report {
    months: Phrases,
    same_months: Vec<Phrases>,
    shops: Phrases,
    /// An aside (group 0) or the figures (group 1).
    aside_or_figures: Phrases,
    /// An aside (group 0) or the end (group 1).
    aside_or_end: Phrases,
    articles: Vec<Phrases>,
    numbers: Phrases,
}

const REPORT: Part = 0;
const SUMMARY: Part = 1;

impl Report {
    fn new(params: &Params) -> Report {
        // 25 to 99: two articles or eight, the sum has 2 or 3 digits; it is written with three.
        let numbers: Vec<String> = (25..=99).map(|n| n.to_string()).collect();
        let with = |other: &'static str| {
            let asides = ASIDES.iter().map(|&aside| (aside, 1, 0));
            Phrases::grouped(&asides.chain([(other, ASIDES.len() as u64, 1)]).collect::<Vec<_>>())
        };
        let months = Phrases::uniform(&MONTHS);
        Report {
            same_months: months.same(),
            months,
            shops: Phrases::uniform(&SHOPS),
            aside_or_figures: with("In "),
            aside_or_end: with("\n"),
            articles: ARTICLES[..params.size("articles")].iter().map(|a| Phrases::uniform(a)).collect(),
            numbers: Phrases::uniform(&numbers),
        }
    }

    /// "42 rice, 31 salt and 77 wool. ": the names and numbers.
    fn figures(&self, pen: &mut dyn Pen) -> Vec<(&str, u64)> {
        let mut figures = Vec::new();
        for (i, articles) in self.articles.iter().enumerate() {
            let left = self.articles.len() - i;
            let number = self.numbers.text(pen.pick(&self.numbers, REPORT));
            pen.write(" ", REPORT);
            let article = articles.text(pen.pick(articles, REPORT));
            pen.write(if left > 2 { ", " } else { ["", ". ", " and "][left] }, REPORT);
            figures.push((article, number.parse().expect("a number")));
        }
        figures
    }
}

impl Writing for Report {
    const PARTS: &'static [(&'static str, bool)] = &[("report", false), ("summary", true)];

    fn write(&self, pen: &mut dyn Pen) {
        pen.field(Field::Prompt);
        if self.aside_or_figures.group(pen.branch(&self.aside_or_figures, REPORT)) == 0 {
            pen.write("In ", REPORT);
        }
        let month = pen.pick(&self.months, REPORT);
        pen.write(" the shop at ", REPORT);
        pen.pick(&self.shops, REPORT);
        pen.write(" sold ", REPORT);
        let figures = self.figures(pen);
        if self.aside_or_end.group(pen.branch(&self.aside_or_end, REPORT)) == 0 {
            pen.write("\n", REPORT);
        }
        pen.field(Field::Separator);
        pen.write("=> ", REPORT);
        pen.field(Field::Answer);
        pen.form(&self.months, &self.same_months, month, SUMMARY);
        pen.write(&summary(&figures), SUMMARY);
        pen.field(Field::Separator);
        pen.write("\n\n", SUMMARY);
    }
}

/// What follows from the figures; the first of equals counts.
fn summary(figures: &[(&str, u64)]) -> String {
    let mut most = figures[0];
    let mut least = figures[0];
    for &figure in figures {
        most = if figure.1 > most.1 { figure } else { most };
        least = if figure.1 < least.1 { figure } else { least };
    }
    let total: u64 = figures.iter().map(|f| f.1).sum();
    format!(": most {} {}, least {} {}, total {total:03}.", most.0, most.1, least.0, least.1)
}

/// The summary of a report of this generator, by reading it: for checking a model's answers.
pub fn summary_of(report: &str) -> Option<String> {
    let (_, after) = report.split_once("In ")?;
    let (month, after) = after.split_once(" the shop at ")?;
    let (_, after) = after.split_once(" sold ")?;
    let (figures, _) = after.split_once(". ")?;
    let figure = |text: &str| -> Option<(String, u64)> {
        let (number, article) = text.split_once(' ')?;
        let number: u32 = number.parse().ok()?; // a model may have written it: the sum must not overflow
        Some((article.to_string(), number.into()))
    };
    let figures: Vec<_> = figures.replace(" and ", ", ").split(", ").map(figure).collect::<Option<_>>()?;
    let figures: Vec<_> = figures.iter().map(|(article, number)| (article.as_str(), *number)).collect();
    Some(format!("{month}{}", summary(&figures)))
}
