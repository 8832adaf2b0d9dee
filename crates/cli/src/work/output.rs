//! Where a model, an adapter or a classifier is going to be written: looked at before the work.

use crate::screen::failure::Failure;
use gpt::files::store;
use gpt::run_dir::RunDir;
use std::path::Path;

/// Refuses, before anything is computed, a directory that could not be written afterwards: one that is an input, that
/// belongs to a run, or that holds what is not newleaf's.
pub(crate) fn check_directory(out: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    inputs.iter().try_for_each(|input| Failure::if_same(out, input))?;
    if let Some(run) = RunDir::of(out) {
        return Err(Failure::input(format!(
            "--out {}: the run {} goes on from what is there: give another --out",
            out.display(),
            run.display()
        )));
    }
    store::check_dir(out)?;
    if out.exists() {
        eprintln!("note: what is in {} will be replaced", out.display());
    }
    Ok(())
}
