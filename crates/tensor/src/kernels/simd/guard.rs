//! Every kernel on slices that end, or begin, at a page that nobody may touch.
//!
//! A kernel that reads one float too far usually gets away with it: there is other memory of the process.
//! Here there is none, and the processor ends the test at that instruction with a signal. What stays
//! inside of the page is found too: on the open side of each slice lie NaNs that must neither be changed
//! nor reach a result, and every result has the same bits as on ordinary memory, on every path.
//!
//! The walk over all kernels runs in a process of its own: so the test outlives the signal and can say at which
//! kernel it came, and no other test sees the paths change ([`Path::force`] is for the whole process).
//!
//! What the kernels pack into scratch memory of their own is not guarded in this way. Only the tile kernels
//! read it through pointers, and they are run on guarded operands of their own (`products`).

use super::product::{From, Left, Product, Right};
use super::{Kernel, Path, Simd, dispatch, int8};
use crate::kernels::attention::{self, Dropout, Intervals, Problem};
use crate::kernels::cross_entropy::{Targets, cross_entropy_backward, cross_entropy_forward};
use crate::kernels::feed_forward::{
    Activation, WeightGrads, Weights, activate, feed_forward_backward, feed_forward_forward,
};
use crate::kernels::gemm::{Init, Mat, gemm};
use crate::kernels::int8::{Int8Matrix, Int16Vector, matvec_int8};
use crate::kernels::layer_norm::{layer_norm_backward, layer_norm_forward, layer_norm_scratch};
use crate::kernels::rms_norm::{rms_norm_backward, rms_norm_forward, rms_norm_scratch};
use crate::kernels::{broadcast, columns, embedding, mask, matvec, parallel, rows, softmax, vmath};
use crate::op::{Accum, Grad, View};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;
use std::ptr;

/// At which end of a slice the forbidden page lies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Behind,
    Before,
}

/// Numbers for which any bits are a value.
trait Word: Copy {
    fn bits(self) -> u64;
}

macro_rules! words {
    ($($word:ty: $bits:expr;)*) => {
        $(impl Word for $word {
            fn bits(self) -> u64 {
                $bits(self)
            }
        })*
    };
}

words! {
    f32: |x: f32| u64::from(x.to_bits());
    u32: u64::from;
    i8: |x| x as u64;
    i16: |x| x as u64;
    i64: |x| x as u64;
}

/// What lies on the open side of a slice: four of it are a NaN as a float, and no row of any table as an index.
const MARK: u8 = 0xff;
/// How many marks: more than any vector or tile is wide.
const MARKS: usize = 256;
/// How many floats a slice may have.
const CAPACITY: usize = 1 << 17;

/// Memory for one slice between two pages without access.
struct Guarded {
    mapping: *mut u8,
    page: usize,
    inner: usize, // bytes between the two pages
}

