//! `newleaf embed analogy`: a - b + c.

use super::{Space, VectorsArgs, bar, print};
use crate::screen::failure::Failure;
use data::DataError;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Analogies: the words nearest to a - b + c, or the score on a list of them

  newleaf embed analogy --vectors vectors.txt --a king --b man --c woman
  newleaf embed analogy --vectors vectors.txt --file my-analogies.tsv

A list has lines of five fields with tabs between: kind, a, b, c and the word expected (a is to b as the answer
is to c), such as  family  king  man  woman  queen; lines that begin with # are remarks.
A first line whose last four fields are a, b, c and d names the columns.";

/// What `newleaf embed analogy` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    vectors: VectorsArgs,
    /// A list of analogies
    #[arg(long, value_name = "FILE", conflicts_with_all = ["a", "b", "c"], required_unless_present = "a")]
    file: Option<PathBuf>,
    /// king, in "king is to man as ... is to woman"
    #[arg(long, value_name = "WORD", requires_all = ["b", "c"])]
    a: Option<String>,
    /// man
    #[arg(long, value_name = "WORD", requires_all = ["a", "c"])]
    b: Option<String>,
    /// woman
    #[arg(long, value_name = "WORD", requires_all = ["a", "b"])]
    c: Option<String>,
    /// How many answers to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5)]
    count: usize,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match (&args.file, &args.a, &args.b, &args.c) {
        (Some(file), ..) => score(args, file),
        (None, Some(a), Some(b), Some(c)) => ask(args, [a, b, c]),
        _ => unreachable!("clap requires the file or all three words"),
    }
}

fn ask(args: &Args, words: [&String; 3]) -> Result<ExitCode, Failure> {
    let space = args.vectors.read()?;
    let [a, b, c] = [space.index(words[0])?, space.index(words[1])?, space.index(words[2])?];
    let answers = space.neighbours.analogy(a, b, c, args.count);
    if args.json {
        let list: Vec<_> = answers
            .iter()
            .map(|&(row, cosine)| json!({ "word": space.word(row), "cosine": cosine }))
            .collect();
        return print(&format!(
            "{}\n",
            json!({ "a": words[0], "b": words[1], "c": words[2], "answers": list })
        ));
    }
    let line = |&(row, cosine): &(u32, f32)| format!("{cosine:.4}\t{}\n", space.word(row));
    print(&answers.iter().map(line).collect::<String>())
}

/// One line of a list.
struct Analogy {
    kind: String,
    a: String,
    b: String,
    c: String,
    expected: String,
}

/// The results of the analogies of one kind.
#[derive(Clone, Default)]
struct Tally {
    kind: String,
    right: usize,
    asked: usize,
    /// With a word that has no vector.
    skipped: usize,
}

impl Tally {
    fn add(&mut self, space: &Space, analogy: &Analogy) {
        let Analogy { a, b, c, expected, .. } = analogy;
        match [a, b, c, expected].map(|word| space.vectors.index(word)) {
            [Some(a), Some(b), Some(c), Some(expected)] => {
                self.asked += 1;
                self.right += usize::from(
                    space.neighbours.analogy(a, b, c, 1).first().is_some_and(|x| x.0 == expected),
                );
            }
            _ => self.skipped += 1,
        }
    }

    fn accuracy(&self) -> Option<f64> {
        (self.asked > 0).then(|| self.right as f64 / self.asked as f64)
    }

    fn line(&self) -> String {
        let share = self.accuracy().map_or("-".to_string(), |x| format!("{:.1} %", 100.0 * x));
        format!(
            "{share:>8}  {} of {} right, {} with unknown words\t{}\n",
            self.right, self.asked, self.skipped, self.kind
        )
    }

    fn json(&self) -> Value {
        let Self { kind, right, asked, skipped } = self;
        json!({ "kind": kind, "right": right, "asked": asked, "unknown": skipped, "accuracy": self.accuracy() })
    }
}

fn score(args: &Args, file: &Path) -> Result<ExitCode, Failure> {
    let analogies = read_list(file)?;
    let space = args.vectors.read()?;
    let mut kinds: Vec<Tally> = Vec::new(); // in the order of the list
    let mut all = Tally { kind: "all".to_string(), ..Tally::default() };
    let bar = bar("analogies");
    bar.set_length(analogies.len() as u64);
    for analogy in &analogies {
        bar.inc(1);
        let at = kinds.iter().position(|tally| tally.kind == analogy.kind).unwrap_or(kinds.len());
        if at == kinds.len() {
            kinds.push(Tally { kind: analogy.kind.clone(), ..Tally::default() });
        }
        kinds[at].add(&space, analogy);
    }
    bar.finish_and_clear();
    for tally in &kinds {
        all.right += tally.right;
        all.asked += tally.asked;
        all.skipped += tally.skipped;
    }
    if args.json {
        let kinds: Vec<Value> = kinds.iter().map(Tally::json).collect();
        return print(&json!({ "all": all.json(), "kinds": kinds }).to_string());
    }
    print(&kinds.iter().chain([&all]).map(Tally::line).collect::<String>())
}

fn read_list(path: &Path) -> Result<Vec<Analogy>, DataError> {
    let text = data::read_text(path)?;
    let mut list = Vec::new();
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    for (row, (i, line)) in rows.enumerate() {
        let fields: Vec<String> = line.split('\t').map(|field| field.trim().to_string()).collect();
        let found = fields.len();
        let Ok([kind, a, b, c, expected]) = <[String; 5]>::try_from(fields) else {
            return Err(malformed(path, format!("line {}", i + 1), format!("{found} fields")));
        };
        if row == 0 && [&a, &b, &c, &expected] == ["a", "b", "c", "d"] {
            continue; // names of columns
        }
        list.push(Analogy { kind, a, b, c, expected });
    }
    if list.is_empty() {
        return Err(malformed(path, String::new(), "no analogy".to_string()));
    }
    Ok(list)
}

fn malformed(path: &Path, place: String, found: String) -> DataError {
    DataError::Malformed {
        what: path.display().to_string(),
        place,
        found,
        expected: "lines of kind, a, b, c and the expected word with tabs between".to_string(),
        remedy: "newleaf embed analogy --help has an example".to_string(),
    }
}
