//! The ladder of attention kernels: every rung in turn, at the sizes of training and of long texts, on one thread and on all.
//!
//! `cargo bench -p benches --bench attention -- --help` says what can be asked for.

use benches::attention::{Keys, Shape, Size};
use benches::ladder::{self, LEGEND, Plan, Row};
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
    /// A size to time, such as 1,6,2,4096,64; may be given several times [default: those of docs/attention.md]
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
    /// Only these rungs, beside the one that training uses [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = rung)]
    rung: Vec<Rung>,
    /// On so many threads; several, separated by commas [default: 1 and all]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = threads)]
    threads: Vec<usize>,
    /// Seconds for all rungs of a size together; at least seven rounds are run, however long they take
    #[arg(long, value_name = "S", default_value = "3", value_parser = positive)]
    seconds: f64,
    /// Leaves out a rung whose forward and backward together take more seconds than this
    #[arg(long, value_name = "S", default_value = "2", value_parser = positive)]
    limit: f64,
    /// The folder for attention.md, attention.json and attention.svg [default: ladder/ in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also writes the table and the picture of docs/attention.md
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

fn rung(name: &str) -> Result<Rung, String> {
    let known = || LADDER.iter().map(|rung| rung.name).collect::<Vec<_>>().join(", ");
    LADDER
        .iter()
        .find(|rung| rung.name == name)
        .copied()
        .ok_or_else(|| format!("expected one of {}", known()))
}

fn main() -> ExitCode {
    let options = Options::parse();
    let plan = plan(&options);
    if plan.sizes.is_empty() {
        let all: Vec<String> = ladder::sizes().iter().map(ToString::to_string).collect();
        eprintln!(
            "attention: no size with {:?} in its name; there are {}",
            options.filter.unwrap_or_default(),
            all.join(", ")
        );
        return ExitCode::SUCCESS; // the filter may be meant for other benches
    }
    let load = machine::load();
    let provenance = ladder::provenance(load);
    println!("{provenance}");
    let notes = ladder::notes(&plan);
    notes.iter().for_each(|note| println!("note: {note}"));
    let rows = ladder::measure(&plan, |size, threads| eprintln!("... {size}, {threads} threads"));
    if !measure::is_bench() {
        return ExitCode::SUCCESS; // times mean nothing under `cargo test`
    }
    let table = ladder::full_table(&rows);
    println!("\n{LEGEND}\n\n{table}");
    let picture = picture::over_time(&rows);
    let mut files = vec![
        ("attention.md", [&provenance, LEGEND, &notes.join("\n\n"), &table].join("\n\n")),
        ("attention.json", format!("{:#}\n", ladder::to_json(&rows, load))),
    ];
    files.extend(picture.clone().map(|picture| ("attention.svg", picture)));
    let out = options.out.unwrap_or_else(target_folder);
    let mut written: Vec<(PathBuf, String)> =
        files.into_iter().map(|(name, text)| (out.join(name), text)).collect();
    if options.write_docs {
        match docs(&rows, &plan, &provenance) {
            Ok(page) => {
                let folder = page.0.with_file_name("pictures");
                written.extend(picture.map(|picture| (folder.join("attention.svg"), picture)));
                written.push(page);
            }
            Err(problem) => {
                eprintln!("error: {problem}");
                return ExitCode::from(2);
            }
        }
    }
    for (path, text) in written {
        let folder = path.parent().expect("a file is in a folder");
        if let Err(error) = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text)) {
            eprintln!("error: {}: {error}", path.display());
            return ExitCode::from(2);
        }
        println!("wrote {}", path.display());
    }
    ExitCode::SUCCESS
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
    threads.dedup();
    let wanted = |rung: &&Rung| {
        let asked = options.rung.iter().any(|asked| asked.name == rung.name);
        options.rung.is_empty() || asked || rung.name == TRAINING.name
    };
    let rungs = LADDER.iter().filter(wanted).copied().collect();
    Plan { sizes, threads, rungs, seconds: measure::budget(options.seconds), limit: options.limit }
}

/// The page of the docs, with the table in its place.
fn docs(rows: &[Row], plan: &Plan, provenance: &str) -> Result<(PathBuf, String), String> {
    const BEGIN: &str =
        "<!-- ladder: written by `cargo bench -p benches --bench attention -- --write-docs` -->\n";
    const END: &str = "<!-- /ladder -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attention.md");
    let page = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let expected = || format!("{}: expected the lines {BEGIN:?} and {END:?}", path.display());
    let (before, after) = parts.ok_or_else(expected)?;
    let table = ladder::short_table(rows, &plan.threads);
    let new = format!(
        "{before}{BEGIN}{provenance}. In brackets the share of the matrix product's speed.\n\n{table}\n{END}{after}"
    );
    Ok((path, new))
}

/// `ladder/` in the folder that this program was built in.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).unwrap_or(Path::new("target")).join("ladder") // target/release/deps/attention-...
}