impl Guarded {
    fn new() -> Self {
        // SAFETY: this asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).expect("the size of a page");
        let inner = (size_of::<f32>() * CAPACITY + MARKS).next_multiple_of(page);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: new memory, where the system likes.
        let mapping = unsafe { libc::mmap(ptr::null_mut(), inner + 2 * page, libc::PROT_NONE, flags, -1, 0) };
        assert!(mapping != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        // SAFETY: these pages lie inside of the mapping just made, and nobody has a reference to them.
        let opened =
            unsafe { libc::mprotect(mapping.byte_add(page), inner, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(opened, 0, "mprotect: {}", std::io::Error::last_os_error());
        Self { mapping: mapping.cast(), page, inner }
    }

    /// Where a slice of so many bytes begins, and where its marks do, from the mapping's start.
    fn places(&self, bytes: usize, side: Side) -> (usize, usize) {
        assert!(bytes + MARKS <= self.inner, "a slice of {bytes} bytes");
        let (front, rear) = (self.page, self.page + self.inner);
        match side {
            Side::Behind => (rear - bytes, rear - bytes - MARKS),
            Side::Before => (front, front + bytes),
        }
    }

    /// A copy of these values with a forbidden page on one side, and marks on the other.
    fn place<T: Word>(&mut self, values: &[T], side: Side) -> &mut [T] {
        let (start, marks) = self.places(size_of_val(values), side);
        // SAFETY: both lie between the two pages and do not overlap; multiples of T's size from a page's ends are
        // aligned for T; any bits are a T; and `self` is borrowed for as long as the slice lives.
        unsafe {
            let slice = self.mapping.add(start).cast::<T>();
            ptr::copy_nonoverlapping(values.as_ptr(), slice, values.len());
            self.mapping.add(marks).write_bytes(MARK, MARKS);
            std::slice::from_raw_parts_mut(slice, values.len())
        }
    }

    /// Whether nobody wrote on the open side of a slice of so many bytes.
    fn marks_are_whole(&self, bytes: usize, side: Side) -> bool {
        let (_, marks) = self.places(bytes, side);
        // SAFETY: between the two pages, and written by `place`.
        let marks = unsafe { std::slice::from_raw_parts(self.mapping.add(marks), MARKS) };
        marks.iter().all(|mark| *mark == MARK)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, to which no reference is left.
        unsafe { libc::munmap(self.mapping.cast(), self.inner + 2 * self.page) };
    }
}

/// Runs kernels on ordinary and on guarded memory.
struct Bench {
    guards: Vec<Guarded>,
    normals: Vec<f32>,
    drawn: usize,
    kernel: &'static str,
    results: DefaultHasher,
}

impl Bench {
    fn new() -> Self {
        let mut rng = random::Rng::new(1, random::Stream::Other(2));
        Self {
            guards: (0..16).map(|_| Guarded::new()).collect(),
            normals: (0..CAPACITY).map(|_| rng.normal()).collect(),
            drawn: 0,
            kernel: "",
            results: DefaultHasher::new(),
        }
    }

    /// Normal numbers, the same ones on every path.
    fn normals(&mut self, len: usize) -> Vec<f32> {
        if self.drawn + len > self.normals.len() {
            self.drawn = 0;
        }
        self.drawn += len;
        self.normals[self.drawn - len..self.drawn].to_vec()
    }

    /// Runs a kernel on ordinary memory, then with each of its slices before and behind a forbidden page.
    fn check<const I: usize, const O: usize>(
        &mut self,
        inputs: [Vec<f32>; I],
        ids: &[u32],
        outputs: [Vec<f32>; O],
        run: impl Fn([&[f32]; I], &[u32], [&mut [f32]; O]),
    ) {
        let expected = self.check_one_path(inputs, ids, outputs, run);
        expected.iter().flatten().for_each(|y| y.to_bits().hash(&mut self.results));
    }

    /// The same for inputs or outputs that differ between paths.
    fn check_one_path<const I: usize, const O: usize>(
        &mut self,
        inputs: [Vec<f32>; I],
        ids: &[u32],
        outputs: [Vec<f32>; O],
        run: impl Fn([&[f32]; I], &[u32], [&mut [f32]; O]),
    ) -> [Vec<f32>; O] {
        let mut expected = outputs.clone();
        run(inputs.each_ref().map(|x| &x[..]), ids, expected.each_mut().map(|y| &mut y[..]));
        let kernel = self.kernel;
        let lengths: Vec<usize> = inputs.iter().chain(&outputs).map(Vec::len).chain([ids.len()]).collect();
        for side in [Side::Behind, Side::Before] {
            let mut guards = self.guards.iter_mut();
            let mut guard = || guards.next().expect("a guard for each slice");
            let x = inputs.each_ref().map(|x| &*guard().place(x, side));
            let mut y = outputs.each_ref().map(|y| guard().place(y, side));
            let guarded_ids = guard().place(ids, side);
            run(x, guarded_ids, y.each_mut().map(|y| &mut **y));
            for (n, (found, expected)) in y.iter().zip(&expected).enumerate() {
                assert!(same(found, expected), "{kernel}, lengths {lengths:?}: output {n}, guard {side:?}");
            }
            let untouched = x.iter().zip(&inputs).all(|(now, before)| same(now, before));
            assert!(untouched && same(guarded_ids, ids), "{kernel}, lengths {lengths:?}: inputs changed");
            for (guard, &len) in self.guards.iter().zip(&lengths) {
                let whole = guard.marks_are_whole(4 * len, side);
                assert!(whole, "{kernel}, lengths {lengths:?}: written outside, guard {side:?}");
            }
        }
        expected
    }
}

fn same<T: Word>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.bits() == b.bits())
}

const ACCUMS: [Accum; 2] = [Accum::Replace, Accum::Add];

/// Three vectors and every tail: as the end of a slice is fixed, all sixteen alignments of its start too.
fn tails() -> std::ops::RangeInclusive<usize> {
    0..=49
}

/// The widths of rows: the tails, and both sides of a block of the sums that are carried to f64.
fn widths() -> impl Iterator<Item = usize> {
    (1..=49).chain([1008, 1023, 1024, 1025, 1047])
}

/// How to run the kernels of these names.
struct Case {
    names: &'static [&'static str],
    run: fn(&mut Bench),
}

