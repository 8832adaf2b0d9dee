//! What commands work with: texts and models, downloads, plans, signals.

pub(crate) mod checks;
pub(crate) mod corpus;
pub(crate) mod count_baseline;
pub(crate) mod download;
pub(crate) mod ending;
pub(crate) mod model;
pub(crate) mod output;
pub(crate) mod planning;
pub(crate) mod signals;
