//! `newleaf data verify`: are the files what they should be?

use super::list::ManifestArg;
use crate::screen::byte_progress::ByteProgress;
use crate::screen::failure::Failure;
use crate::work::download;
use data::dataset::{PublicFile, TokenFile, sha256_of};
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

pub(super) const ABOUT: &str = "Checks the size and SHA-256 of downloaded files

  newleaf data verify                 downloads/ against the manifest
  newleaf data verify datasets        a directory with a file SHA256SUMS against that
  newleaf data verify train.bin       a file of `newleaf data pack`: every id, and its checksum

Exit code 2 if one is wrong.";

/// What `newleaf data verify` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A directory, or a token file
    #[arg(value_name = "DIR", default_value = "downloads")]
    dir: PathBuf,
    #[command(flatten)]
    manifest: ManifestArg,
    /// One JSON object a file: {"file": .., "ok": .., "mistake": ..}
    #[arg(long)]
    json: bool,
}

/// A file, and what is wrong with it.
type Verdict = (String, Option<String>);

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let verdicts =
        if TokenFile::is_one(&args.dir) { vec![verify_tokens(&args.dir)?] } else { verify_dir(args)? };
    for (file, mistake) in &verdicts {
        let line = match (args.json, mistake) {
            (true, _) => json!({"file": file, "ok": mistake.is_none(), "mistake": mistake}).to_string(),
            (false, None) => format!("{file}: ok"),
            (false, Some(mistake)) => format!("{file}: WRONG: {mistake}"),
        };
        super::print(&line)?;
    }
    match verdicts.iter().filter(|(_, mistake)| mistake.is_some()).count() {
        0 => Ok(ExitCode::SUCCESS),
        n => Err(Failure::input(format!(
            "{}: {n} of {} files are not what they should be: delete and fetch them again",
            args.dir.display(),
            verdicts.len()
        ))),
    }
}

fn verify_tokens(path: &Path) -> Result<Verdict, Failure> {
    let file = TokenFile::open(path)?;
    let bar = ByteProgress::new("checking", 0, Some(file.bytes()));
    let checked = file.check(&mut |done, _| bar.set(done));
    bar.finish(file.bytes());
    Ok((path.display().to_string(), checked.err().map(|e| e.to_string())))
}

fn verify_dir(args: &Args) -> Result<Vec<Verdict>, Failure> {
    let dir = &args.dir;
    if !dir.is_dir() {
        return Err(Failure::input(format!(
            "{}: expected a directory with downloaded files, or a token file: name one, or begin with: newleaf data fetch",
            dir.display()
        )));
    }
    let sums = dir.join("SHA256SUMS");
    let mut expected = if sums.is_file() { read_sums(&sums)? } else { Vec::new() };
    for file in args.manifest.read()?.files {
        if !dir.join(&file.file).exists() {
            continue;
        }
        let record = dir.join(format!("{}.sha256", file.file));
        if file.sha256.is_none() && record.is_file() {
            expected.extend(read_sums(&record)?);
        } else {
            expected.push(file);
        }
    }
    if expected.is_empty() {
        return Err(Failure::input(format!(
            "{}: nothing in it is in the manifest, and it has no SHA256SUMS: there is nothing to check",
            dir.display()
        )));
    }
    Ok(expected.iter().map(|file| (file.file.clone(), verify(file, &dir.join(&file.file)))).collect())
}

fn verify(file: &PublicFile, path: &Path) -> Option<String> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let hashed = opened.and_then(|(len, opened)| {
        let bar = ByteProgress::new(&file.file, 0, Some(len));
        let hashed = sha256_of(opened, &mut |done| bar.set(done));
        bar.finish(len);
        hashed
    });
    match hashed {
        Ok((sha256, bytes)) => download::mistake(file, &sha256, bytes),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

/// The lines `SHA-256  name` of a file as `sha256sum` writes it.
fn read_sums(path: &Path) -> Result<Vec<PublicFile>, Failure> {
    let text = data::read_text(path)?;
    let parse = |(number, line): (usize, &str)| {
        let file = line.split_once("  ").and_then(|(sha256, name)| {
            let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            let hex = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
            (inside && hex).then(|| as_public_file(name, sha256))
        });
        file.ok_or_else(|| {
            Failure::input(format!(
                "{}, line {number}: expected a SHA-256, two spaces and the name of a file below, found {line:?}: \
                 correct the line, or make the file again with sha256sum",
                path.display()
            ))
        })
    };
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

fn as_public_file(name: &str, sha256: &str) -> PublicFile {
    let fields = json!({
        "name": name, "file": name, "url": "", "bytes": Value::Null, "sha256": sha256.to_ascii_lowercase(),
        "licence": "", "split": "", "notes": "",
    });
    serde_json::from_value(fields).expect("all its fields")
}
