//! Encodes many short texts with a tokenizer and says how long it took.
//!
//! ```text
//! cargo run --release -p data --example encode_lines -- TOKENIZER_DIRECTORY TEXTS.json IDS.json
//! ```
//!
//! reads a list of strings and writes a list of lists of ids. tests/check_bpe.py compares them with what
//! Hugging Face's `tokenizers` library gives, and the time (on stdout, in seconds) with its time.

use data::Tokenizer;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, texts, ids_file] = &arguments[..] else {
        return Err("usage: encode_lines TOKENIZER_DIRECTORY TEXTS.json IDS.json".into());
    };
    let tokenizer = Tokenizer::load(directory)?;
    let texts: Vec<String> = serde_json::from_slice(&fs::read(texts)?)?;
    let start = Instant::now();
    let mut encoder = tokenizer.encoder();
    let mut all = Vec::with_capacity(texts.len());
    for text in &texts {
        let mut ids = Vec::new();
        encoder.push(text, &mut ids)?;
        encoder.finish(&mut ids)?;
        all.push(ids);
    }
    println!("{}", start.elapsed().as_secs_f64());
    fs::write(ids_file, serde_json::to_string(&all)?)?;
    Ok(())
}
