//! The program `newleaf`: train a small GPT on your own text, look at it, and write with it.

#![forbid(unsafe_code)]

mod eval;
mod failure;
mod info;
mod model;
mod progress;
mod sample;
mod settings;
mod signals;
mod train;

use clap::{Args as _, Command, FromArgMatches};
use failure::Failure;
use std::process::ExitCode;

const ABOUT: &str = "Train your own small GPT on an ordinary computer.

  newleaf train                            a model of the stories that ship inside, in about half a minute
  newleaf train --data my.txt --out my     a model of your own text
  newleaf sample --model my                write with it";

fn command() -> Command {
    Command::new("newleaf")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            clap::Arg::new("threads")
                .long("threads")
                .global(true)
                .value_name("N")
                .value_parser(clap::value_parser!(u16).range(1..=1024))
                .help("Threads to compute with [default: all cores]; the results do not depend on it"),
        )
        .subcommand(settings::augment(train::Args::augment_args(Command::new("train").about(train::ABOUT))))
        .subcommand(sample::Args::augment_args(Command::new("sample").about(sample::ABOUT)))
        .subcommand(eval::Args::augment_args(Command::new("eval").about(eval::ABOUT)))
        .subcommand(info::Args::augment_args(Command::new("info").about(info::ABOUT)))
}

fn run() -> Result<ExitCode, Failure> {
    let matches = command().get_matches(); // wrong usage ends here, with exit code 2
    tensor::kernels::simd::Path::requested().map_err(Failure::input)?;
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let threads = matches.get_one::<u16>("threads").map_or(0, |n| usize::from(*n)); // 0: rayon's choice
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Failure::other(format!("cannot start {threads} threads: {e}")))?;
    // Everything runs inside of the pool: a thread outside would only wait for those inside.
    pool.install(|| match name {
        "train" => train::run(&parse(matches)?, matches),
        "sample" => sample::run(&parse(matches)?),
        "eval" => eval::run(&parse(matches)?),
        _ => info::run(&parse(matches)?),
    })
}

fn parse<A: FromArgMatches>(matches: &clap::ArgMatches) -> Result<A, Failure> {
    A::from_arg_matches(matches).map_err(|e| Failure::input(e.to_string()))
}

fn main() -> ExitCode {
    run().unwrap_or_else(|failure| failure.report())
}
