//! `metrics.jsonl`: how training went, one JSON object a line.

use super::{METRICS, RunDir, RunDirError, read_log};
use crate::files::{Disk, io_error, write_file};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

/// One line: an iteration or an evaluation. What was not measured is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// The iteration.
    pub iter: u64,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// Seconds trained so far, over all sessions.
    pub elapsed_s: f64,
    /// Learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Loss of the iteration's batch, in nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// The gradient's norm before clipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Milliseconds of the iteration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_ms: Option<f64>,
    /// Tokens trained on per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_s: Option<f64>,
    /// Validation loss, in nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// The same in bits per character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_bits_per_char: Option<f64>,
    /// The same in bits per byte of UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_bits_per_byte: Option<f64>,
    /// The validation loss of each objective, `val_loss_clm` and so on, in nats per token that is asked for.
    #[serde(flatten)]
    pub val_losses: BTreeMap<String, f64>,
}

/// What [`RunDir::drop_metrics_after`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Lines that will be written again.
    pub later: usize,
    /// Lines that are not JSON objects with an iteration: cut off by a crash.
    pub unreadable: usize,
}

/// Of a line only the iteration matters here, and whether it is an evaluation.
#[derive(Deserialize)]
struct Line {
    iter: u64,
    #[serde(default)]
    val_loss: Option<IgnoredAny>,
}

impl RunDir {
    /// Appends a line and hands it to the system at once, so that others can follow a run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append_metrics(&mut self, metrics: &Metrics) -> Result<(), RunDirError> {
        let path = self.path.join(METRICS);
        let error = |source| io_error("write", &path, source);
        let mut line = serde_json::to_vec(metrics).map_err(|e| error(e.into()))?;
        line.push(b'\n');
        let file = match &mut self.metrics {
            Some(file) => file,
            None => {
                self.metrics.insert(File::options().append(true).create(true).open(&path).map_err(error)?)
            }
        };
        let end = file.metadata().map_err(error)?.len();
        // One call for the whole line: a reader never sees half of it, unless the disk is full.
        Ok(file.write_all(&line).map_err(|source| {
            let _ = file.set_len(end); // or the next line would go on with the half of this one
            error(source)
        })?)
    }

    /// Removes what is about to be done again by a run that goes on from a checkpoint of iteration `last`: later
    /// iterations, and the evaluation of `last`, which comes after its checkpoint; and lines that
    /// a crash cut off. The file is replaced durably, or not touched if there is nothing to remove.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn drop_metrics_after(&mut self, last: u64) -> Result<Dropped, RunDirError> {
        self.metrics = None; // the old file, once replaced, would swallow what is appended
        let path = self.path.join(METRICS);
        let Some(bytes) = read_log(&path)? else { return Ok(Dropped::default()) };
        let mut dropped = Dropped::default();
        let mut kept = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match serde_json::from_slice::<Line>(line) {
                Ok(Line { iter, val_loss }) if iter > last || (iter == last && val_loss.is_some()) => {
                    dropped.later += 1
                }
                Ok(_) if line.ends_with(b"\n") => kept.extend_from_slice(line),
                _ => dropped.unreadable += 1,
            }
        }
        if kept != bytes {
            write_file(&Disk, &path, &kept)?;
        }
        Ok(dropped)
    }
}
