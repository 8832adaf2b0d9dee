//! Makes a character tokenizer from a text file and encodes the file with it.
//!
//! ```text
//! cargo run -p data --example char_tokenizer -- TEXT_FILE OUTPUT_DIRECTORY
//! ```
//!
//! writes `tokenizer.json` and `ids.json`. tests/check_tokenizer.py compares them with what Hugging
//! Face's `tokenizers` library makes of the same file.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

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
    let [text_file, output_directory] = &arguments[..] else {
        return Err("usage: char_tokenizer TEXT_FILE OUTPUT_DIRECTORY".into());
    };
    let text = data::read_text(text_file)?;
    let tokenizer = data::CharTokenizer::from_text(&text)?;
    let ids = tokenizer.encode(&text)?;
    assert_eq!(tokenizer.decode(&ids)?, text);

    let output = Path::new(output_directory);
    fs::write(output.join("tokenizer.json"), tokenizer.to_json())?;
    fs::write(output.join("ids.json"), serde_json::to_string(&ids)?)?;
    println!("{} characters, {} distinct", ids.len(), tokenizer.vocab_size());
    Ok(())
}
