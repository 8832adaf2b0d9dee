//! Generating: documents out, sums and a sha256 kept. Memory does not grow with the length.

use crate::kinds::find;
use crate::output::{Format, append};
use crate::{Document, Entry, Field, Floor, Layout, Measure, Params, PartFloor};
use data::DataError;
use random::{Rng, Stream};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// What was generated, and how its mean cost compares with the floor.
#[derive(Clone, Debug)]
pub struct Report {
    /// The floor in nats a counted symbol.
    pub floor_nats: f64,
    /// The mean cost of the counted symbols.
    pub mean_nats: f64,
    /// Standard error of that mean; none with fewer than two documents.
    pub standard_error: Option<f64>,
    /// The floor in full.
    pub floor: Floor,
    /// The same figures for each part.
    pub parts: Vec<PartReport>,
    /// Other known numbers.
    pub facts: Vec<(&'static str, f64)>,
    /// Symbols, counted or not.
    pub tokens: u64,
    /// Documents; pieces of 500 symbols of a stream.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// sha256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// Whether mean and floor agree within four standard errors, in sum and in every part.
    pub agrees: bool,
}

/// The figures of one part.
#[derive(Clone, Debug)]
pub struct PartReport {
    /// Its name.
    pub name: &'static str,
    /// Whether its symbols count.
    pub counted: bool,
    /// The floor in nats a symbol of the part.
    pub floor_nats: f64,
    /// The mean cost of its symbols.
    pub mean_nats: f64,
    /// Standard error of that mean.
    pub standard_error: Option<f64>,
    /// How many symbols it has.
    pub tokens: u64,
}

/// Four standard errors: chance exceeds them once in 16,000 times.
const LIMIT: f64 = 4.0;

/// Generates documents until there are `tokens` symbols, and writes them. A stream is cut there exactly,
/// a document is finished. `observe` sees every document and the number of symbols so far.
///
/// The same arguments write the same bytes everywhere.
///
/// # Errors
/// If the parameters do not go together ([`DataError`]), or `out` or `observe` fails ([`io::Error`]).
pub fn run(
    entry: &Entry,
    params: &Params,
    seed: u64,
    tokens: u64,
    format: Format,
    out: &mut dyn Write,
    mut observe: impl FnMut(&Document, u64) -> io::Result<()>,
) -> Result<Report, RunError> {
    let mut generator = (entry.build)(params)?;
    let mut rng = Rng::new(seed, Stream::Data);
    let mut sums = Sums::new(generator.floor().clone());
    let (mut document, mut text) = (Document::default(), String::new());
    while sums.tokens < tokens {
        document.clear();
        generator.append(&mut rng, &mut document);
        if entry.layout == Layout::Stream {
            document.truncate(usize::try_from(tokens - sums.tokens).unwrap_or(usize::MAX));
        }
        text.clear();
        append(entry.layout, format, generator.alphabet(), &document, &mut text);
        out.write_all(text.as_bytes())?;
        sums.add(&document, text.as_bytes());
        observe(&document, sums.tokens)?;
    }
    out.flush()?;
    Ok(sums.report(generator.facts()))
}

/// A generated text in memory, with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The symbols: (T,)
    pub symbols: Vec<u32>,
    /// -ln p of each: (T,), nats
    pub nats: Vec<f64>,
    /// Whether each counts in the loss: (T,)
    pub counted: Vec<bool>,
    /// The text of each symbol.
    pub alphabet: Vec<char>,
    /// The best possible loss, in nats a counted symbol.
    pub floor_nats: f64,
}

impl Sample {
    /// The text.
    pub fn text(&self) -> String {
        self.symbols.iter().map(|&symbol| self.alphabet[symbol as usize]).collect()
    }
}

/// A text of `tokens` symbols (documents are finished) from the generator of this name, for experiments and tests:
/// the same symbols as `newleaf synth NAME --tokens .. --seed .. --set ..` writes.
///
/// ```
/// let sample = synth::sample("golden-mean", &[("p", "0.7")], 1, 5000)?;
/// assert_eq!(sample.symbols.len(), 5000);
/// assert!(!sample.text().contains("00"));
/// # Ok::<(), data::DataError>(())
/// ```
///
/// # Errors
/// If there is no such generator or parameter, or the parameters do not go together.
pub fn sample(name: &str, set: &[(&str, &str)], seed: u64, tokens: u64) -> Result<Sample, DataError> {
    let entry = find(name)?;
    let params = entry.params(set)?;
    let generator = (entry.build)(&params)?;
    let parts = &generator.floor().parts;
    let (mut symbols, mut nats, mut counted) = (Vec::new(), Vec::new(), Vec::new());
    let keep = |document: &Document, _| {
        symbols.extend(&document.symbols);
        nats.extend(&document.nats);
        counted.extend(document.parts.iter().map(|&part| parts[usize::from(part)].counted));
        Ok(())
    };
    match run(entry, &params, seed, tokens, Format::Text, &mut io::sink(), keep) {
        Err(RunError::Data(error)) => Err(error),
        Err(RunError::Output(error)) => unreachable!("a sink takes everything: {error}"),
        Ok(report) => {
            let (alphabet, floor_nats) = (generator.alphabet().to_vec(), report.floor_nats);
            Ok(Sample { symbols, nats, counted, alphabet, floor_nats })
        }
    }
}

