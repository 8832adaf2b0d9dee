//! Exponential, logarithm, sine and cosine from `+ - * /` alone.
//!
//! The standard library hands these to the platform's C library, whose last bits differ between
//! systems; a normal random number, and so an initial weight, would differ with them. Basic
//! arithmetic is exact to the last bit everywhere, so these functions are too. Each reduces its
//! argument to a small interval and sums the Taylor series there. They are accurate to about 1e-15
//! and only need to be the same everywhere: do not expect the last bit to be correctly rounded.

/// The natural logarithm of a positive, finite `x`. Other arguments, and subnormal ones, give a
/// meaningless number.
///
/// With x = 2^k m and m in [sqrt(1/2), sqrt(2)): ln x = k ln 2 + ln m, and with s = (m-1)/(m+1)
/// ln m = 2 (s + s^3/3 + s^5/5 + ...), where |s| < 0.172 makes eleven terms enough.
///
/// ```
/// assert!((random::ln(10.0) - std::f64::consts::LN_10).abs() < 1e-14);
/// ```
pub fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0, "random::ln({x}): expected a positive normal number");
    let bits = x.to_bits();
    // An f64 is 1 sign bit, 11 bits of exponent + 1023, 52 bits of mantissa.
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52)); // in [1, 2)
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = horner(s * s, &LN_SERIES);
    let k = exponent as f64;
    k * LN_2_HIGH + (2.0 * s * series + k * LN_2_LOW)
}

/// e^x. 0 where the result would be below the normal numbers (x < -708), infinity where it would be
/// above all (x > 709.78); not a number stays that.
///
/// With x = k ln 2 + r and |r| <= ln(2)/2: e^x = 2^k e^r, and fourteen terms of the series of e^r are
/// enough.
///
/// ```
/// assert!((random::exp(1.0) - std::f64::consts::E).abs() < 1e-15);
/// assert_eq!((random::exp(0.0), random::exp(-800.0)), (1.0, 0.0));
/// ```
pub fn exp(x: f64) -> f64 {
    if x.is_nan() || x > 709.78 {
        return x + f64::INFINITY; // not a number stays that
    }
    if x < -708.0 {
        return 0.0;
    }
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // 2^k as bits; k = 1024 is just beyond the exponents, so half of it is multiplied in at the end.
    let power = |k: f64| f64::from_bits(((k as i64 + 1023) as u64) << 52);
    let half = (k / 2.0).floor();
    horner(r, &EXP_SERIES) * power(half) * power(k - half)
}