/// Every kernel.
const CASES: &[Case] = &[
    Case { names: &["simd::product", "simd::tile"], run: products },
    Case { names: &["gemm::gemm"], run: gemms },
    Case { names: &["matvec::matvec"], run: matvecs },
    Case { names: &["int8::matvec_int8", "simd::int8"], run: int8_products },
    Case { names: &["attention::v0_naive::forward", "attention::v0_naive::backward"], run: attention_v0 },
    Case {
        names: &["attention::v1_intervals::forward", "attention::v1_intervals::backward"],
        run: attention_v1,
    },
    Case { names: &["attention::v2_rows::forward", "attention::v2_rows::backward"], run: attention_v2 },
    Case { names: &["attention::v3_blocked::forward", "attention::v3_blocked::backward"], run: attention_v3 },
    Case { names: &["attention::decode::decode"], run: decodes },
    Case {
        names: &[
            "feed_forward::feed_forward_forward",
            "feed_forward::feed_forward_backward",
            "feed_forward::activate",
        ],
        run: feed_forwards,
    },
    Case { names: &["layer_norm::layer_norm_forward", "layer_norm::layer_norm_backward"], run: layer_norms },
    Case { names: &["rms_norm::rms_norm_forward", "rms_norm::rms_norm_backward"], run: rms_norms },
    Case { names: &["softmax::softmax_forward", "softmax::softmax_backward"], run: softmaxes },
    Case {
        names: &["cross_entropy::cross_entropy_forward", "cross_entropy::cross_entropy_backward"],
        run: cross_entropies,
    },
    Case {
        names: &[
            "embedding::gather_rows",
            "embedding::gather_rows_with_positions",
            "embedding::scatter_rows",
        ],
        run: embeddings,
    },
    Case { names: &["columns::sum_rows", "rows::add_partials"], run: sums_of_rows },
    Case { names: &["vmath::map", "vmath::add_assign", "vmath::scale"], run: maps },
    Case { names: &["vmath::sum_of_squares"], run: sums_of_squares },
    Case { names: &["mask::apply"], run: masks },
    Case { names: &["broadcast::zip", "broadcast::reduce"], run: broadcasts },
];

/// Functions on slices of floats that are no kernels: they only cut.
const NO_KERNELS: &[&str] = &["parallel::for_each_chunk"];

/// How the operands of [`Product`] lie.
#[derive(Clone, Copy)]
struct Layout {
    a_transposed: bool,
    b_in_panels: bool,
    gap: usize, // beyond the end of each row, in floats
}

/// A product of operands that are as short as [`Product`] allows.
struct Multiply<'a> {
    sizes: [usize; 3], // rows, columns, depth
    layout: Layout,
    a: &'a [f32],
    b: &'a [f32],
    from: From<'a>,
    c: &'a mut [f32],
}

impl Multiply<'_> {
    /// The shortest lengths of A, B and C for tiles of `width` columns.
    fn lengths([rows, columns, depth]: [usize; 3], layout: Layout, width: usize) -> [usize; 3] {
        let padded = columns.next_multiple_of(width);
        let a = if layout.a_transposed { [depth, rows] } else { [rows, depth] };
        let b = if layout.b_in_panels { padded * depth } else { extent(depth, padded + layout.gap, padded) };
        let a = if depth == 0 { 0 } else { extent(a[0], a[1] + layout.gap, a[1]) };
        [a, b, extent(rows, columns + layout.gap, columns)]
    }
}

/// The length of `rows` rows of `width` floats, `stride` floats apart.
fn extent(rows: usize, stride: usize, width: usize) -> usize {
    if rows == 0 { 0 } else { (rows - 1) * stride + width }
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sizes: [rows, columns, depth], layout, a, b, from, c } = self;
        let a = if layout.a_transposed {
            Left::transposed(s, a, rows + layout.gap)
        } else {
            Left::rows(s, a, depth + layout.gap)
        };
        let b = if layout.b_in_panels {
            Right::panels(s, b, depth)
        } else {
            Right::rows(s, b, columns.next_multiple_of(S::TILE.1) + layout.gap)
        };
        Product { rows, columns, depth, a, b }.run(s, from, c, columns + layout.gap);
    }
}

/// The columns of a tile.
struct TileWidth;

impl Kernel for TileWidth {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::TILE.1
    }
}

/// The tile kernels: every number of rows and columns of a tile, alone and after whole tiles.
fn products(bench: &mut Bench) {
    let width = dispatch(TileWidth);
    for rows in 1..=25 {
        for columns in 1..=65 {
            let depth = (rows * 3 + columns) % 5;
            let sizes = [rows, columns, depth];
            for variant in 0..12 {
                let layout = Layout {
                    a_transposed: variant % 2 == 1,
                    b_in_panels: variant / 2 % 2 == 1,
                    gap: (rows + columns) % 3,
                };
                let [a, b, c] = Multiply::lengths(sizes, layout, width).map(|len| bench.normals(len));
                let bias = bench.normals(columns);
                bench.check_one_path([a, b, bias], &[], [c], |[a, b, bias], _, [c]| {
                    let from = [From::Zero, From::Bias(bias), From::C][variant / 4];
                    dispatch(Multiply { sizes, layout, a, b, from, c });
                });
            }
        }
    }
}

