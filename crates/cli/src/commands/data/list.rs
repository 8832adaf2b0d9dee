//! `newleaf data list`: the public files that can be fetched.

use crate::screen::byte_progress::megabytes;
use crate::screen::failure::Failure;
use data::dataset::{Manifest, PublicFile};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const ABOUT: &str = "The public files that can be fetched: sizes, licences, what is in them

  newleaf data list
  newleaf data list --json";

/// The list that ships inside.
const MANIFEST: &str = include_str!("../../../../../datasets/manifest.json");

/// What `newleaf data list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manifest: ManifestArg,
    /// The manifest as JSON
    #[arg(long)]
    json: bool,
}

/// Which list of files.
#[derive(Debug, clap::Args)]
pub(super) struct ManifestArg {
    /// Another list of files, of the form of datasets/manifest.json [default: the one that ships inside]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl ManifestArg {
    pub(super) fn read(&self) -> Result<Manifest, Failure> {
        Ok(match &self.manifest {
            Some(path) => Manifest::from_json(&data::read_text(path)?, &path.display().to_string())?,
            None => Manifest::from_json(MANIFEST, "datasets/manifest.json")?,
        })
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let manifest = args.manifest.read()?;
    if args.json {
        let json = serde_json::to_string_pretty(&manifest);
        return super::print(&json.expect("strings and numbers are valid JSON"));
    }
    let lines: Vec<String> = manifest.files.iter().map(line).collect();
    super::print(&lines.join("\n"))
}

fn line(file: &PublicFile) -> String {
    let size = file.bytes.map_or("size unknown".into(), megabytes);
    let PublicFile { name, licence, notes, split, .. } = file;
    format!("{name:<19} {size:>12}  {licence}\n{:19} {notes}\n{:19} split: {split}", "", "")
}
