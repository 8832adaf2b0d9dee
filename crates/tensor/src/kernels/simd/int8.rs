//! Sums of products of integers: rows of eight-bit weights times a vector of sixteen-bit numbers.
//!
//! Integers add up exactly, so every path gives the same numbers whatever its order: there is no need for
//! vectors of one length, and each path uses the instruction that multiplies most numbers at once.

use super::Path;

/// Weights in a block: their sum is in 32 bits, and at most 1024 * 16,383 * 127, which is just below 2^31.
const BLOCK: usize = 1024;
/// Rows at a time: enough sums under way to hide the time that one addition takes.
const AT_ONCE: usize = 4;
/// Lengths are multiples of this, the weights that the widest path takes at once.
pub(crate) const STEP: usize = 32;

/// `sums[r]` = the sum over p of `w[r * K + p] * x[p]`, where K is the length of x, a multiple of [`STEP`].
/// The numbers of x are below 2^14 in magnitude, those of w at most 127.
pub(crate) fn dots(x: &[i16], w: &[i8], sums: &mut [i64]) {
    assert_eq!(w.len(), x.len() * sums.len(), "int8: the elements of W");
    assert!(x.len().is_multiple_of(STEP), "int8: rows of whole vectors");
    // SAFETY (all arms): `Path::current` only answers paths for which `is_available` asked the processor, VNNI
    // is asked for here.
    match Path::current() {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 if is_x86_feature_detected!("avx512vnni") => unsafe { x86::dots_vnni(x, w, sums) },
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::dots_avx512(x, w, sums) },
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::dots_avx2(x, w, sums) },
        #[cfg(target_arch = "aarch64")]
        Path::Neon => unsafe { neon::dots(x, w, sums) },
        _ => rows(Scalar, x, w, sums),
    }
}

/// A block of several rows at once.
trait Dot: Copy {
    /// The sums of some rows' products with x, all of one length.
    fn block<const R: usize>(self, x: &[i16], rows: [&[i8]; R]) -> [i32; R];
}

#[inline(always)]
fn rows<D: Dot>(d: D, x: &[i16], w: &[i8], sums: &mut [i64]) {
    let k = x.len();
    let (fours, rest) = sums.as_chunks_mut::<AT_ONCE>();
    let (w, w_rest) = w.split_at(fours.len() * AT_ONCE * k);
    for (i, sums) in fours.iter_mut().enumerate() {
        let w = &w[i * AT_ONCE * k..][..AT_ONCE * k];
        *sums = row_sums(d, x, [&w[..k], &w[k..2 * k], &w[2 * k..3 * k], &w[3 * k..]]);
    }
    for (r, sum) in rest.iter_mut().enumerate() {
        [*sum] = row_sums(d, x, [&w_rest[r * k..(r + 1) * k]]);
    }
}

#[inline(always)]
fn row_sums<D: Dot, const R: usize>(d: D, x: &[i16], rows: [&[i8]; R]) -> [i64; R] {
    let mut sums = [0; R];
    let mut start = 0;
    while start < x.len() {
        let end = (start + BLOCK).min(x.len());
        let mut part: [&[i8]; R] = [&[]; R];
        for r in 0..R {
            part[r] = &rows[r][start..end];
        }
        let block = d.block(&x[start..end], part);
        for r in 0..R {
            sums[r] += i64::from(block[r]);
        }
        start = end;
    }
    sums
}

/// The path of any other processor, and the reference for the tests.
#[derive(Clone, Copy)]
struct Scalar;

impl Dot for Scalar {
    #[inline(always)]
    fn block<const R: usize>(self, x: &[i16], rows: [&[i8]; R]) -> [i32; R] {
        let mut sums = [0; R];
        for r in 0..R {
            sums[r] = x.iter().zip(rows[r]).map(|(&x, &w)| i32::from(x) * i32::from(w)).sum();
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Dot, STEP, rows};
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    struct Vnni;
    #[derive(Clone, Copy)]
    struct Avx512;
    #[derive(Clone, Copy)]
    struct Avx2;

    /// # Safety
    /// The processor has AVX-512 F, BW and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
    pub(super) unsafe fn dots_vnni(x: &[i16], w: &[i8], sums: &mut [i64]) {
        rows(Vnni, x, w, sums);
    }

    /// # Safety
    /// The processor has AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub(super) unsafe fn dots_avx512(x: &[i16], w: &[i8], sums: &mut [i64]) {
        rows(Avx512, x, w, sums);
    }

    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn dots_avx2(x: &[i16], w: &[i8], sums: &mut [i64]) {
        rows(Avx2, x, w, sums);
    }

    // SAFETY of the blocks below: these types are used in the functions above alone, whose callers promise the
    // instructions; every pointer is that of an array of as many numbers as are read.