fn gemms(bench: &mut Bench) {
    // Every remainder of M and N by the tiles, alone and after whole tiles; all remainders of K by the vectors.
    let small = (0..=13).chain(23..=25).flat_map(|m| (0..=65).map(move |n| (m, n, (29 * m + 7 * n) % 34)));
    // Beyond the blocks of M (240) and K (256), and large enough for several threads.
    let large = [(241, 5, 257), (13, 70, 300), (253, 33, 5)];
    for (m, n, k) in small.chain(large) {
        for variant in 0..12 {
            let (a, b) = (bench.normals(m * k), bench.normals(k * n));
            let (bias, c) = (bench.normals(n), bench.normals(m * n));
            bench.check([a, b, bias], &[], [c], |[a, b, bias], _, [c]| {
                let a = if variant % 2 == 1 { Mat::new(a, k, m).t() } else { Mat::new(a, m, k) };
                let b = if variant / 2 % 2 == 1 { Mat::new(b, n, k).t() } else { Mat::new(b, k, n) };
                gemm(c, a, b, [Init::Zero, Init::Bias(bias), Init::Add][variant / 4]);
            });
        }
    }
}

fn matvecs(bench: &mut Bench) {
    for rows in 0..=37 {
        for k in 0..=65 {
            for with_bias in [false, true] {
                let (w, x) = (bench.normals(rows * k), bench.normals(k));
                let (bias, y) = (bench.normals(rows), bench.normals(rows));
                bench.check([w, x, bias], &[], [y], |[w, x, bias], _, [y]| {
                    matvec::matvec(w, x, with_bias.then_some(bias), y);
                });
            }
        }
    }
}

fn int8_products(bench: &mut Bench) {
    for rows in 0..=9 {
        for k in (1..=65).chain([1023, 1024, 1025]) {
            let w = Int8Matrix::new(&bench.normals(rows * k), k);
            let [x, bias, y] = [k, rows, rows].map(|len| bench.normals(len));
            bench.check([x, bias], &[], [y], |[x, bias], _, [y]| {
                let mut rounded = Int16Vector::default();
                rounded.set(x);
                matvec_int8(&w, &rounded, Some(bias), y);
            });
        }
        // The integers themselves, which otherwise lie in memory that nobody guards.
        for k in (0..=4).map(|n| n * int8::STEP).chain([1024 - int8::STEP, 1024 + int8::STEP]) {
            let x: Vec<i16> = bench.normals(k).iter().map(|x| (1000.0 * x) as i16).collect();
            let w: Vec<i8> = bench.normals(rows * k).iter().map(|w| (20.0 * w) as i8).collect();
            let mut expected = vec![0; rows];
            int8::dots(&x, &w, &mut expected);
            for side in [Side::Behind, Side::Before] {
                let [a, b, c, ..] = &mut bench.guards[..] else { unreachable!("there are sixteen") };
                let (guarded_x, guarded_w) = (a.place(&x, side), b.place(&w, side));
                let sums = c.place(&vec![0_i64; rows], side);
                int8::dots(guarded_x, guarded_w, sums);
                assert!(same(sums, &expected), "simd::int8, {rows} rows of {k}, guard {side:?}");
                assert!(same(guarded_x, &x) && same(guarded_w, &w), "simd::int8: inputs changed");
                assert!(c.marks_are_whole(8 * rows, side), "simd::int8, {rows} rows of {k}: written outside");
            }
        }
    }
}

