//! A generated text in a few hundred bytes: how to make it, and what it must be then.
//!
//! `datasets/gen/NAME.json` holds one for each generator: parameters, seed and length, the sha256 of the
//! text, its floor in parts. A short text from the same seed is described too, so that a test can check
//! every generator on every machine in a moment.

use crate::{Entry, Format, Params, PartFloor, PartReport, Report, RunError, find, run};
use data::DataError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io;

/// The description of a generated text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the generator.
    pub generator: String,
    /// Values of all its parameters, as `--set` takes them.
    pub parameters: Map<String, Value>,
    /// The seed.
    pub seed: u64,
    /// The whole text.
    pub full: Extent,
    /// The short one.
    pub short: Extent,
    /// The floor in nats a counted symbol.
    pub floor_nats: f64,
    /// The mean cost of the counted symbols of the whole text.
    pub mean_nats: f64,
    /// Standard error of that mean.
    pub standard_error: Option<f64>,
    /// How the floor was found: `closed`, or `bounded` from both sides.
    pub method: String,
    /// How far off the floor can be, 0 if it is closed.
    pub floor_error: f64,
    /// The parts of the floor.
    pub parts: Vec<Part>,
    /// Other known numbers.
    pub facts: Map<String, Value>,
    /// How the text begins.
    pub sample: String,
}

/// A length and what comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// `--tokens`: documents are added until there are as many symbols.
    pub tokens: u64,
    /// Bytes of the text.
    pub bytes: u64,
    /// sha256 of the text, in hexadecimal.
    pub sha256: String,
}

/// A part of the floor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether its symbols count in the loss.
    pub counted: bool,
    /// Expected nats of it in a document (of a symbol of a stream).
    pub nats: f64,
    /// Expected symbols of it in a document (of a symbol of a stream).
    pub symbols: f64,
    /// The floor in nats a symbol.
    pub floor_nats: f64,
    /// The mean cost of its symbols in the whole text.
    pub mean_nats: f64,
}

/// Length of the short text.
const SHORT: u64 = 10_000;
/// Characters of the sample.
const SAMPLE: usize = 300;

impl Spec {
    /// Generates the text and describes it; `progress` is told how many symbols there are, and may end it.
    ///
    /// # Errors
    /// If the parameters do not go together, or `progress` fails.
    pub fn new(
        entry: &Entry,
        params: &Params,
        seed: u64,
        tokens: u64,
        mut progress: impl FnMut(u64) -> io::Result<()>,
    ) -> Result<Spec, RunError> {
        let mut text = Vec::new();
        let short = run(entry, params, seed, SHORT, Format::Text, &mut text, |_, _| Ok(()))?;
        let full = run(entry, params, seed, tokens, Format::Text, &mut io::sink(), |_, done| progress(done))?;
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        Ok(Spec {
            generator: entry.name.into(),
            parameters: params.to_json(),
            seed,
            short: sized(SHORT, &short),
            full: sized(tokens, &full),
            floor_nats: full.floor_nats,
            mean_nats: full.mean_nats,
            standard_error: full.standard_error,
            method: full.floor.method.name().into(),
            floor_error: full.floor.error(),
            parts: parts(&full),
            facts: full.facts.iter().map(|&(name, x)| (name.to_string(), x.into())).collect(),
            sample: text.chars().take(SAMPLE).collect(),
        })
    }

    /// The generator and the parameters that it names.
    ///
    /// # Errors
    /// If there is no such generator, or it has no such parameters.
    pub fn generator(&self) -> Result<(&'static Entry, Params), DataError> {
        let entry = find(&self.generator)?;
        let mut params = entry.defaults();
        for (name, value) in &self.parameters {
            params.set(name, value.as_str().unwrap_or_default())?;
        }
        Ok((entry, params))
    }
}

fn sized(tokens: u64, report: &Report) -> Extent {
    Extent { tokens, bytes: report.bytes, sha256: report.sha256.clone() }
}

fn parts(report: &Report) -> Vec<Part> {
    let part = |(floor, part): (&PartFloor, &PartReport)| Part {
        name: floor.name.into(),
        counted: floor.counted,
        nats: floor.nats,
        symbols: floor.symbols,
        floor_nats: part.floor_nats,
        mean_nats: part.mean_nats,
    };
    report.floor.parts.iter().zip(&report.parts).map(part).collect()
}
