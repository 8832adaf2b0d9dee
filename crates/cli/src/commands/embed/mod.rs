//! `newleaf embed`: word vectors, trained and asked.

use super::print;
use crate::screen::failure::Failure;
use data::DataError;
use data::word_vectors::{Format, WordVectors};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nn::embed::Neighbours;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

pub(crate) const ABOUT: &str = "Word vectors: a point for every word, words used alike near each other

  newleaf embed train --data my.txt --out vectors.txt
  newleaf embed near --vectors vectors.txt --word king
  newleaf embed analogy --vectors vectors.txt --a king --b man --c woman

They can be the start of a model's embedding: newleaf train --init-emb vectors.txt";

commands! {
    train,
    near,
    analogy,
}

/// A file of vectors to ask.
#[derive(Debug, clap::Args)]
struct VectorsArgs {
    /// The file with the vectors
    #[arg(long, value_name = "FILE")]
    vectors: PathBuf,
    /// text, binary (both word2vec's) or glove [default: what the file looks like]
    #[arg(long, value_name = "NAME", value_parser = parse_format)]
    format: Option<Format>,
}

/// Vectors with their directions.
struct Space {
    path: PathBuf,
    vectors: WordVectors,
    neighbours: Neighbours,
}

impl VectorsArgs {
    fn read(&self) -> Result<Space, Failure> {
        let vectors = read_vectors(&self.vectors, self.format)?;
        let neighbours = Neighbours::new(vectors.values(), vectors.dim());
        Ok(Space { path: self.vectors.clone(), vectors, neighbours })
    }
}

impl Space {
    fn word(&self, row: u32) -> &str {
        &self.vectors.words()[row as usize]
    }

    /// The row of a word that was asked for.
    fn index(&self, word: &str) -> Result<u32, Failure> {
        self.vectors.index(word).ok_or_else(|| {
            let lower = word.to_lowercase();
            let words = self.vectors.words().iter().map(String::as_str);
            let alike: Vec<&str> = words.filter(|other| other.to_lowercase() == lower).take(3).collect();
            let hint = match alike.is_empty() {
                true => format!("it has {} words, such as {}", self.vectors.len(), self.word(0)),
                false => format!("did you mean {}?", alike.join(", ")),
            };
            Failure::input(format!("{}: there is no vector for {word:?}: {hint}", self.path.display()))
        })
    }
}

/// Reads a file of vectors, with a bar: the published ones have a gigabyte.
pub(crate) fn read_vectors(path: &Path, format: Option<Format>) -> Result<WordVectors, DataError> {
    let bar = bar("MB of vectors read");
    let vectors = WordVectors::read_watched(path, format, |bytes, of| {
        bar.set_length(of >> 20);
        bar.set_position(bytes >> 20);
    });
    bar.finish_and_clear();
    vectors
}

/// A bar on a terminal, nothing elsewhere.
fn bar(what: &'static str) -> ProgressBar {
    let terminal = std::io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let style = "{bar:24} {pos}/{len} {msg} | {elapsed} elapsed, {eta} left";
    let style = ProgressStyle::with_template(style).expect("a valid template");
    ProgressBar::with_draw_target(Some(0), target).with_style(style).with_message(what)
}

/// The format of this name.
pub(crate) fn parse_format(name: &str) -> Result<Format, String> {
    match name {
        "text" => Ok(Format::Text),
        "binary" => Ok(Format::Binary),
        "glove" => Ok(Format::Glove),
        _ => Err("expected text, binary or glove".to_string()),
    }
}
