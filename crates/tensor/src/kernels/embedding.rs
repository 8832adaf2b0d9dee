//! Rows of a table: read by index, and added to by index. The formulas are in `ops/embedding.rs`.

use super::parallel;
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::vmath::padded;
use crate::grad::{Accum, Grad};

/// `y[i] = table[ids[i]]`, rows of `width` floats.
pub fn gather_rows(table: &[f32], ids: &[u32], width: usize, y: &mut [f32]) {
    let rows = parallel::rows_per_chunk(width);
    parallel::for_each_chunk(y, rows * width, |chunk, y| {
        for (y, &id) in y.chunks_exact_mut(width).zip(&ids[chunk * rows..]) {
            y.copy_from_slice(&table[id as usize * width..][..width]);
        }
    });
}

/// `y[i] = table[ids[i]] + positions[i mod period]`, rows of `width` floats.
pub fn gather_rows_with_positions(
    table: &[f32],
    positions: &[f32],
    ids: &[u32],
    period: usize,
    width: usize,
    y: &mut [f32],
) {
    let rows = parallel::rows_per_chunk(width);
    parallel::for_each_chunk(y, rows * width, |chunk, y| {
        let first = chunk * rows;
        for (i, y) in y.chunks_exact_mut(width).enumerate() {
            let token = &table[ids[first + i] as usize * width..][..width];
            let position = &positions[(first + i) % period * width..][..width];
            for ((y, token), position) in y.iter_mut().zip(token).zip(position) {
                *y = token + position;
            }
        }
    });
}

/// `dtable[id] = sum of dy[i] over all i with ids[i] == id`, or `+=`, rows of `width` floats.
///
/// The (id, i) pairs are sorted, so each row of the table is one sum over one group, in order of i, whoever
/// computes it: the table's rows can be shared out among threads, and each is written once.
pub fn scatter_rows(dy: &[f32], ids: impl Iterator<Item = u32>, width: usize, dtable: &mut Grad<'_>) {
    let mut uses: Vec<(u32, u32)> = ids.zip(0..).collect();
    uses.sort_unstable();
    let rows = parallel::rows_per_chunk(width);
    let accum = dtable.accum;
    parallel::for_each_chunk(dtable.to, rows * width, |chunk, to| {
        let first = (chunk * rows) as u32;
        let uses = &uses[uses.partition_point(|&(id, _)| id < first)..];
        dispatch(Scatter { dy, uses, first, width, to, accum });
    });
}

struct Scatter<'a> {
    dy: &'a [f32],
    uses: &'a [(u32, u32)], // sorted
    first: u32,             // the id of the first row of `to`
    width: usize,
    to: &'a mut [f32],
    accum: Accum,
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut uses = self.uses;
        for (id, to) in (self.first..).zip(self.to.chunks_exact_mut(self.width)) {
            let mut count = 0;
            while count < uses.len() && uses[count].0 == id {
                count += 1;
            }
            let (group, rest) = uses.split_at(count);
            uses = rest;
            match (group, self.accum) {
                ([], Accum::Replace) => to.fill(0.0),
                ([], Accum::Add) => {}
                (group, Accum::Replace) => add_group::<S, false>(s, self.dy, group, to),
                (group, Accum::Add) => add_group::<S, true>(s, self.dy, group, to),
            }
        }
    }
}

/// The sum of the group's rows of dy, sixteen columns at a time.
#[inline(always)]
fn add_group<S: Simd, const ADD: bool>(s: S, dy: &[f32], group: &[(u32, u32)], to: &mut [f32]) {
    let width = to.len();
    let (to, to_tail) = to.as_chunks_mut::<LANES>();
    let tail_at = to.len() * LANES;
    for (block, to) in to.iter_mut().enumerate() {
        let mut total = s.splat(0.0);
        for &(_, row) in group {
            let at = row as usize * width + block * LANES;
            total = s.add(total, s.load(dy[at..at + LANES].first_chunk().expect("sixteen")));
        }
        s.store(if ADD { s.add(s.load(to), total) } else { total }, to);
    }
    if !to_tail.is_empty() {
        let mut total = s.splat(0.0);
        for &(_, row) in group {
            let row = &dy[row as usize * width..][..width];
            total = s.add(total, s.load(&padded(&row[tail_at..])));
        }
        let mut lanes = [0.0; LANES];
        s.store(total, &mut lanes);
        for (to, sum) in to_tail.iter_mut().zip(lanes) {
            *to = if ADD { *to + sum } else { sum };
        }
    }
}
