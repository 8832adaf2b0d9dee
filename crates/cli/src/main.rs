//! The program `newleaf`: train a small GPT on your own text, look at it, and generate text.

#![forbid(unsafe_code)]

#[macro_use]
mod screen; // first: its `eprintln!` is that of all others

mod commands;
mod flags;
mod work;

use clap::Command;
use commands::{COMMANDS, overview, run_subcommand, with_subcommands};
use screen::failure::Failure;
use std::process::ExitCode;

/// What `newleaf` alone says, and `newleaf --help`.
fn help() -> String {
    format!(
        "newleaf {}: train your own small GPT on an ordinary computer

  newleaf train                         the stories that ship inside, one minute
  newleaf train --data my.txt --out my  your own text
  newleaf sample --model my             text of it

{}
newleaf COMMAND -h shows the usual flags, newleaf COMMAND --help all of them.
All take --threads N [default: all cores]; the results do not depend on it.
",
        env!("CARGO_PKG_VERSION"),
        overview(COMMANDS)
    )
}

fn command() -> Command {
    let threads = clap::Arg::new("threads")
        .long("threads")
        .global(true)
        .value_name("N")
        .value_parser(clap::value_parser!(u16).range(1..=1024))
        .help("Threads to compute with [default: all cores]; the results do not depend on it");
    let newleaf =
        Command::new("newleaf").version(env!("CARGO_PKG_VERSION")).override_help(help()).arg(threads);
    with_subcommands(newleaf, COMMANDS)
}

/// The threads to compute with: those asked for by the flag or by rayon's variable, but no more than the machine runs at a
/// time, for those would wait for one another; 0 leaves it to rayon.
fn threads(asked: Option<usize>) -> usize {
    let variable = || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok();
    let asked = asked.or_else(variable).unwrap_or(0);
    let there = std::thread::available_parallelism().map_or(asked, usize::from).max(USUAL_THREADS);
    if asked > there {
        eprintln!("note: {asked} threads are more than this machine runs at a time: {there} are used");
    }
    asked.min(there)
}

/// So many threads are allowed on any machine: a few too many cost little, and show that results do not depend on them.
const USUAL_THREADS: usize = 16;

fn run() -> Result<ExitCode, Failure> {
    let matches = command().get_matches(); // wrong usage ends here, with exit code 2
    tensor::kernels::simd::Path::requested().map_err(Failure::input)?;
    work::signals::refuse_large_files()
        .map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
    let threads = threads(matches.get_one::<u16>("threads").map(|n| usize::from(*n)));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Failure::other(format!("cannot start {threads} threads: {e}")))?;
    // Everything runs inside of the pool: a thread outside would only wait for those inside.
    pool.install(|| run_subcommand(COMMANDS, &matches))
}

fn main() -> ExitCode {
    run().unwrap_or_else(|failure| failure.report())
}
