//! Dropout masks without memory: whether element i is dropped is a hash of (seed, i).
//!
//! The backward computes the same mask again; nothing is stored, and the mask does not depend on the order
//! in which elements are visited, on blocks or on threads (counter-based randomness: Salmon et al. 2011).

/// Two 32-bit mixes with the constants of `lowbias32` (C. Wellons, "Prospecting for Hash Functions", 2018):
/// every input bit flips every output bit with a probability within 0.2 % of one half.
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// What the seed and the upper half of the index contribute, the same for 2^32 elements.
#[inline(always)]
fn key(seed: u64, index: u64) -> u32 {
    mix(mix(mix((index >> 32) as u32) ^ (seed >> 32) as u32) ^ seed as u32)
}

/// Multiplies elements `first`, `first + 1`, ... of a tensor by their factors: 0 with probability `p`, else
/// 1 / (1 - p), so that the expectation stays (inverted dropout, Srivastava et al. 2014).
///
/// Inlined into its callers' loops, it is compiled for their instructions.
#[inline(always)]
pub fn apply(p: f32, seed: u64, first: u64, x: &mut [f32]) {
    if p <= 0.0 {
        return;
    }
    let threshold = (f64::from(p) * 4_294_967_296.0) as u32; // hashes below it are dropped
    let keep = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
    // Where the lower half of the index wraps around, a new key begins: two plain loops, which vectorise.
    let before_wrap = (1_u64 << 32) - (first & 0xffff_ffff);
    let (here, there) = x.split_at_mut(x.len().min(usize::try_from(before_wrap).unwrap_or(usize::MAX)));
    apply_key(key(seed, first), first as u32, threshold, keep, here);
    if !there.is_empty() {
        apply_key(key(seed, first + before_wrap), 0, threshold, keep, there);
    }
}

#[inline(always)]
fn apply_key(key: u32, first: u32, threshold: u32, keep: f32, x: &mut [f32]) {
    for (i, x) in x.iter_mut().enumerate() {
        // Mixed before the key comes in: or another seed would be the same mask in another order.
        let hash = mix(mix(first.wrapping_add(i as u32)) ^ key);
        *x *= if hash < threshold { 0.0 } else { keep };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(p: f32, seed: u64, first: u64, len: usize) -> Vec<f32> {
        let mut x = vec![1.0; len];
        apply(p, seed, first, &mut x);
        x
    }

    #[test]
    fn the_share_of_dropped_elements_is_p() {
        for (seed, p) in [(0, 0.1_f32), (1, 0.2), (u64::MAX, 0.5), (1 << 40, 0.9)] {
            let n = 200_000;
            let dropped = factors(p, seed, 0, n).iter().filter(|x| **x == 0.0).count() as f64 / n as f64;
            let deviation = (f64::from(p) * f64::from(1.0 - p) / n as f64).sqrt();
            assert!((dropped - f64::from(p)).abs() < 4.0 * deviation, "seed {seed}, p {p}: {dropped}");
        }
    }

    #[test]
    fn the_mask_depends_on_position_and_seed_alone() {
        let whole = factors(0.3, 7, 1000, 100);
        assert_eq!(whole[40..], factors(0.3, 7, 1040, 60));
        let over_the_wrap = factors(0.3, 7, (1 << 32) - 50, 100);
        assert_eq!(over_the_wrap[..50], factors(0.3, 7, (1 << 32) - 50, 50));
        assert_eq!(over_the_wrap[50..], factors(0.3, 7, 1 << 32, 50));
        assert_ne!(whole, factors(0.3, 8, 1000, 100));
    }

    /// Neighbours, distant elements and neighbouring seeds agree as often as independent ones would.
    #[test]
    fn elements_are_independent() {
        let n = 100_000;
        let base = factors(0.5, 42, 0, n);
        let others = [(42, 1), (42, 2), (42, 64), (42, 1 << 32), (43, 0), (42 + (1 << 32), 0), (43, 1)];
        for (seed, first) in others {
            let other = factors(0.5, seed, first, n);
            let equal = base.iter().zip(&other).filter(|(a, b)| a == b).count() as f64 / n as f64;
            assert!(
                (equal - 0.5).abs() < 4.0 * (0.25 / n as f64).sqrt(),
                "seed {seed}, first {first}: {equal}"
            );
        }
    }
}
