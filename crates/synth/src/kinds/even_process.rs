//! `even-process`: 0 and 1, the 1 in runs of even length. Method and floor: [`hmm`](crate::process::hmm).

use crate::family::hmm_stream::{HmmStream, inner_share};
use crate::params::share;
use crate::process::hmm::Hmm;
use crate::{Entry, Layout, ONE};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "even-process",
    aliases: &["even", "evenproc"],
    about: "0 and 1, the 1 in runs of even length: needs unbounded memory",
    layout: Layout::Stream,
    parameters: &[share("p", ONE / 2, "probability of a 0 where both are possible")],
    build: |params| {
        let hmm = Hmm::even_process(inner_share(params, "p")?);
        let (two, eight) = (hmm.conditional_entropy(2), hmm.conditional_entropy(8));
        let facts = vec![("nats_two_symbols_back", two), ("nats_eight_symbols_back", eight)];
        Ok(Box::new(HmmStream::new(hmm, ['0', '1'].into(), facts)))
    },
};
