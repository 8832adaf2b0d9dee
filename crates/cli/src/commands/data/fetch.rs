//! `newleaf data fetch`: downloads public files.

use super::list::ManifestArg;
use crate::screen::failure::Failure;
use crate::work::download::{self, Patience};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const ABOUT: &str = "Downloads public files by https and checks their SHA-256

  newleaf data fetch tinyshakespeare names
  newleaf data fetch tinystories-train --dir corpora      the same command goes on after a broken connection
  NEWLEAF_MIRROR=https://host/folder newleaf data fetch names
  HF_ENDPOINT=https://hf-mirror.com newleaf data fetch tinystories-valid

Needs the program curl. The licences are the publishers': see newleaf data list.";

/// What `newleaf data fetch` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which files, as `newleaf data list` names them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Where to
    #[arg(long, value_name = "DIR", default_value = "downloads")]
    dir: PathBuf,
    #[command(flatten)]
    manifest: ManifestArg,
    /// Seconds without a byte after which a connection is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
    /// How often to try again when nothing comes
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: u32,
    /// One JSON object a file: {"name": .., "path": .., "bytes": .., "sha256": .., "was_there": ..}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let manifest = args.manifest.read()?;
    // Everything that can be wrong is found before the first byte is asked for.
    let mut wanted = Vec::new();
    for name in &args.names {
        let file = manifest.get(name)?;
        wanted.push((file, download::url_of(file)?));
    }
    let patience = Patience { stall_s: args.timeout, retries: args.retries };
    for (file, url) in wanted {
        eprintln!("{}: {url}\n  licence: {}", file.name, file.licence);
        let fetched = download::fetch(file, &url, &args.dir, patience)?;
        let path = fetched.path.display().to_string();
        if fetched.was_there {
            eprintln!("{}: there already, and right", file.name);
        }
        let text = match args.json {
            true => json!({
                "name": file.name, "path": path, "bytes": fetched.bytes, "sha256": fetched.sha256,
                "was_there": fetched.was_there,
            })
            .to_string(),
            false => path,
        };
        super::print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}
