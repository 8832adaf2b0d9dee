//! A page about a fine-tuning: what it reaches beside simple methods, how it went, and where it errs.

mod classes;
mod errors;
mod figures;
mod page;
mod record;

use super::written::Report;
use crate::screen::failure::Failure;
use record::{RESULT, Record};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The fine-tuning that is named, if one is.
pub(super) fn named(dirs: &[PathBuf], floor: Option<f64>) -> Result<Option<&Path>, Failure> {
    let mut found = dirs.iter().filter(|path| path.join(RESULT).is_file());
    let Some(dir) = found.next() else { return Ok(None) };
    if dirs.len() > 1 {
        return Err(Failure::input(format!(
            "{}: this is a fine-tuning, which has a page of its own: name it alone",
            dir.display()
        )));
    }
    if floor.is_some() {
        return Err(Failure::input("--floor: this is for training runs: leave it out for a fine-tuning"));
    }
    Ok(Some(dir))
}

/// Where its page goes: beside the directory, which the next fine-tuning replaces as a whole.
pub(super) fn page_beside(dir: &Path) -> PathBuf {
    // The name, also of `.` and of one that ends in `..`.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".html");
    dir.with_file_name(name)
}

/// Its page.
pub(super) fn report(dir: &Path) -> Result<Report, Failure> {
    let record = Record::read(dir)?;
    let figures = figures::all(&record);
    Ok(Report {
        page: page::page(&record, &figures),
        lines: format!("{}: {}\n", dir.display(), page::verdict(&record)),
        figures,
        json: json!({ "result": record.result }),
    })
}
