//! `golden-mean`: 0 and 1, no two 0 in a row. Method and floor: [`hmm`](crate::process::hmm).

use crate::family::hmm_stream::{HmmStream, inner_share};
use crate::params::share;
use crate::process::hmm::Hmm;
use crate::{Entry, Layout, ONE};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "golden-mean",
    aliases: &["hmm-unifilar"],
    about: "0 and 1, no two 0 in a row",
    layout: Layout::Stream,
    parameters: &[share("p", ONE / 2, "probability of a 1 where both are possible")],
    build: |params| {
        let hmm = Hmm::golden_mean(inner_share(params, "p")?);
        let fair = hmm.shift_from(&Hmm::golden_mean(ONE / 2)).cross_entropy;
        Ok(Box::new(HmmStream::new(hmm, ['0', '1'].into(), vec![("nats_of_a_model_of_p_half", fair)])))
    },
};
