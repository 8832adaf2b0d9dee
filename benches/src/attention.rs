//! Attention on random inputs: what `benches/attention.rs` and the peer of PyTorch time.

use crate::samples;
use std::fmt;
use std::str::FromStr;
use tensor::kernels::attention::{Intervals, LADDER, Problem, Rung};
use tensor::{Accum, AlignedVec, Grad};

/// The sizes of one attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// B, the sequences of the batch.
    pub batch: usize,
    /// NH, the heads of queries.
    pub n_head: usize,
    /// NKV, the heads of keys and values. Divides NH.
    pub n_kv_head: usize,
    /// T, the positions of a sequence.
    pub time: usize,
    /// hs, the width of a head.
    pub head_size: usize,
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Its own and all before it.
    Causal,
    /// All of them.
    Bidirectional,
    /// The last so many up to its own.
    Window(usize),
    /// Causal inside of a document of so many positions; documents follow one another.
    Documents(usize),
}

/// One attention to be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// B, NH, NKV, T and hs.
    pub shape: Shape,
    /// Which keys a query sees.
    pub keys: Keys,
}

/// Floats of the queries, keys and values of the largest problem (half a GiB): each rung that is timed has about three times
/// that.
const LARGEST: usize = 1 << 27;

impl Shape {
    /// As many heads of keys and values as of queries: (B, NH, T, hs).
    #[must_use]
    pub const fn new(batch: usize, n_head: usize, time: usize, head_size: usize) -> Self {
        Self { batch, n_head, n_kv_head: n_head, time, head_size }
    }

    /// C, the width of the model.
    #[must_use]
    pub fn width(&self) -> usize {
        self.n_head * self.head_size
    }

    /// Queries, keys and values of one position: C + 2 NKV hs.
    #[must_use]
    pub fn row_width(&self) -> usize {
        (self.n_head + 2 * self.n_kv_head) * self.head_size
    }
}

/// `B,NH,NKV,T,hs`, or `B,NH,T,hs`, as tables show it where NKV is NH.
impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected B,NH,NKV,T,hs (or B,NH,T,hs where NKV is NH), positive whole numbers such as 1,6,2,4096,64; \
                 found {text:?}"
            )
        };
        let numbers: Result<Vec<usize>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        let numbers = numbers.map_err(|_| expected())?;
        let (batch, n_head, n_kv_head, time, head_size) = match numbers[..] {
            [batch, n_head, n_kv_head, time, head_size] => (batch, n_head, n_kv_head, time, head_size),
            [batch, n_head, time, head_size] => (batch, n_head, n_head, time, head_size),
            _ => return Err(expected()),
        };
        if numbers.contains(&0) {
            return Err(expected());
        }
        if !n_head.is_multiple_of(n_kv_head) {
            return Err(format!(
                "NKV must divide NH: each head of keys and values serves NH / NKV; found {text:?}"
            ));
        }
        let heads = n_head.checked_add(n_kv_head.saturating_mul(2));
        let floats = heads.and_then(|heads| {
            [batch, time, head_size].iter().try_fold(heads, |n, &size| n.checked_mul(size))
        });
        if floats.is_none_or(|floats| floats > LARGEST) {
            return Err(format!("B T (NH + 2 NKV) hs may be at most {LARGEST}; found {text:?}"));
        }
        Ok(Self { batch, n_head, n_kv_head, time, head_size })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, n_head, n_kv_head, time, head_size } = self;
        let heads = if n_kv_head == n_head { n_head.to_string() } else { format!("{n_head}/{n_kv_head}") };
        write!(f, "({batch}, {heads}, {time}, {head_size})")
    }
}

impl Keys {
    fn intervals(self, time: usize) -> Intervals {
        match self {
            Self::Causal => Intervals::causal(time),
            Self::Bidirectional => Intervals::bidirectional(time, time),
            Self::Window(window) => Intervals::sliding_window(time, window),
            Self::Documents(length) => {
                let lo = (0..time).map(|i| (i / length * length) as u32).collect();
                Intervals::new(lo, (1..=time as u32).collect(), time)
            }
        }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Causal => f.write_str("causal"),
            Self::Bidirectional => f.write_str("bidirectional"),
            Self::Window(window) => write!(f, "window {window}"),
            Self::Documents(length) => write!(f, "documents of {length}"),
        }
    }
}

impl Size {
    /// Pairs of a query and a key that it sees, in all heads and sequences.
    #[must_use]
    pub fn pairs(&self) -> f64 {
        let Shape { batch, n_head, time, .. } = self.shape;
        let intervals = self.keys.intervals(time);
        (0..time).map(|i| intervals.row(0, i).len() as f64).sum::<f64>() * (batch * n_head) as f64
    }

