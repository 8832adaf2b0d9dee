//! `samples.txt`: what the model wrote along the way, each text under the number of its iteration.

use super::{RunDir, RunDirError, SAMPLES, read_log};
use crate::files::{Disk, io_error, write_file};
use std::fs::File;
use std::io::Write;

const BEGIN: &str = "=== iteration ";
const END: &str = " ===";

/// One text of `samples.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Updates made before it was written.
    pub iter: u64,
    /// The text, without line ends at its end.
    pub text: String,
}

impl Sample {
    /// The texts of a `samples.txt`, in its order. What stands before the first heading is no sample.
    #[must_use]
    pub fn parse(text: &str) -> Vec<Sample> {
        let mut samples: Vec<Sample> = Vec::new();
        for line in text.split_inclusive('\n') {
            match (heading(line.trim_end_matches('\n')), samples.last_mut()) {
                (Some(iter), _) => samples.push(Sample { iter, text: String::new() }),
                (None, Some(sample)) => sample.text.push_str(line),
                (None, None) => {}
            }
        }
        for sample in &mut samples {
            sample.text.truncate(sample.text.trim_end_matches('\n').len());
        }
        samples
    }

    /// As it stands in the file. A line of the text that looks like a heading is moved by a space.
    fn entry(&self) -> String {
        let mut entry = format!("{BEGIN}{}{END}\n", self.iter);
        for line in self.text.trim_end_matches('\n').split('\n') {
            if heading(line).is_some() {
                entry.push(' ');
            }
            entry += line;
            entry.push('\n');
        }
        entry.push('\n');
        entry
    }
}

/// The iteration that a heading names.
fn heading(line: &str) -> Option<u64> {
    line.strip_prefix(BEGIN)?.strip_suffix(END)?.parse().ok()
}

impl RunDir {
    /// Appends a text to `samples.txt` under the number of its iteration.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append_sample(&self, iter: u64, text: &str) -> Result<(), RunDirError> {
        let path = self.path.join(SAMPLES);
        let entry = Sample { iter, text: text.to_string() }.entry();
        let opened = File::options().append(true).create(true).open(&path);
        let written = opened.and_then(|mut file| {
            let end = file.metadata()?.len();
            file.write_all(entry.as_bytes()).inspect_err(|_| {
                let _ = file.set_len(end); // no half of a text
            })
        });
        Ok(written.map_err(|source| io_error("write", &path, source))?)
    }

    /// Removes what a run will write again that goes on from a checkpoint of iteration `last`: the samples of
    /// that iteration, which come after its checkpoint, and of later ones. The file is replaced durably, or not touched
    /// if there is nothing to remove. Answers how many were removed.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn drop_samples_from(&self, last: u64) -> Result<usize, RunDirError> {
        let path = self.path.join(SAMPLES);
        let Some(bytes) = read_log(&path)? else { return Ok(0) };
        let samples = Sample::parse(&String::from_utf8_lossy(&bytes)); // a crash may have cut off a character
        let kept: Vec<&Sample> = samples.iter().filter(|sample| sample.iter < last).collect();
        if kept.len() < samples.len() {
            let text: String = kept.iter().map(|sample| sample.entry()).collect();
            write_file(&Disk, &path, text.as_bytes())?;
        }
        Ok(samples.len() - kept.len())
    }
}
