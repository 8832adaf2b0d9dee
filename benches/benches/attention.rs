//! The ladder of attention kernels: every rung in turn, at the sizes of training and of long texts, on one thread and on all.
//!
//! `cargo bench -p benches --bench attention -- --help` says what can be asked for.

use benches::attention::{Keys, Shape, Size, rung};
use benches::ladder::{self, Plan};
use benches::ladder_report::{self, LEGEND};
use benches::{machine, measure, picture};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tensor::kernels::attention::{LADDER, Rung, TRAINING};

/// Times the rungs of the attention ladder in turn, forward and backward apart, beside this machine's matrix product.
/// Checks each against v0_naive first. Prints a table, and saves it as attention.md, .json and .svg.
#[derive(Parser)]
#[command(name = "attention", bin_name = "cargo bench -p benches --bench attention --", term_width = 100)]
struct Options {
    /// Only sizes with this in their name, such as "window"
    #[arg(value_name = "TEXT")]
    filter: Option<String>,
    /// A size to time, such as 1,6,2,4096,64, or 1,6,4096,64 where NKV is NH; may be given several times [default: those of
    /// docs/attention.md]
    #[arg(long, value_name = "B,NH,NKV,T,hs")]
    shape: Vec<Shape>,
    /// Each query sees the last N keys up to its own, instead of all before it
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    window: Option<usize>,
    /// Packed documents of N positions: each query sees its own document up to itself
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "window")]
    documents: Option<usize>,
    /// Each query sees all keys
    #[arg(long, conflicts_with_all = ["window", "documents"])]
    bidirectional: bool,
    /// Only these rungs, beside the one that training uses; v2 is enough for v2_rows [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = rung)]
    rung: Vec<Rung>,
    /// On so many threads; several, separated by commas [default: 1 and all]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = threads)]
    threads: Vec<usize>,
    /// Seconds for all rungs of a size together; at least seven rounds are run, however long they take
    #[arg(long, value_name = "S", default_value = "3", value_parser = positive)]
    seconds: f64,
    /// Leaves out a rung whose forward and backward together take more seconds than this
    #[arg(long, value_name = "S", default_value = "1.5", value_parser = positive)]
    limit: f64,
    /// The folder for attention.md, attention.json and attention.svg [default: ladder/ in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also writes the table and the picture of docs/attention.md; refused where other work runs on this machine
    #[arg(long, conflicts_with_all = ["shape", "window", "documents", "bidirectional", "rung", "filter"])]
    write_docs: bool,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=1 << 20).contains(n));
    number.ok_or_else(|| "expected a whole number from 1 to 1,048,576".to_string())
}

fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=1024).contains(n));
    number.ok_or_else(|| "expected a whole number from 1 to 1,024".to_string())
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0);
    number.ok_or_else(|| "expected a positive number of seconds".to_string())
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    let plan = plan(&options);
    if plan.sizes.is_empty() {
        let all: Vec<String> = ladder::sizes().iter().map(ToString::to_string).collect();
        let text = options.filter.unwrap_or_default();
        eprintln!("attention: no size with {text:?} in its name; there are {}", all.join(", "));
        return Ok(()); // the filter may be meant for other benches
    }
    // Places before the work: what cannot be written is said before minutes are spent.
    let out = options.out.unwrap_or_else(target_folder);
    let docs = options.write_docs.then(Docs::read).transpose()?;
    if measure::is_bench() {
        std::fs::create_dir_all(&out).map_err(|error| format!("--out {}: {error}", out.display()))?;
    }
    let load = machine::load();
    if options.write_docs {
        machine::is_quiet(load).map_err(|problem| format!("--write-docs: {problem}"))?;
    }
    let provenance = ladder_report::provenance(load);
    println!("{provenance}");
    let notes = ladder::notes(&plan);
    notes.iter().for_each(|note| println!("note: {note}"));
    let rows = ladder::measure(&plan, |size, threads| eprintln!("... {size}, {threads} threads"))?;
    if !measure::is_bench() {
        return Ok(()); // times mean nothing under `cargo test`
    }
    let table = ladder_report::full_table(&rows);
    let factors = ladder_report::factors(&rows);
    println!("\n{LEGEND}\n\n{table}\n{factors}\n");
    let page = [&provenance, LEGEND, &notes.join("\n\n"), &table, &factors].join("\n\n") + "\n";
    write(&out.join("attention.md"), &page)?;
    write(&out.join("attention.json"), &format!("{:#}\n", ladder_report::to_json(&rows, load)))?;
    let picture = picture::over_time(&rows);
    let drawing = out.join("attention.svg");
    match &picture {
        Some(picture) => write(&drawing, picture)?,
        None => {
            println!("no picture: it takes two sizes that differ in T alone and have the same B T");
            if std::fs::remove_file(&drawing).is_ok() {
                println!("removed {}, which was of an earlier run", drawing.display());
            }
        }
    }
    if let (Some(docs), Some(picture)) = (docs, picture) {
        write(&docs.picture(), &picture)?;
        write(
            &docs.page,
            &docs.with(&provenance, &ladder_report::short_table(&rows, &plan.threads), &factors),
        )?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// What the command line asks for.
fn plan(options: &Options) -> Plan {
    let all = machine::in_pool(rayon::current_num_threads);
    let keys = match (options.window, options.documents) {
        (Some(window), _) => Some(Keys::Window(window)),
        (_, Some(length)) => Some(Keys::Documents(length)),
        _ => options.bidirectional.then_some(Keys::Bidirectional),
    };
    let mut sizes = match (&options.shape[..], keys) {
        ([], None) => ladder::sizes(),
        ([], Some(keys)) => ladder::family().into_iter().map(|size| Size { keys, ..size }).collect(),
        (shapes, keys) => {
            shapes.iter().map(|&shape| Size { shape, keys: keys.unwrap_or(Keys::Causal) }).collect()
        }
    };
    sizes.retain(|size| options.filter.as_ref().is_none_or(|text| size.to_string().contains(text)));
    if !measure::is_bench() {
        sizes.truncate(2); // to see that it runs
    }
    let mut threads = if options.threads.is_empty() { vec![1, all] } else { options.threads.clone() };
    threads.sort_unstable();
    threads.dedup();
    let wanted = |rung: &&Rung| {
        let asked = options.rung.iter().any(|asked| asked.name == rung.name);
        options.rung.is_empty() || asked || rung.name == TRAINING.name
    };
    let rungs = LADDER.iter().filter(wanted).copied().collect();
    Plan { sizes, threads, rungs, seconds: measure::budget(options.seconds), limit: options.limit }
}

/// The page that has the table, and what stands before and behind it.
struct Docs {
    page: PathBuf,
    before: String,
    after: String,
}

impl Docs {
    const BEGIN: &str =
        "<!-- ladder: written by `cargo bench -p benches --bench attention -- --write-docs` -->\n";
    const END: &str = "<!-- /ladder -->\n";

    fn read() -> Result<Self, String> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attention.md");
        let text = std::fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
        let parts = text
            .split_once(Self::BEGIN)
            .and_then(|(before, rest)| Some((before, rest.split_once(Self::END)?.1)));
        let expected =
            || format!("{}: expected the lines {:?} and {:?}", page.display(), Self::BEGIN, Self::END);
        let (before, after) = parts.map(|(a, b)| (a.to_string(), b.to_string())).ok_or_else(expected)?;
        Ok(Self { page, before, after })
    }

    fn picture(&self) -> PathBuf {
        self.page.with_file_name("pictures").join("attention.svg")
    }

    fn with(&self, provenance: &str, table: &str, factors: &str) -> String {
        let Self { before, after, .. } = self;
        let (begin, end) = (Self::BEGIN, Self::END);
        format!(
            "{before}{begin}{provenance}. In brackets the share of the matrix product's speed.\n\n{table}\n{factors}\n\n\
             ![Microseconds a token over T, of each rung, forward and backward](pictures/attention.svg)\n\n{end}{after}"
        )
    }
}

/// `ladder/` in the folder that this program was built in.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).unwrap_or(Path::new("target")).join("ladder") // target/release/deps/attention-...
}
