//! What `newleaf train` takes, beside a flag for every setting.

use crate::flags::init_embedding::InitEmbedding;
use crate::flags::settings;
use crate::flags::texts_ahead::TextsAheadArgs;
use crate::work::planning::{parse_memory, parse_time};
use clap::Command;
use gpt::config::Preset;
use gpt::peft::Method;
use std::path::PathBuf;

/// Tokens that a training writes at its end.
pub(crate) const SAMPLE_LENGTH: usize = 600;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text to learn, UTF-8, or a file of `newleaf data pack` [default: the stories that ship inside]
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// The text for validation, of the same kinds [default: the last 10 % of --data]
    #[arg(long, value_name = "FILE")]
    pub(super) val: Option<PathBuf>,
    /// Begin with the weights of this model (a model directory of ours or a GPT-2's, or a run): its tokenizer and its
    /// architecture, a new optimizer. Of the settings of the model only dropout and a smaller block_size may be given
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tokenizer", "init_emb"])]
    pub(super) from: Option<PathBuf>,
    /// With --from, what of it is trained: full, lora:r=8,alpha=16,targets=qv, ia3 or bitfit. The models of the run are
    /// whole ones, with what was trained in their weights [default: full]
    #[arg(long, hide_short_help = true, value_name = "METHOD", requires = "from")]
    pub(super) peft: Option<Method>,
    /// A directory with a tokenizer, such as newleaf tokenizer train makes [default: the characters of the text]
    #[arg(long, value_name = "DIR")]
    pub(super) tokenizer: Option<PathBuf>,
    /// A new directory for the run [default: the first free of runs/1, runs/2, ...]
    #[arg(long, alias = "out_dir", value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Be done in this time, 30m or 2h: model and number of updates are chosen as newleaf plan does, and a training that is
    /// slower than its plan ends early
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "max_iters")]
    pub(super) time: Option<f64>,
    /// With --time, the memory that may be used: 500MB, 4GB
    #[arg(long, hide_short_help = true, value_name = "BYTES", value_parser = parse_memory, requires = "time")]
    pub(super) memory: Option<u64>,
    #[command(flatten)]
    pub(super) ahead: TextsAheadArgs,
    /// Where the settings start: shakespeare (the fastest road to a good loss), nano-cpu (nanoGPT's recipe for a CPU) or
    /// baby (its baby GPT)
    #[arg(long, value_name = "NAME", default_value = Preset::default().name())]
    pub(super) preset: String,
    /// Go on with the run in --out from its latest checkpoint. The flags that it was begun with may be repeated; only
    /// --max-iters may change
    #[arg(long, requires = "out")]
    pub(super) resume: bool,
    /// Tokens to write at the end
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = SAMPLE_LENGTH)]
    pub(super) sample_length: usize,
    /// Updates between two short samples in samples.txt; 0 writes none [default: at evaluations]
    #[arg(long, hide_short_help = true, alias = "sample_interval", value_name = "N")]
    pub(super) sample_interval: Option<u64>,
    /// Refused, with the reason: stop words are for classification and word vectors
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub(super) stop_words: Option<PathBuf>,
    /// At the end, one JSON object on stdout instead of samples
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) embedding: InitEmbedding,
}

/// Adds the flags to a command.
pub(super) fn arguments(command: Command) -> Command {
    settings::augment(<Args as clap::Args>::augment_args(command))
}