    /// Floating point operations of a forward: two products of hs for each pair.
    #[must_use]
    pub fn forward_flops(&self) -> f64 {
        4.0 * self.pairs() * self.shape.head_size as f64
    }

    /// Floating point operations of a backward: five such products.
    #[must_use]
    pub fn backward_flops(&self) -> f64 {
        2.5 * self.forward_flops()
    }

    /// A smaller stand-in, and the factor from its time to the whole's: T is at most `time`, there are at most two sequences,
    /// windows and documents are in proportion, and every rung's time grows with B T^2.
    #[must_use]
    pub fn small(&self, time: usize) -> (Self, f64) {
        let Shape { batch, time: whole, .. } = self.shape;
        let (small_batch, small_time) = (batch.min(2), whole.min(time));
        let part = |length: usize| (length * small_time).div_ceil(whole);
        let keys = match self.keys {
            Keys::Window(window) => Keys::Window(part(window)),
            Keys::Documents(length) => Keys::Documents(part(length)),
            keys => keys,
        };
        let times = whole as f64 / small_time as f64;
        let shape = Shape { batch: small_batch, time: small_time, ..self.shape };
        (Self { shape, keys }, batch as f64 / small_batch as f64 * times * times)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shape, self.keys)
    }
}

/// Inputs and room for all outputs, each aligned as the buffers of training are.
pub struct Attention {
    shape: Shape,
    intervals: Intervals,
    qkv: AlignedVec,
    lse: AlignedVec,
    dy: AlignedVec,
    /// The output, (B, T, C).
    pub y: AlignedVec,
    /// The gradient of the input, (B, T, C + 2 NKV hs).
    pub dqkv: AlignedVec,
}

impl Attention {
    /// Random queries, keys, values and gradient of the output.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let Size { shape, keys } = size;
        let positions = shape.batch * shape.time;
        Self {
            shape,
            intervals: keys.intervals(shape.time),
            qkv: samples::floats(positions * shape.row_width(), 1),
            lse: AlignedVec::zeros(positions * shape.n_head),
            dy: samples::floats(positions * shape.width(), 2),
            y: AlignedVec::zeros(positions * shape.width()),
            dqkv: AlignedVec::zeros(positions * shape.row_width()),
        }
    }

    /// Computes `y`.
    pub fn forward(&mut self, rung: Rung) {
        let Self { shape, intervals, qkv, lse, y, .. } = self;
        (rung.forward)(&problem(*shape, qkv, intervals), y, lse);
    }

    /// Computes `dqkv`; the forward came before.
    pub fn backward(&mut self, rung: Rung) {
        let Self { shape, intervals, qkv, lse, dy, y, dqkv } = self;
        let mut dqkv = Grad { to: dqkv, accum: Accum::Replace };
        (rung.backward)(&problem(*shape, qkv, intervals), y, lse, dy, &mut dqkv);
    }
}

fn problem<'a>(shape: Shape, qkv: &'a [f32], intervals: &'a Intervals) -> Problem<'a> {
    let Shape { batch, n_head, n_kv_head, time, head_size } = shape;
    Problem { qkv, batch, time, n_head, n_kv_head, head_size, intervals, dropout: None }
}

/// A rung by its name, or by a beginning of it that no other has.
///
/// # Errors
/// If there is none, or several; the message names them all.
pub fn rung(name: &str) -> Result<Rung, String> {
    let begin_so: Vec<Rung> = LADDER.iter().filter(|rung| rung.name.starts_with(name)).copied().collect();
    let exact = begin_so.iter().find(|rung| rung.name == name || begin_so.len() == 1);
    exact.copied().ok_or_else(|| {
        let known: Vec<_> = LADDER.iter().map(|rung| rung.name).collect();
        format!("expected one of {}, or the beginning of one alone", known.join(", "))
    })
}