type AttentionForward = fn(&Problem<'_>, &mut [f32], &mut [f32]);
type AttentionBackward = fn(&Problem<'_>, &[f32], &[f32], &[f32], &mut Grad<'_>);

/// T and hs around a second panel of keys, and beyond one block of 256 keys.
const LARGE: &[(usize, usize)] = &[(63, 4), (64, 5), (65, 6), (96, 7), (97, 33), (257, 3)];

fn attention_v0(bench: &mut Bench) {
    attentions(bench, &[], attention::v0_naive::forward, attention::v0_naive::backward);
}

fn attention_v1(bench: &mut Bench) {
    attentions(bench, &[], attention::v1_intervals::forward, attention::v1_intervals::backward);
}

fn attention_v2(bench: &mut Bench) {
    attentions(bench, LARGE, attention::v2_rows::forward, attention::v2_rows::backward);
}

fn attention_v3(bench: &mut Bench) {
    attentions(bench, LARGE, attention::v3_blocked::forward, attention::v3_blocked::backward);
}

fn attentions(
    bench: &mut Bench,
    large: &[(usize, usize)],
    forward: AttentionForward,
    backward: AttentionBackward,
) {
    let by_time = (1..=50).map(|time| (time, 1 + time * 5 % 17));
    let by_head = (1..=49).map(|head_size| (1 + head_size * 7 % 26, head_size));
    for (n, (time, head_size)) in by_time.chain(by_head).chain(large.iter().copied()).enumerate() {
        let (batch, n_head) = (1 + n % 2, 1 + n / 2 % 3);
        let intervals = match n % 3 {
            0 => Intervals::causal(time),
            1 => Intervals::bidirectional(time, time),
            _ => {
                // Any ends, empty intervals too, for each row of each sequence.
                let end = |step: usize| (0..batch * time).map(|i| (i * step % (time + 1)) as u32).collect();
                Intervals::new(end(5), end(7), time)
            }
        };
        let dropout = (n % 4 == 3).then_some(Dropout { p: 0.3, seed: n as u64 });
        let problem = Problem { qkv: &[], batch, time, n_head, head_size, intervals: &intervals, dropout };
        let rows = batch * time;
        let c = n_head * head_size;
        let qkv = bench.normals(rows * 3 * c);
        let (y, lse) = (bench.normals(rows * c), bench.normals(rows * n_head));
        let (mut true_y, mut true_lse) = (y.clone(), lse.clone());
        forward(&Problem { qkv: &qkv, ..problem }, &mut true_y, &mut true_lse);
        bench.check([qkv.clone()], &[], [y, lse], |[qkv], _, [y, lse]| {
            forward(&Problem { qkv, ..problem }, y, lse);
        });
        for accum in ACCUMS {
            let (dy, dqkv) = (bench.normals(rows * c), bench.normals(rows * 3 * c));
            let inputs = [qkv.clone(), true_y.clone(), true_lse.clone(), dy];
            bench.check(inputs, &[], [dqkv], |[qkv, y, lse, dy], _, [to]| {
                backward(&Problem { qkv, ..problem }, y, lse, dy, &mut Grad { to, accum });
            });
        }
    }
}

fn decodes(bench: &mut Bench) {
    for len in 1..=49 {
        // Beyond 64 columns too, which may be taken at once.
        for (n, head_size) in (1..=49).chain([63, 64, 65, 81, 128, 129]).enumerate() {
            let n_head = 1 + (n + len) % 3;
            let c = n_head * head_size;
            let inputs = [c, len * c, len * c].map(|len| bench.normals(len));
            let y = bench.normals(c);
            bench.check(inputs, &[], [y], |[q, k, v], _, [y]| attention::decode(q, k, v, n_head, y));
        }
    }
}

fn feed_forwards(bench: &mut Bench) {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::SwiGlu] {
        for hidden in 1..=49 {
            let (rows, c, n) = (1 + hidden * 3 % 14, 1 + hidden * 5 % 34, 1 + hidden * 7 % 35);
            let inner = hidden * activation.fan();
            let (h, a) = (bench.normals(rows * inner), bench.normals(rows * hidden));
            bench.check([h], &[], [a], |[h], _, [a]| activate(activation, h, hidden, a));
            for with_bias in [false, true] {
                let inputs = [rows * c, inner * c, inner, n * hidden, n].map(|len| bench.normals(len));
                let outputs = [rows * inner, rows * hidden, rows * n].map(|len| bench.normals(len));
                bench.check(inputs, &[], outputs, |[x, c_fc, b1, c_proj, b2], _, [h, a, y]| {
                    let (c_fc_bias, c_proj_bias) = (with_bias.then_some(b1), with_bias.then_some(b2));
                    let w = Weights { c_fc, c_fc_bias, c_proj, c_proj_bias, hidden, activation };
                    feed_forward_forward(Mat::new(x, rows, c), &w, h, a, y);
                });
                for accum in ACCUMS {
                    let inputs = [rows * c, inner * c, n * hidden, rows * inner, rows * n]
                        .map(|len| bench.normals(len));
                    let outputs = [rows * hidden, rows * inner, rows * c, inner * c, inner, n * hidden, n]
                        .map(|len| bench.normals(len));
                    bench.check(inputs, &[], outputs, |[x, c_fc, c_proj, h, dy], _, outputs| {
                        let [a, dh, dx, dw1, db1, dw2, db2] = outputs;
                        let (c_fc_bias, c_proj_bias) = (None, None);
                        let w = Weights { c_fc, c_fc_bias, c_proj, c_proj_bias, hidden, activation };
                        let mut grads = [dx, dw1, db1, dw2, db2].map(|to| Grad { to, accum });
                        let [dx, dw1, db1, dw2, db2] = grads.each_mut();
                        let grads = WeightGrads {
                            c_fc: Some(dw1),
                            c_fc_bias: with_bias.then_some(db1),
                            c_proj: Some(dw2),
                            c_proj_bias: with_bias.then_some(db2),
                        };
                        feed_forward_backward(Mat::new(x, rows, c), &w, h, dy, a, dh, Some(dx), grads);
                    });
                }
            }
        }
    }
}

