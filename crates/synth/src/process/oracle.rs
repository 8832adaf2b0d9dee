//! The best possible loss on an example of any objective, token by token.
//!
//! A generator says what each symbol costs someone who has seen those before it. With other objectives other
//! things are seen: both sides of a gap, a token that may be wrong, the spans filled in so far. For a process with
//! finitely many states ([`Hmm`]) the answer is exact all the same, by going forward and backward over the states.
//! With e_t(x) the probability of what shows at place t if the symbol there is x, and T_x(i, j) that of going from
//! state i to j with the symbol x,
//!
//! alpha_0 = pi,   alpha_(t+1)(j) = sum_x e_t(x) sum_i alpha_t(i) T_x(i, j)
//! beta_n = 1,     beta_t(i) = sum_x e_t(x) sum_j T_x(i, j) beta_(t+1)(j)
//!
//! p(x_t = x | all that shows) is proportional to e_t(x) sum_ij alpha_t(i) T_x(i, j) beta_(t+1)(j).
//!
//! e_t(x) is 1 or 0 for a token that shows, 1 for a hidden one, and for the replacements of BERT what
//! [`Seen::Doubtful`] says. Answers given before (in `clm`, `span`, `glm`) show from then on.
//!
//! Lines of a grammar are such a process too, if what hardly ever occurs is left out (`pushdown.rs`).
//!
//! Rabiner, A tutorial on hidden Markov models (1989). The means of these costs are the closed forms of
//! [`objectives`](super::objectives), where there are any; the tests compare them.

use super::hmm::{self, Hmm};
use data::Example;
use data::objective::{Puzzle, Question, Seen, Task};
use random::ln;

/// Someone who knows the process that wrote the text.
///
/// ```
/// use synth::find;
/// use data::objective::{Objective, ObjectiveSettings, Vocabulary};
/// use random::{Rng, Stream};
///
/// let entry = find("golden-mean")?; // 0 and 1, no two 0 in a row
/// let oracle = (entry.build)(&entry.defaults())?.oracle().expect("it has two states");
/// let (objective, vocabulary) = ("mlm".parse::<Objective>()?, Vocabulary::new(3, [("[MASK]", 2)])?);
/// let corruptor = objective.resolve(&ObjectiveSettings::default(), &vocabulary, 8)?;
/// let example = corruptor.example(0, &[1, 0, 1, 1, 0, 1, 1, 1], &mut Rng::new(1, Stream::Other(0)));
/// let nats = oracle.nats(&*corruptor.tasks()[0], &example).expect("mlm has an exact answer");
/// assert!(nats.iter().zip(&example.weights).all(|(&nats, &weight)| nats >= 0.0 && (weight > 0.0 || nats == 0.0)));
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Oracle {
    edges: Vec<Edge>,
    stationary: Vec<f64>,
}

/// T_symbol(from, to) = p.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) symbol: u32,
    pub(super) to: usize,
    pub(super) p: f64,
}

/// What is seen of the rest of the text by who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sides {
    Both,
    Left,
}

impl Oracle {
    /// The oracle of a process whose symbols are the tokens 0, 1, 2, ...
    pub fn new(process: &Hmm) -> Oracle {
        let edge =
            |(from, edge, p): (usize, &hmm::Edge, f64)| Edge { from, symbol: edge.symbol, to: edge.next, p };
        Oracle::of_edges(process.edges().map(edge).collect(), process.stationary().to_vec())
    }

    /// The oracle of a process with these edges, and this probability of each state far from the start.
    pub(super) fn of_edges(mut edges: Vec<Edge>, stationary: Vec<f64>) -> Oracle {
        edges.retain(|edge| edge.p > 0.0);
        Oracle { edges, stationary }
    }

    /// -ln p of the label of every position, given all that the objective lets one see, in nats: (T,). 0 for
    /// labels that do not count, and for those that the layout of the row determines, such as the sentinels
    /// of spans of equal length. The text is a piece from anywhere in the stream: nothing is known before it.
    ///
    /// `None` if the objective has no exact answer ([`Task::puzzle`]), or the process cannot have written the text.
    pub fn nats(&self, task: &dyn Task, example: &Example) -> Option<Vec<f64>> {
        self.answer(task, example, Sides::Both)
    }

