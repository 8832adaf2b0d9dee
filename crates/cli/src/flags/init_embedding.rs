//! `newleaf train --init-emb`: a token embedding that begins with word vectors.

use crate::commands::embed::{parse_format, read_vectors};
use crate::screen::failure::Failure;
use data::word_vectors::Format;
use gpt::config::Config;
use gpt::train::Trainer;
use nn::embed::{MAX_PCA_DIM, Projection, Transplant};
use random::{Rng, Stream};
use std::path::PathBuf;

/// The stream of random numbers for rows without a vector and for random projections: with or without word vectors,
/// the other weights begin the same.
const STREAM: Stream = Stream::Other(0x0065_6d62); // "emb"

/// The flags of `newleaf train` about word vectors. (How long the embedding then rests is a setting of the training:
/// `--freeze-emb`.)
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Word vectors")]
pub(crate) struct InitEmbedding {
    /// Begin the token embedding with the vectors of this file, matched by the tokens' text
    #[arg(long, hide_short_help = true, alias = "init_emb", value_name = "FILE")]
    init_emb: Option<PathBuf>,
    /// Its format: text, binary (both word2vec's) or glove [default: what it looks like]
    #[arg(long, hide_short_help = true, alias = "init_emb_format", value_name = "NAME", value_parser = parse_format, requires = "init_emb")]
    init_emb_format: Option<Format>,
    /// Scale the vectors to this standard deviation, or keep
    #[arg(long, hide_short_help = true, alias = "init_emb_std", requires = "init_emb", value_name = "X", default_value = "0.02", value_parser = parse_std)]
    init_emb_std: Std,
    /// Longer vectors are shortened by pca (their main axes) or random (axes)
    #[arg(long, hide_short_help = true, alias = "init_emb_projection", requires = "init_emb", value_name = "NAME", default_value = "pca", value_parser = parse_projection)]
    init_emb_projection: Projection,
}

/// The standard deviation of the rows; `None`: that of the file.
#[derive(Clone, Copy, Debug)]
struct Std(Option<f64>);

/// An embedding to begin with.
pub(crate) struct Start {
    transplant: Transplant,
}

impl InitEmbedding {
    /// Reads the file and makes the table for a model of this shape; `token` is the text of a token. Says on
    /// stderr how many tokens have a vector.
    ///
    /// # Errors
    /// If the file is none of vectors, or has none of the tokens.
    pub(crate) fn prepare(
        &self,
        config: &Config,
        token: impl Fn(u32) -> String,
    ) -> Result<Option<Start>, Failure> {
        let Some(path) = &self.init_emb else { return Ok(None) };
        let file = read_vectors(path, self.init_emb_format)?;
        let (vocab_size, n_embd, dim) = (config.model.vocab_size, config.model.n_embd, file.dim());
        if self.init_emb_projection == Projection::Pca && dim > n_embd && dim > MAX_PCA_DIM {
            return Err(Failure::input(format!(
                "{}: main axes are computed of vectors of at most {MAX_PCA_DIM} numbers, these have {dim}: \
                 use --init-emb-projection random",
                path.display()
            )));
        }
        let tokens: Vec<String> = (0..vocab_size as u32).map(token).collect();
        let rows: Vec<Option<&[f32]>> =
            tokens.iter().map(|token| Some(file.vector(file.index_of_token(token)?))).collect();
        let mut rng = Rng::new(config.train.seed, STREAM);
        let made =
            Transplant::new(&rows, dim, n_embd, self.init_emb_projection, self.init_emb_std.0, &mut rng);
        let Some(transplant) = made else {
            return Err(Failure::input(format!(
                "{}: expected vectors for the tokens of the model, such as {:?}, found none of the {vocab_size} among its {} \
                 words, such as {:?}: train vectors with the same tokens (newleaf embed train --tokenizer ...)",
                path.display(),
                tokens.iter().take(3).collect::<Vec<_>>(),
                file.len(),
                file.words().iter().take(3).collect::<Vec<_>>(),
            )));
        };
        if transplant.table.iter().any(|x| !x.is_finite()) {
            return Err(Failure::input(format!(
                "{}: its numbers are too small or too large to be scaled: {:.1e} in the vector of {:?}, expected numbers around \
                 1; use vectors that were trained, or leave --init-emb out",
                path.display(),
                rows.iter().flatten().flat_map(|row| row.iter()).fold(0.0, |max: f32, x| max.max(x.abs())),
                file.words().first().map_or("", |word| &word[..]),
            )));
        }
        let share = 100.0 * transplant.loaded as f64 / vocab_size as f64;
        eprintln!(
            "start: {}: vectors for {} of {vocab_size} tokens ({share:.1} %), the others random with standard deviation {:.4}",
            path.display(),
            transplant.loaded,
            transplant.std,
        );
        if dim != n_embd {
            let how =
                if dim > n_embd && self.init_emb_projection == Projection::Pca { "main" } else { "random" };
            eprintln!("start: {dim} numbers to {n_embd} on {how} axes");
        }
        Ok(Some(Start { transplant }))
    }
}

impl Start {
    /// Puts the table into a model that has not been trained yet.
    pub(crate) fn put(&self, trainer: &mut Trainer) {
        trainer.params.data_mut(trainer.model.wte.weight).copy_from_slice(&self.transplant.table);
    }
}

fn parse_std(text: &str) -> Result<Std, String> {
    if text == "keep" {
        return Ok(Std(None));
    }
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0 && *x <= 1e3);
    number.map(|x| Std(Some(x))).ok_or_else(|| "expected a number above 0, or keep".to_string())
}

fn parse_projection(text: &str) -> Result<Projection, String> {
    match text {
        "pca" => Ok(Projection::Pca),
        "random" => Ok(Projection::Random),
        _ => Err("expected pca or random".to_string()),
    }
}
