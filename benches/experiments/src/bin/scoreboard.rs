//! The scoreboard of fine-tuning: measures what is claimed of it, and writes docs/scoreboard.md.
//!
//!   cargo run --release -p experiments --bin scoreboard -- results.tsv --out docs/scoreboard.md
//!   cargo run --release -p experiments --bin scoreboard -- results.tsv --waimai waimai_10k.csv waimai
//!
//! Without names of claims, all of them. What `results.tsv` has is not measured again, so an interrupted study goes on where
//! it was; models that later measurements need lie in `results.tsv.models`, which may be deleted afterwards. A claim whose
//! file is not given is not measured and keeps the numbers that it has. Progress on stderr, the tables on stdout or in the
//! file of `--out`. Each case is measured by the program calling itself, with `--measure`.
//! `experiments::scoreboard` says how to add a claim.

use benches::machine::{cpu_seconds, processor};
use experiments::scoreboard::{CLAIMS, Claim, Result, Runs, Setup, append, find, markdown, read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const USAGE: &str = "usage: scoreboard RESULTS.tsv [--waimai FILE] [--out TABLE.md] [CLAIM ...]";

/// What the command line says.
struct Arguments {
    results: PathBuf,
    out: Option<PathBuf>,
    /// Flags of claims, with their files.
    files: Vec<(String, PathBuf)>,
    claims: Vec<&'static Claim>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, claim, case, seed, directory, file @ ..] = &words[..]
        && flag == "--measure"
    {
        let file = file.first().map(PathBuf::from);
        let setup = Setup { seed: seed.parse()?, directory: directory.into(), file };
        let values = (find(claim)?.measure)(&setup, case)?;
        values.iter().for_each(|(quantity, value)| println!("{quantity}\t{value}"));
        if let Some(seconds) = cpu_seconds() {
            println!("cpu_seconds\t{seconds}");
        }
        return Ok(());
    }
    let arguments = Arguments::parse(words)?;
    for claim in &arguments.claims {
        study(&arguments, claim)?;
    }
    let table = markdown(&read(&arguments.results)?);
    match &arguments.out {
        Some(path) => std::fs::write(path, table)?,
        None => print!("{table}"),
    }
    Ok(())
}

impl Arguments {
    fn parse(words: Vec<String>) -> Result<Arguments> {
        let (mut results, mut out, mut files, mut claims) = (None, None, Vec::new(), Vec::new());
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--out" || CLAIMS.iter().any(|claim| claim.file == Some(&word)) {
                let file = PathBuf::from(words.next().ok_or_else(|| format!("{word}: expected a file"))?);
                if word == "--out" { out = Some(file) } else { files.push((word, file)) }
            } else if word.starts_with('-') {
                return Err(format!("{word}: no such flag\n{USAGE}").into());
            } else if results.is_none() {
                results = Some(PathBuf::from(word));
            } else {
                claims.push(find(&word)?);
            }
        }
        if claims.is_empty() {
            claims = CLAIMS.iter().collect();
        }
        Ok(Arguments { results: results.ok_or(USAGE)?, out, files, claims })
    }
}

/// Measures what is missing of a claim, seed by seed, so that what is there is complete.
fn study(arguments: &Arguments, claim: &Claim) -> Result<()> {
    let file = claim.file.map(|flag| arguments.files.iter().find(|(given, _)| given == flag));
    let file = match file {
        Some(None) => {
            eprintln!("{}: not measured without {} FILE", claim.name, claim.file.unwrap_or_default());
            return Ok(());
        }
        Some(Some((_, file))) => Some(file.as_path()),
        None => None,
    };
    let directory = arguments.results.with_extension("tsv.models");
    std::fs::create_dir_all(&directory)?;
    let machine = format!("{}, {} threads", processor(), rayon::current_num_threads());
    for &seed in claim.seeds {
        for case in claim.cases {
            if Runs::of(claim, &read(&arguments.results)?).has(case, seed) {
                continue;
            }
            let values = measured(claim, case, seed, &directory, file)?;
            eprintln!("{} seed {seed}: {case:20} {values:?}", claim.name);
            append(&arguments.results, claim, case, seed, &values, &machine)?;
        }
    }
    Ok(())
}

/// One case, measured in a process of its own, so that the memory of others is not counted.
fn measured(
    claim: &Claim,
    case: &str,
    seed: u64,
    directory: &Path,
    file: Option<&Path>,
) -> Result<Vec<(String, f64)>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--measure", claim.name, case, &seed.to_string()]).arg(directory).args(file);
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{}, {case}, seed {seed}: it failed, as said above", claim.name).into());
    }
    let lines = String::from_utf8(output.stdout)?;
    let number = |line: &str| {
        let (quantity, value) = line.split_once('\t').ok_or("a name and a number")?;
        Ok((quantity.to_string(), value.parse()?))
    };
    lines.lines().map(number).collect()
}
