//! Random sizes, numbers and destinations.

use super::running_error::{F, f};
use tensor::Accum;
use tensor::gradcheck::Draw;

/// Runs a check on as many random shapes as `SHAPES` asks for. It gets the seed in words, for its messages.
pub(crate) fn for_each_shape(check: impl Fn(&mut Draw, &str)) {
    let shapes = std::env::var("SHAPES").map_or(100, |n| n.parse().expect("SHAPES is a number"));
    for seed in 0..shapes {
        check(&mut Draw::new(seed), &format!("seed {seed}"));
    }
}

/// From 1 to `high`: 1, a prime, a multiple of a tile or its neighbour, the end of a block or its neighbour, or
/// anything, small sizes more often.
pub(crate) fn size(draw: &mut Draw, high: usize) -> usize {
    const TILES: [usize; 6] = [4, 6, 12, 16, 32, 48];
    const BLOCKS: [usize; 4] = [240, 256, 512, 1024];
    let beside = |draw: &mut Draw, size: usize| size + draw.size(0, 2) - 1;
    let size = match draw.size(0, 7) {
        0 => 1,
        1 => draw.choose(&[2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 61, 67, 127, 131, 251, 257, 509, 521]),
        2 | 3 => draw.choose(&TILES) * draw.size(1, 6),
        4 => {
            let size = draw.choose(&TILES) * draw.size(1, 6);
            beside(draw, size)
        }
        5 => {
            let size = draw.choose(&BLOCKS);
            beside(draw, size)
        }
        _ => {
            let high = high >> draw.size(0, high.ilog2() as usize);
            draw.size(1, high)
        }
    };
    if size <= high { size } else { draw.size(1, high) }
}

/// Sizes up to `high` whose `cost` is at most `budget`. One time in sixteen all of them are large, and the budget
/// is sixty-four times as much: such shapes have several blocks, several chunks, and work for several threads.
pub(crate) fn sizes<const N: usize>(
    draw: &mut Draw,
    high: [usize; N],
    budget: usize,
    cost: impl Fn([usize; N]) -> usize,
) -> [usize; N] {
    let large = draw.size(0, 15) == 0;
    let budget = if large { 64 * budget } else { budget };
    let mut sizes = high.map(|high| if large { draw.size(high.div_ceil(8), high) } else { size(draw, high) });
    while cost(sizes) > budget {
        // Any of them, so that the others stay as they were drawn.
        let n = draw.size(0, N - 1);
        sizes[n] = sizes[n].div_ceil(2);
    }
    sizes
}

/// Uniform numbers of variance 1: drawn faster than normal ones, and there are millions.
pub(crate) fn values(draw: &mut Draw, len: usize) -> Vec<f32> {
    let high = 3_f32.sqrt();
    (0..len).map(|_| draw.uniform(-high, high)).collect()
}

pub(crate) fn accum(draw: &mut Draw) -> Accum {
    draw.choose(&[Accum::Replace, Accum::Add])
}

/// A destination for a gradient: full of NaN if it will be written, of numbers if it will be added to.
pub(crate) fn destination(draw: &mut Draw, len: usize, accum: Accum) -> Vec<f32> {
    if accum == Accum::Add { values(draw, len) } else { vec![f32::NAN; len] }
}

/// What a gradient is, where `before` is what the destination held.
pub(crate) fn written(accum: Accum, before: &[f32], gradient: impl IntoIterator<Item = F>) -> Vec<F> {
    let gradient = gradient.into_iter().zip(before);
    gradient.map(|(g, &before)| if accum == Accum::Add { f(before) + g } else { g }).collect()
}