    /// [`Oracle::nats`] for a model that sees nothing to the right of a token that is asked: what masked tokens
    /// cost under a causal mask.
    pub fn nats_from_left(&self, task: &dyn Task, example: &Example) -> Option<Vec<f64>> {
        self.answer(task, example, Sides::Left)
    }

    fn answer(&self, task: &dyn Task, example: &Example, sides: Sides) -> Option<Vec<f64>> {
        let mut puzzle = task.puzzle(example)?;
        let mut nats = vec![0.0; example.ids.len()];
        let asked = std::mem::take(&mut puzzle.asked);
        let runs = asked.chunk_by(|a, b| puzzle.reveals && a.place + 1 == b.place);
        let runs: Vec<&[Question]> = if puzzle.reveals { runs.collect() } else { vec![&asked] };
        for run in runs {
            self.answer_run(&mut puzzle, run, example, sides, &mut nats)?;
        }
        Some(nats)
    }

    /// Answers questions in ascending order of place, after which what shows to the right of each is as before.
    fn answer_run(
        &self,
        puzzle: &mut Puzzle,
        run: &[Question],
        example: &Example,
        sides: Sides,
        nats: &mut [f64],
    ) -> Option<()> {
        let beta = self.backward(&puzzle.seen, sides)?;
        let (mut alpha, mut at) = (self.stationary.clone(), 0);
        for question in run {
            for seen in &puzzle.seen[at..question.place] {
                alpha = self.forward(&alpha, seen)?;
            }
            at = question.place;
            let label = example.labels[question.position];
            let (mut right, mut all) = (0.0, 0.0);
            for edge in &self.edges {
                let p =
                    alpha[edge.from] * edge.p * beta[at + 1][edge.to] * evidence(&question.seen, edge.symbol);
                all += p;
                right += if edge.symbol == label { p } else { 0.0 };
            }
            if !(right > 0.0 && right.is_normal() && all.is_normal()) {
                return None;
            }
            nats[question.position] = (ln(all) - ln(right)).max(0.0);
            if puzzle.reveals {
                puzzle.seen[at] = Seen::Token(label);
            }
        }
        Some(())
    }

    /// alpha after one more place, made to add up to 1; `None` if what shows is impossible.
    fn forward(&self, alpha: &[f64], seen: &Seen) -> Option<Vec<f64>> {
        let mut after = vec![0.0; alpha.len()];
        for edge in &self.edges {
            after[edge.to] += alpha[edge.from] * edge.p * evidence(seen, edge.symbol);
        }
        normalised(after)
    }

    /// beta at every place and after the last, each made to add up to 1.
    fn backward(&self, seen: &[Seen], sides: Sides) -> Option<Vec<Vec<f64>>> {
        let states = self.stationary.len();
        let mut beta = vec![vec![1.0; states]; seen.len() + 1];
        if sides == Sides::Left {
            return Some(beta);
        }
        for (t, seen) in seen.iter().enumerate().rev() {
            let mut before = vec![0.0; states];
            for edge in &self.edges {
                before[edge.from] += edge.p * beta[t + 1][edge.to] * evidence(seen, edge.symbol);
            }
            beta[t] = normalised(before)?;
        }
        Some(beta)
    }
}

/// e(x): the probability of what shows, if the symbol is x.
fn evidence(seen: &Seen, symbol: u32) -> f64 {
    match *seen {
        Seen::Token(token) => f64::from(token == symbol),
        Seen::Hidden => 1.0,
        Seen::Doubtful { token, if_right, if_wrong } => {
            if token == symbol {
                if_right
            } else {
                if_wrong
            }
        }
    }
}

fn normalised(mut p: Vec<f64>) -> Option<Vec<f64>> {
    let sum: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= sum);
    sum.is_normal().then_some(p)
}