fn layer_norms(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            for with_bias in [false, true] {
                let inputs = [rows * width, width, width].map(|len| bench.normals(len));
                let outputs = [rows * width, rows, rows].map(|len| bench.normals(len));
                bench.check(inputs, &[], outputs, |[x, weight, bias], _, [y, mean, rstd]| {
                    layer_norm_forward(x, weight, with_bias.then_some(bias), 1e-5, y, mean, rstd);
                });
            }
            // Which of dx, dweight and dbias are wanted.
            for wanted in [[true; 3], [true, false, false], [false, true, true]] {
                for accum in ACCUMS {
                    let scratch = layer_norm_scratch(rows, width);
                    let inputs =
                        [rows * width, width, rows, rows, rows * width].map(|len| bench.normals(len));
                    let outputs = [rows * width, width, width, scratch].map(|len| bench.normals(len));
                    bench.check(inputs, &[], outputs, |[x, weight, mean, rstd, dy], _, outputs| {
                        let [dx, dweight, dbias, scratch] = outputs;
                        let mut grads = [dx, dweight, dbias].map(|to| Grad { to, accum });
                        let [dx, dweight, dbias] = grads.each_mut();
                        let dx = wanted[0].then_some(dx);
                        let (dweight, dbias) = (wanted[1].then_some(dweight), wanted[2].then_some(dbias));
                        layer_norm_backward(x, weight, (mean, rstd), dy, dx, dweight, dbias, scratch);
                    });
                }
            }
        }
    }
}

fn rms_norms(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            let inputs = [rows * width, width].map(|len| bench.normals(len));
            let outputs = [rows * width, rows].map(|len| bench.normals(len));
            bench.check(inputs, &[], outputs, |[x, weight], _, [y, rstd]| {
                rms_norm_forward(x, weight, 1e-5, y, rstd);
            });
            for wanted in [[true, true], [true, false], [false, true]] {
                for accum in ACCUMS {
                    let scratch = rms_norm_scratch(rows, width);
                    let inputs = [rows * width, width, rows, rows * width].map(|len| bench.normals(len));
                    let outputs = [rows * width, width, scratch].map(|len| bench.normals(len));
                    bench.check(inputs, &[], outputs, |[x, weight, rstd, dy], _, [dx, dweight, scratch]| {
                        let mut grads = [dx, dweight].map(|to| Grad { to, accum });
                        let [dx, dweight] = grads.each_mut();
                        let (dx, dweight) = (wanted[0].then_some(dx), wanted[1].then_some(dweight));
                        rms_norm_backward(x, weight, rstd, dy, dx, dweight, scratch);
                    });
                }
            }
        }
    }
}

fn softmaxes(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            let (z, y) = (bench.normals(rows * width), bench.normals(rows * width));
            bench.check([z], &[], [y], |[z], _, [y]| softmax::softmax_forward(z, width, y));
            for accum in ACCUMS {
                let [y, dy, dz] = [(); 3].map(|()| bench.normals(rows * width));
                bench.check([y, dy], &[], [dz], |[y, dy], _, [dz]| {
                    softmax::softmax_backward(y, dy, width, dz, accum);
                });
            }
        }
    }
}

fn cross_entropies(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            // The last class, an ignored row, the first class.
            let ids = &[width as u32 - 1, u32::MAX, 0][..rows];
            let weights = vec![1.0, 0.0, 0.5][..rows].to_vec();
            let logits = bench.normals(rows * width);
            let total_weight = 1.5;
            let outputs = [rows, rows, 1].map(|len| bench.normals(len));
            let forward = |[logits, weights]: [&[f32]; 2], ids: &[u32], [max, sum, loss]: [&mut [f32]; 3]| {
                let targets = Targets { ids, weights, total_weight };
                loss[0] = cross_entropy_forward(logits, width, targets, max, sum);
            };
            let (mut max, mut sum) = (vec![0.0; rows], vec![1.0; rows]);
            forward([&logits, &weights], ids, [&mut max, &mut sum, &mut [0.0]]);
            bench.check([logits.clone(), weights.clone()], ids, outputs, forward);
            for accum in ACCUMS {
                let inputs = [logits.clone(), weights.clone(), max.clone(), sum.clone()];
                let dlogits = bench.normals(rows * width);
                bench.check(inputs, ids, [dlogits], |[logits, weights, max, sum], ids, [to]| {
                    let targets = Targets { ids, weights, total_weight };
                    cross_entropy_backward(logits, width, targets, (max, sum), 0.7, &mut Grad { to, accum });
                });
            }
        }
    }
}

fn embeddings(bench: &mut Bench) {
    const SIZE: usize = 5;
    const PERIOD: usize = 3;
    for width in 1..=49 {
        for count in 0..=7 {
            // The last row of the table, the first, one twice, and one that nobody uses.
            let ids = &[4, 0, 2, 2, 4, 0, 1][..count];
            let [table, positions] = [SIZE, PERIOD].map(|rows| bench.normals(rows * width));
            let [y, dy] = [(); 2].map(|()| bench.normals(count * width));
            bench.check([table.clone()], ids, [y.clone()], |[table], ids, [y]| {
                embedding::gather_rows(table, ids, width, y);
            });
            bench.check([table.clone(), positions], ids, [y], |[table, positions], ids, [y]| {
                embedding::gather_rows_with_positions(table, positions, ids, PERIOD, width, y);
            });
            for accum in ACCUMS {
                bench.check([dy.clone()], ids, [table.clone()], |[dy], ids, [to]| {
                    embedding::scatter_rows(dy, ids.iter().copied(), width, &mut Grad { to, accum });
                });
            }
        }
    }
}

