//! The program `newleaf`: train a small GPT on your own text, look at it, and write with it.

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

  newleaf train                           the stories that ship inside, about a minute
  newleaf train --data my.txt --out my    your own text
  newleaf sample --model my               text of it

{}
newleaf COMMAND -h shows the flags that most people use, newleaf COMMAND --help all.
Every command takes --threads N (default: all cores; the results do not depend on it).
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

fn run() -> Result<ExitCode, Failure> {
    let matches = command().get_matches(); // wrong usage ends here, with exit code 2
    tensor::kernels::simd::Path::requested().map_err(Failure::input)?;
    let threads = matches.get_one::<u16>("threads").map_or(0, |n| usize::from(*n)); // 0: rayon's choice
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Failure::other(format!("cannot start {threads} threads: {e}")))?;
    // Everything runs inside of the pool: a thread outside would only wait for those inside.
    pool.install(|| run_subcommand(COMMANDS, &matches))
}

fn main() -> ExitCode {
    run().unwrap_or_else(|failure| failure.report())
}