/// `(sin(2 pi u), cos(2 pi u))`: the angle is given in turns, finite and smaller than 2^51.
///
/// Turns make the reduction exact: u minus the nearest quarter turn is a subtraction without
/// rounding, while the same in radians would need many digits of pi.
///
/// ```
/// let (sin, cos) = random::sin_cos_turns(0.25); // 90 degrees
/// assert_eq!((sin, cos), (1.0, 0.0));
/// ```
pub fn sin_cos_turns(u: f64) -> (f64, f64) {
    let quarters = (4.0 * u).round();
    let x = (u - 0.25 * quarters) * std::f64::consts::TAU; // |x| <= pi/4
    let x2 = x * x;
    let sin = x * horner(x2, &SIN_SERIES);
    let cos = horner(x2, &COS_SERIES);
    // Each quarter turn takes (sin, cos) to (cos, -sin).
    match (quarters as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// ln 2 in two pieces: an integer times the first is exact, so a large one costs no accuracy.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000); // 32 leading bits
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1, 1, 1/2!, 1/3!, ...: coefficients of e^x. The first term left out, x^14/14!, is below 1e-17.
const EXP_SERIES: [f64; 14] = {
    let mut terms = [1.0; 14];
    let (mut factorial, mut i) = (1.0, 1);
    while i < terms.len() {
        factorial *= i as f64;
        terms[i] = 1.0 / factorial;
        i += 1;
    }
    terms
};

/// 1, 1/3, 1/5, ...: coefficients of s^0, s^2, s^4, ... in ln((1+s)/(1-s)) / 2s. The first term left
/// out, s^22/23, is below 1e-18.
const LN_SERIES: [f64; 11] = {
    let mut terms = [0.0; 11];
    let mut i = 0;
    while i < terms.len() {
        terms[i] = 1.0 / (2 * i + 1) as f64;
        i += 1;
    }
    terms
};

/// 1, -1/3!, 1/5!, ...: coefficients of x^0, x^2, x^4, ... in sin(x)/x, up to x^16.
const SIN_SERIES: [f64; 9] = alternating_inverse_factorials(1);

/// 1, -1/2!, 1/4!, ...: coefficients of x^0, x^2, x^4, ... in cos(x), up to x^16.
const COS_SERIES: [f64; 9] = alternating_inverse_factorials(0);

/// 1/first!, -1/(first+2)!, 1/(first+4)!, ...; factorials up to 18! are exact in an f64.
const fn alternating_inverse_factorials(first: usize) -> [f64; 9] {
    let mut terms = [0.0; 9];
    let mut factorial = 1.0; // of `first`, which is 0 or 1
    let mut sign = 1.0;
    let mut i = 0;
    while i < terms.len() {
        terms[i] = sign / factorial;
        let n = first + 2 * i;
        factorial *= ((n + 1) * (n + 2)) as f64;
        sign = -sign;
        i += 1;
    }
    terms
}

/// c[0] + c[1] x + c[2] x^2 + ..., highest power first (Horner).
fn horner(x: f64, c: &[f64]) -> f64 {
    c.iter().rev().fold(0.0, |sum, &c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_agrees_with_std() {
        for i in 1..=200_000 {
            // From 2^-53, the smallest argument of Box-Muller, up to 1; then well beyond.
            let x = i as f64 / 200_000.0;
            for x in [x, x * 2f64.powi(-53), 1.0 - x * 2f64.powi(-20), x * 1e300, x * 1e-300] {
                if x > 0.0 {
                    let error = (ln(x) - x.ln()).abs() / x.ln().abs().max(1.0);
                    assert!(error < 1e-15, "ln({x:e}) is off by {error:e} (relative)");
                }
            }
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn ln_keeps_its_relative_accuracy_near_one() {
        // ln(1+d) = d - d^2/2 + ...: here an absolute tolerance would hide everything.
        for d in [1e-15, 1e-12, 1e-9, 1e-6, 1e-3] {
            for x in [1.0 + d, 1.0 - d] {
                assert!((ln(x) / x.ln() - 1.0).abs() < 1e-14, "ln({x})");
            }
        }
    }

    #[test]
    fn exp_agrees_with_std() {
        for i in -70_800..=70_978 {
            for x in [i as f64 * 0.01, i as f64 * 1e-4, i as f64 * 1e-7] {
                let error = (exp(x) / x.exp() - 1.0).abs();
                assert!(error < 1e-15, "exp({x}) is off by {error:e} (relative)");
            }
        }
        assert_eq!((exp(0.0), exp(710.0), exp(-709.0)), (1.0, f64::INFINITY, 0.0));
        assert_eq!((exp(f64::INFINITY), exp(f64::NEG_INFINITY)), (f64::INFINITY, 0.0));
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn sin_cos_agree_with_std() {
        for i in -400_000..=400_000 {
            let u = i as f64 / 300_000.0;
            let (sin, cos) = sin_cos_turns(u);
            let (sin_std, cos_std) = (u * std::f64::consts::TAU).sin_cos();
            // Half of the tolerance is std's: its argument, u times 2 pi, is already rounded.
            assert!((sin - sin_std).abs() < 2e-15, "sin of {u} turns");
            assert!((cos - cos_std).abs() < 2e-15, "cos of {u} turns");
            assert!((sin * sin + cos * cos - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn quarter_turns_are_exact() {
        let expected = [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)];
        for i in -8..8 {
            assert_eq!(sin_cos_turns(i as f64 * 0.25), expected[(i & 3) as usize]);
        }
    }
}
