//! `newleaf embed`: word vectors, trained and asked.

use super::print;

mod vectors;

use vectors::{Space, VectorsArgs, bar};
pub(crate) use vectors::{parse_format, read_vectors};

pub(crate) const ABOUT: &str = "Train word vectors, and ask them

  newleaf embed train --data my.txt --out vectors.txt
  newleaf embed near --vectors vectors.txt --word king
  newleaf embed analogy --vectors vectors.txt --a king --b man --c woman

They can be the start of a model's embedding: newleaf train --init-emb vectors.txt";

commands! {
    train,
    near,
    analogy,
}