fn sums_of_rows(bench: &mut Bench) {
    for width in tails() {
        for count in 0..=5 {
            for accum in ACCUMS {
                let (dy, db) = (bench.normals(count * width), bench.normals(width));
                bench.check([dy], &[], [db], |[dy], _, [to]| {
                    columns::sum_rows(dy, &mut Grad { to, accum });
                });
            }
            if width > 0 && count > 0 {
                let partials = bench.normals(count * width);
                bench.check([], &[], [partials], |[], _, [partials]| rows::add_partials(partials, width));
            }
        }
    }
}

fn maps(bench: &mut Bench) {
    let chunk = parallel::chunk_len();
    for len in tails().chain([chunk - 1, chunk, chunk + 1, 2 * chunk + 17]) {
        for accum in ACCUMS {
            let [a, b, y] = [(); 3].map(|()| bench.normals(len));
            bench.check([a.clone()], &[], [y.clone()], |[a], _, [y]| vmath::map(vmath::Exp, [a], y, accum));
            bench.check([a.clone()], &[], [y.clone()], |[a], _, [y]| vmath::map(vmath::Tanh, [a], y, accum));
            bench.check([a, b], &[], [y], |[a, b], _, [y]| vmath::map(vmath::Product, [a, b], y, accum));
        }
        let [x, y] = [(); 2].map(|()| bench.normals(len));
        bench.check([x], &[], [y.clone()], |[x], _, [y]| vmath::add_assign(y, x));
        bench.check([], &[], [y], |[], _, [y]| vmath::scale(y, 0.3));
    }
}

fn sums_of_squares(bench: &mut Bench) {
    let chunk = parallel::chunk_len();
    for len in tails().chain(1020..=1045).chain([chunk - 1, chunk, chunk + 1, 2 * chunk + 17]) {
        let x = bench.normals(len);
        bench.check([x], &[], [vec![0.0]], |[x], _, [sum]| sum[0] = vmath::sum_of_squares(x) as f32);
    }
}

fn masks(bench: &mut Bench) {
    for len in tails() {
        // The second begins shortly before the lower half of the index wraps around.
        for first in [0, (1 << 32) - 20] {
            let x = bench.normals(len);
            bench.check([], &[], [x], |[], _, [x]| mask::apply(0.4, 7, first, x));
        }
    }
}

fn broadcasts(bench: &mut Bench) {
    for n in tails() {
        for [a_shape, b_shape] in [[vec![3, n], vec![n]], [vec![n, 1], vec![3]], [vec![], vec![n, 2]]] {
            let (a_shape, b_shape) = (a_shape[..].into(), b_shape[..].into());
            let output = broadcast::output_shape(&[a_shape, b_shape]).expect("they broadcast");
            let sizes = [a_shape, b_shape, output].map(|shape| shape.elements());
            let [a, b, y] = sizes.map(|len| bench.normals(len));
            bench.check([a.clone(), b], &[], [y.clone()], |[a, b], _, [y]| {
                let (a, b) = (View { data: a, shape: a_shape }, View { data: b, shape: b_shape });
                broadcast::zip(a, b, y, |a, b| a * b);
            });
            for accum in ACCUMS {
                bench.check([y.clone()], &[], [a.clone()], |[dy], _, [to]| {
                    let dy = View { data: dy, shape: output };
                    broadcast::reduce(dy, a_shape, &mut Grad { to, accum }, |_, dy| 2.0 * dy);
                });
            }
        }
    }
}

/// Runs `work` of this test in a process of its own, whose end this one reports with the last lines it wrote.
fn alone(test: &str, work: impl FnOnce()) {
    const VARIABLE: &str = "TENSOR_TEST_ALONE";
    if std::env::var_os(VARIABLE).is_some() {
        return work();
    }
    let module = module_path!().split_once("::").map_or("", |(_, module)| module);
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).env(VARIABLE, "1");
    let Ok(output) = command.output() else {
        return work(); // an emulator of another processor may be unable to start the program again
    };
    let (log, summary) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let last: Vec<_> = log.lines().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(output.status.success(), "{}, after:\n{}", output.status, last.join("\n"));
    assert!(summary.contains("1 passed"), "the test {test} did not run: {summary}");
}

/// Forbids files with the memory of a process that ends by a signal.
fn no_core_file() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: sets a limit of this process.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
}

#[test]
fn no_kernel_touches_anything_outside_of_its_slices() {
    alone("no_kernel_touches_anything_outside_of_its_slices", || {
        no_core_file();
        walk();
    });
}

