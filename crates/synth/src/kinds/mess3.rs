//! `mess3`: three states hidden behind three symbols. Method and floor: [`hmm`](crate::process::hmm).

use crate::document::plain_alphabet;
use crate::family::hmm_stream::{HmmStream, inner_share};
use crate::params::{conflict, share};
use crate::process::hmm::Hmm;
use crate::{Entry, Layout, ONE, Param, Params};
use data::DataError;

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "mess3",
    aliases: &["hmm", "hmm-mess3"],
    about: "three states hidden behind three symbols; the floor lies between two bounds",
    layout: Layout::Stream,
    parameters: PARAMS,
    build: |params| Ok(Box::new(HmmStream::new(mess3(params)?, plain_alphabet(3), Vec::new()))),
};

const PARAMS: &[Param] = &[
    share("x", 50_000, "probability of moving to each of the other states"),
    share("alpha", 850_000, "probability that a state emits its own symbol"),
];

fn mess3(params: &Params) -> Result<Hmm, DataError> {
    let (x, alpha) = (inner_share(params, "x")?, inner_share(params, "alpha")?);
    if x >= ONE / 2 {
        let found = params.probability("x").to_string();
        return Err(conflict(
            "the parameter x",
            found,
            "less than 0.5: it is there twice",
            "set a smaller share",
        ));
    }
    Ok(Hmm::mess3(x, alpha))
}