    /// The loop of the two AVX-512 paths; `$add` is sum, x, w -> sum + products of neighbours, added in pairs.
    macro_rules! block_512 {
        ($x:ident, $rows:ident, $add:expr) => {{
            let (x, _) = $x.as_chunks::<STEP>();
            let mut acc = [unsafe { _mm512_setzero_si512() }; R];
            for (i, x) in x.iter().enumerate() {
                let x = unsafe { _mm512_loadu_si512(x.as_ptr().cast()) };
                for r in 0..R {
                    let (w, _) = $rows[r].as_chunks::<STEP>();
                    let w = unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(w[i].as_ptr().cast())) };
                    acc[r] = unsafe { $add(acc[r], x, w) };
                }
            }
            let mut sums = [0; R];
            for r in 0..R {
                sums[r] = unsafe { _mm512_reduce_add_epi32(acc[r]) };
            }
            sums
        }};
    }

    impl Dot for Vnni {
        #[inline(always)]
        fn block<const R: usize>(self, x: &[i16], rows: [&[i8]; R]) -> [i32; R] {
            block_512!(x, rows, _mm512_dpwssd_epi32)
        }
    }

    #[inline(always)]
    unsafe fn multiply_add_512(sum: __m512i, x: __m512i, w: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(sum, _mm512_madd_epi16(x, w)) }
    }

    impl Dot for Avx512 {
        #[inline(always)]
        fn block<const R: usize>(self, x: &[i16], rows: [&[i8]; R]) -> [i32; R] {
            block_512!(x, rows, multiply_add_512)
        }
    }

    impl Dot for Avx2 {
        #[inline(always)]
        fn block<const R: usize>(self, x: &[i16], rows: [&[i8]; R]) -> [i32; R] {
            let (x, _) = x.as_chunks::<16>();
            let mut acc = [unsafe { _mm256_setzero_si256() }; R];
            for (i, x) in x.iter().enumerate() {
                let x = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
                for r in 0..R {
                    let (w, _) = rows[r].as_chunks::<16>();
                    acc[r] = unsafe {
                        let w = _mm256_cvtepi8_epi16(_mm_loadu_si128(w[i].as_ptr().cast()));
                        _mm256_add_epi32(acc[r], _mm256_madd_epi16(x, w))
                    };
                }
            }
            let mut sums = [0; R];
            for r in 0..R {
                let mut lanes = [0_i32; 8];
                unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), acc[r]) };
                sums[r] = lanes.iter().sum();
            }
            sums
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{Dot, rows};
    use std::arch::aarch64::*;

    #[derive(Clone, Copy)]
    struct Neon;

    /// # Safety
    /// The processor has NEON: every aarch64 does.
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn dots(x: &[i16], w: &[i8], sums: &mut [i64]) {
        rows(Neon, x, w, sums);
    }

    // SAFETY of the blocks below: the caller above promises the instructions; every pointer is that of an array
    // of as many numbers as are read.
    impl Dot for Neon {
        #[inline(always)]
        fn block<const R: usize>(self, x: &[i16], rows: [&[i8]; R]) -> [i32; R] {
            let (x, _) = x.as_chunks::<8>();
            let mut acc = [unsafe { vdupq_n_s32(0) }; R];
            for (i, x) in x.iter().enumerate() {
                let x = unsafe { vld1q_s16(x.as_ptr()) };
                for r in 0..R {
                    let (w, _) = rows[r].as_chunks::<8>();
                    acc[r] = unsafe {
                        let w = vmovl_s8(vld1_s8(w[i].as_ptr()));
                        let lower = vmlal_s16(acc[r], vget_low_s16(x), vget_low_s16(w));
                        vmlal_high_s16(lower, x, w)
                    };
                }
            }
            let mut sums = [0; R];
            for r in 0..R {
                sums[r] = unsafe { vaddvq_s32(acc[r]) };
            }
            sums
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::on_every_path;
    use random::{Rng, Stream};

    /// The largest numbers there may be, in every lane, do not overflow; random ones are right; on every path.
    #[test]
    fn sums_are_exact() {
        let mut rng = Rng::new(1, Stream::Sampling);
        let mut cases: Vec<(Vec<i16>, Vec<i8>)> = Vec::new();
        for k in [0, STEP, 3 * STEP, BLOCK - STEP, BLOCK, BLOCK + STEP, 5 * BLOCK] {
            for sign in [1, -1] {
                cases.push((vec![16_383 * sign; k], vec![127; 9 * k]));
            }
            let x = (0..k).map(|_| rng.below(32_767) as i16 - 16_383).collect();
            cases.push((x, (0..9 * k).map(|_| (rng.below(255) as i16 - 127) as i8).collect()));
        }
        on_every_path(|path| {
            for (x, w) in &cases {
                let mut sums = [0; 9];
                dots(x, w, &mut sums);
                let row = |r: usize| w[r * x.len()..(r + 1) * x.len()].iter();
                let exact = std::array::from_fn(|r| {
                    x.iter().zip(row(r)).map(|(&x, &w)| i64::from(x) * i64::from(w)).sum::<i64>()
                });
                assert_eq!(sums, exact, "{path}, {} columns", x.len());
            }
        });
    }
}