/// Every case on every path.
fn walk() {
    let mut bench = Bench::new();
    let mut first: Option<Vec<u64>> = None;
    let before = Path::current();
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        path.force();
        let mut results = Vec::new();
        for case in CASES {
            eprintln!("{path}: {}", case.names.join(", "));
            (bench.kernel, bench.drawn, bench.results) = (case.names[0], 0, DefaultHasher::new());
            (case.run)(&mut bench);
            results.push(bench.results.finish());
        }
        let first = first.get_or_insert_with(|| results.clone());
        for ((case, first), result) in CASES.iter().zip(first).zip(results) {
            assert_eq!(*first, result, "{:?}: other bits on {path}", case.names);
        }
    }
    before.force();
}

/// A public function that takes floats and stands in no case is a kernel that was forgotten.
#[test]
fn every_kernel_has_a_case() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels");
    let (mut folders, mut found) = (vec![folder.clone()], Vec::new());
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("simd") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = path.strip_prefix(&folder).unwrap().with_extension("");
                let module = module.to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "::");
                let text = std::fs::read_to_string(&path).unwrap();
                let signatures = text.split("\npub fn ").skip(1).map(|f| f.split('{').next().unwrap_or(f));
                let kernels = signatures.filter(|signature| signature.contains("[f32]"));
                found.extend(kernels.map(|f| format!("{module}::{}", f.split(['(', '<']).next().unwrap())));
            }
        }
    }
    let known: Vec<_> = CASES.iter().flat_map(|case| case.names).chain(NO_KERNELS).collect();
    assert!(found.len() > 20, "{found:?}");
    let forgotten: Vec<_> = found.iter().filter(|name| !known.iter().any(|known| known == name)).collect();
    assert!(forgotten.is_empty(), "write a case for {forgotten:?} in {}", file!());
}

#[test]
fn slices_lie_at_every_alignment() {
    let mut guard = Guarded::new();
    let mut seen = [false; 16];
    for len in tails() {
        let slice = guard.place(&vec![1.0_f32; len], Side::Behind);
        seen[slice.as_ptr().addr() % 64 / 4] = true;
        let end = slice.as_ptr_range().end.addr();
        assert_eq!(end % guard.page, 0, "the page behind begins where the slice ends");
        let slice = guard.place(&vec![1.0_f32; len], Side::Before);
        assert_eq!(slice.as_ptr().addr() % guard.page, 0, "the page before ends where the slice begins");
    }
    assert_eq!(seen, [true; 16]);
}

/// What a copy of this process does, and the signal that ends it, if one does.
fn signal_of(work: impl FnOnce()) -> Option<i32> {
    // SAFETY: the copy has this thread alone, so it must not need what another one may hold. It sets a limit,
    // does `work`, which is one access to memory, and ends at once.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
        if child == 0 {
            no_core_file();
            work();
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child, "{}", std::io::Error::last_os_error());
        assert!(libc::WIFSIGNALED(status) || (libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0));
        libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
    }
}

#[test]
fn the_guard_guards() {
    const LEN: isize = 5;
    let mut guard = Guarded::new();
    for (side, inside, outside) in [(Side::Behind, LEN - 1, LEN), (Side::Before, 0, -1)] {
        let start = guard.place(&[1.0_f32; LEN as usize], side).as_mut_ptr();
        // SAFETY: the first two access an element. The others do not, and that is the point: nothing is mapped
        // there for access, so the copy of the process that does it ends, and no other memory can be hit.
        let (read, write) = (
            |at: isize| signal_of(|| _ = unsafe { start.wrapping_offset(at).read_volatile() }),
            |at: isize| signal_of(|| unsafe { start.wrapping_offset(at).write_volatile(2.0) }),
        );
        assert_eq!((read(inside), write(inside)), (None, None), "{side:?}: inside");
        for signal in [read(outside), write(outside)] {
            let fault = [libc::SIGSEGV, libc::SIGBUS];
            assert!(signal.is_some_and(|signal| fault.contains(&signal)), "{side:?}: {signal:?}");
        }
    }
}

/// The bench notices what no page can: a wrong result, and a write on the open side.
#[test]
fn the_bench_notices() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let fails = |run: fn(&mut [f32])| {
        let check = || Bench::new().check([], &[], [vec![1.0; 3]], |[], _, [y]| run(y));
        catch_unwind(AssertUnwindSafe(check)).is_err()
    };
    assert!(!fails(|y| y[2] = 5.0));
    // A result that depends on where the slice lies.
    assert!(fails(|y| y[0] = if y.as_ptr().addr().is_multiple_of(4096) { 1.0 } else { 2.0 }));
    let mut guard = Guarded::new();
    for side in [Side::Behind, Side::Before] {
        guard.place(&[1.0_f32; 3], side);
        assert!(guard.marks_are_whole(12, side));
        let (_, marks) = guard.places(12, side);
        // SAFETY: the last mark lies between the two pages, and no slice lives.
        unsafe { guard.mapping.add(marks + MARKS - 1).write(0) };
        assert!(!guard.marks_are_whole(12, side));
    }
}
