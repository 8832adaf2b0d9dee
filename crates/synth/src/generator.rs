//! What a generator is: a line of the registry that makes a random process.

use crate::output::Layout;
use crate::params::{Param, Params};
use crate::process::{hmm::Hmm, oracle::Oracle};
use crate::{Document, Floor};
use data::DataError;
use random::Rng;

/// A generator in the list: its names, what it is, its parameters, and how to make one.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// Other names it is known by.
    pub aliases: &'static [&'static str],
    /// One line for the list.
    pub about: &'static str,
    /// What a document of it consists of.
    pub layout: Layout,
    /// Its parameters with their defaults.
    pub parameters: &'static [Param],
    /// Makes one; fails when the parameters do not go together.
    pub build: fn(&Params) -> Result<Box<dyn Generator>, DataError>,
}

impl Entry {
    /// The parameters as they are without `--set`.
    pub fn defaults(&self) -> Params {
        Params::new(self.parameters)
    }

    /// The parameters with some of them set, (name, value) as in `--set NAME=VALUE`.
    ///
    /// # Errors
    /// If there is no such parameter or it cannot be that.
    pub fn params(&self, set: &[(&str, &str)]) -> Result<Params, DataError> {
        let mut params = self.defaults();
        for (name, value) in set {
            params.set(name, value)?;
        }
        Ok(params)
    }
}

/// A random process: an endless supply of documents, each symbol with its exact cost.
pub trait Generator {
    /// The text of each symbol, in ascending order: the ids of a character tokenizer that saw them all.
    fn alphabet(&self) -> &[char];

    /// The best possible loss.
    fn floor(&self) -> &Floor;

    /// Other known numbers, such as the accuracy of the best classifier.
    fn facts(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// The process with its states, where they are finitely many and few.
    fn process(&self) -> Option<Hmm> {
        None
    }

    /// Someone who knows what a symbol costs also if more, or less, is seen than the symbols before it.
    fn oracle(&self) -> Option<Oracle> {
        self.process().map(|process| Oracle::new(&process))
    }

    /// Appends the next document, or the next [`STREAM_PIECE`](crate::STREAM_PIECE) symbols of a stream without end.
    fn append(&mut self, rng: &mut Rng, document: &mut Document);
}
