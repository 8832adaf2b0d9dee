//! The endless stream of a hidden Markov model. Method and floor: [`hmm`](crate::process::hmm).

use crate::params::conflict;
use crate::process::hmm::Hmm;
use crate::{Document, Floor, Generator, Method, ONE, Params, STREAM_PIECE};
use data::DataError;
use random::{Rng, ln};

/// A share that is neither 0 nor 1: at the ends nothing is random.
pub(crate) fn inner_share(params: &Params, name: &'static str) -> Result<u64, DataError> {
    match params.get(name) {
        p if 0 < p && p < ONE => Ok(p),
        p => Err(conflict(
            &format!("the parameter {name}"),
            format!("{}", p / ONE),
            "more than 0 and less than 1",
            "set a share in between",
        )),
    }
}

/// The endless stream of a model.
pub(crate) struct HmmStream {
    hmm: Hmm,
    alphabet: Vec<char>,
    floor: Floor,
    facts: Vec<(&'static str, f64)>,
    /// State and belief; none before the first symbol.
    at: Option<(usize, Vec<f64>)>,
}

impl HmmStream {
    pub(crate) fn new(hmm: Hmm, alphabet: Vec<char>, facts: Vec<(&'static str, f64)>) -> HmmStream {
        const SYMBOLS_BACK: usize = 10; // 59,049 words of mess3
        let floor = match hmm.entropy_rate() {
            Some(h) => Floor::stream(h, Method::Closed),
            None => {
                let (below, above) = hmm.entropy_bounds(SYMBOLS_BACK);
                Floor::stream(0.5 * (below + above), Method::Bounded { error: 0.5 * (above - below) })
            }
        };
        HmmStream { hmm, alphabet, floor, facts, at: None }
    }

    /// A state from near the stationary distribution, and the belief of someone who has seen nothing.
    fn start(&self, rng: &mut Rng) -> (usize, Vec<f64>) {
        const FORGOTTEN: usize = 256;
        let state = (0..FORGOTTEN).fold(0, |state, _| self.hmm.draw(state, rng).1);
        (state, self.hmm.stationary().to_vec())
    }
}

impl Generator for HmmStream {
    fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    fn floor(&self) -> &Floor {
        &self.floor
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        self.facts.clone()
    }

    fn process(&self) -> Option<Hmm> {
        Some(self.hmm.clone())
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        // The first symbols cost more, because the state is not yet known; they are not counted.
        const START: usize = 64;
        let fresh = if self.at.is_none() { START } else { 0 };
        let (mut state, mut belief) = self.at.take().unwrap_or_else(|| self.start(rng));
        for t in 0..STREAM_PIECE {
            let (symbol, next) = self.hmm.draw(state, rng);
            let p = self.hmm.update(&mut belief, symbol);
            document.push(symbol, -ln(p), u8::from(t < fresh));
            state = next;
        }
        self.at = Some((state, belief));
    }
}