/// The largest error of each of these rungs against the first of the ladder, in parts of the largest element of the output
/// and of the gradients.
///
/// # Errors
/// If one is above 10^-5 or NaN; the message names the rung.
pub fn errors(rungs: &[Rung], size: Size) -> Result<Vec<[f64; 2]>, String> {
    let computed = |rung: Rung| {
        let mut attention = Attention::new(size);
        attention.forward(rung);
        attention.backward(rung);
        attention
    };
    let reference = computed(LADDER[0]);
    let error = |rung: &Rung| {
        if rung.name == LADDER[0].name {
            return Ok([0.0; 2]);
        }
        let result = computed(*rung);
        let y = samples::difference(&result.y, &reference.y);
        let dqkv = samples::difference(&result.dqkv, &reference.dqkv);
        if y <= 1e-5 && dqkv <= 1e-5 {
            return Ok([y, dqkv]);
        }
        Err(format!(
            "{} is off by {y:.1e} (output) and {dqkv:.1e} (gradients) of the largest element at {size}, and nothing is timed: \
             1e-5 may be; see `cargo test -p tensor --test all attention::`",
            rung.name
        ))
    };
    rungs.iter().map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSAL: Size = Size { shape: Shape::new(3, 2, 70, 16), keys: Keys::Causal };

    #[test]
    fn all_rungs_pass_the_check() {
        let grouped = Shape { n_kv_head: 1, ..CAUSAL.shape };
        for keys in [Keys::Causal, Keys::Bidirectional, Keys::Window(9), Keys::Documents(32)] {
            assert_eq!(errors(LADDER, Size { shape: grouped, keys }).unwrap().len(), LADDER.len());
        }
    }

    /// What training gives to a kernel begins on a cache line.
    #[test]
    fn every_buffer_is_aligned_as_those_of_training() {
        for time in [64, 65, 70, 81] {
            let Attention { qkv, lse, dy, y, dqkv, .. } =
                Attention::new(Size { shape: Shape { time, ..CAUSAL.shape }, ..CAUSAL });
            for buffer in [qkv, lse, dy, y, dqkv] {
                assert_eq!(buffer.as_ptr().align_offset(64), 0, "T {time}");
            }
        }
    }

    #[test]
    fn a_wrong_rung_does_not_pass_it() {
        let zeros = Rung { name: "v4_wrong", backward: |_, _, _, _, dqkv| dqkv.to.fill(0.0), ..LADDER[0] };
        let message = errors(&[zeros], CAUSAL).unwrap_err();
        assert!(message.contains("v4_wrong is off by 0.0e0 (output) and 1.0e0 (gradients)"), "{message}");
        let nan = Rung { name: "v4_wrong", forward: |_, y, _| y.fill(f32::NAN), ..LADDER[0] };
        assert!(errors(&[nan], CAUSAL).unwrap_err().contains("off by NaN"));
    }

    #[test]
    fn shapes_are_read_or_refused_with_what_is_expected() {
        assert_eq!("1,6,2,4096,64".parse(), Ok(Shape { n_kv_head: 2, ..Shape::new(1, 6, 4096, 64) }));
        assert_eq!("1,6,4096,64".parse(), Ok(Shape::new(1, 6, 4096, 64)));
        let error = |text: &str| text.parse::<Shape>().unwrap_err();
        assert!(error("6,4096,64").contains("expected B,NH,NKV,T,hs"));
        assert!(error("1,6,0,4096,64").contains("positive"));
        assert!(error("1,6,4,4096,64").contains("divide"));
        assert!(error("1,6,6,99999999999,64").contains("at most"));
        assert!(error("1,18446744073709551615,1,1,1").contains("at most"));
    }

    #[test]
    fn the_beginning_of_a_rungs_name_is_enough() {
        for name in LADDER.iter().map(|rung| rung.name) {
            assert_eq!(rung(name).unwrap().name, name);
            assert_eq!(rung(name.split('_').next().unwrap()).unwrap().name, name);
        }
        for wrong in ["v", "", "v9", "v2_rowsy"] {
            assert!(rung(wrong).unwrap_err().contains("expected one of v0_naive, v1_intervals"), "{wrong}");
        }
    }

    #[test]
    fn work_is_what_is_seen() {
        let pairs = |keys| Size { shape: Shape::new(2, 3, 6, 4), keys }.pairs();
        let heads = 6.0;
        assert_eq!(pairs(Keys::Causal), heads * 21.0);
        assert_eq!(pairs(Keys::Bidirectional), heads * 36.0);
        assert_eq!(pairs(Keys::Window(2)), heads * 11.0);
        assert_eq!(pairs(Keys::Documents(4)), heads * (10.0 + 3.0));
    }

    #[test]
    fn a_small_one_stands_for_the_large_one() {
        let large = Size { shape: Shape::new(8, 6, 1024, 64), keys: Keys::Window(256) };
        let (small, times) = large.small(256);
        assert_eq!((small.shape, small.keys), (Shape::new(2, 6, 256, 64), Keys::Window(64)));
        assert_eq!(times, 64.0);
        assert_eq!(CAUSAL.small(256).1, 1.5);
    }
}