/// The documents of a generator without end, each as its fields with their texts; none of them if it has no documents.
///
/// ```
/// use synth::{Field, documents};
/// let review = documents("sentiment", &[("language", "en")], 1)?.next().unwrap();
/// assert_eq!(review.iter().map(|(field, _)| *field).collect::<Vec<_>>(), [Field::Text, Field::Label]);
/// # Ok::<(), data::DataError>(())
/// ```
///
/// # Errors
/// If there is no such generator or parameter, or the parameters do not go together.
pub fn documents(
    name: &str,
    set: &[(&str, &str)],
    seed: u64,
) -> Result<impl Iterator<Item = Vec<(Field, String)>> + use<>, DataError> {
    let entry = find(name)?;
    let mut generator = (entry.build)(&entry.params(set)?)?;
    let (mut rng, mut document) = (Rng::new(seed, Stream::Data), Document::default());
    let next = move || {
        document.clear();
        generator.append(&mut rng, &mut document);
        document.field_texts(generator.alphabet())
    };
    Ok(std::iter::repeat_with(next).take_while(|fields| !fields.is_empty()))
}

/// What can go wrong with a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The parameters do not go together.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// What is kept of the documents.
struct Sums {
    floor: Floor,
    counted: Measure,
    parts: Vec<Measure>,
    tokens: u64,
    documents: u64,
    bytes: u64,
    sha256: Sha256,
}

impl Sums {
    fn new(floor: Floor) -> Sums {
        Sums {
            counted: Measure::new(floor.nats_per_symbol()),
            parts: floor.parts.iter().map(|part| Measure::new(part.nats_per_symbol())).collect(),
            floor,
            tokens: 0,
            documents: 0,
            bytes: 0,
            sha256: Sha256::new(),
        }
    }

    fn add(&mut self, document: &Document, bytes: &[u8]) {
        let mut sums = vec![(0.0, 0.0); self.parts.len()];
        for (&part, &nats) in document.parts.iter().zip(&document.nats) {
            let (sum, symbols) = &mut sums[usize::from(part)];
            *sum += nats;
            *symbols += 1.0;
        }
        let mut counted = (0.0, 0.0);
        for ((part, measure), (nats, symbols)) in self.floor.parts.iter().zip(&mut self.parts).zip(sums) {
            measure.add(nats, symbols);
            if part.counted {
                counted = (counted.0 + nats, counted.1 + symbols);
            }
        }
        self.counted.add(counted.0, counted.1);
        self.tokens += document.symbols.len() as u64;
        self.documents += 1;
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    fn report(self, facts: Vec<(&'static str, f64)>) -> Report {
        let parts = self.floor.parts.iter().zip(&self.parts);
        let report = |(part, measure): (&PartFloor, &Measure)| PartReport {
            name: part.name,
            counted: part.counted,
            floor_nats: part.nats_per_symbol(),
            mean_nats: measure.mean(),
            standard_error: measure.standard_error(),
            tokens: measure.symbols() as u64,
        };
        let (floor_nats, error) = (self.floor.nats_per_symbol(), self.floor.error());
        // The start of a stream has no floor: it comes once.
        let part_agrees = |(part, measure): (&PartFloor, &Measure)| {
            part.symbols == 0.0 || measure.agrees_with(part.nats_per_symbol(), error, LIMIT)
        };
        Report {
            floor_nats,
            mean_nats: self.counted.mean(),
            standard_error: self.counted.standard_error(),
            agrees: self.counted.agrees_with(floor_nats, error, LIMIT) && parts.clone().all(part_agrees),
            parts: parts.map(report).collect(),
            facts,
            tokens: self.tokens,
            documents: self.documents,
            bytes: self.bytes,
            sha256: hexadecimal(&self.sha256.finalize()),
            floor: self.floor,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
