//! Numbers of 16 bits, which models of other programs are kept in: each is an f32, too.

/// The f32 of the bits of a number of this type of safetensors; none, if it is no type of 16 bits.
pub(super) fn widening(dtype: &str) -> Option<fn(u16) -> f32> {
    match dtype {
        "BF16" => Some(|bits| f32::from_bits(u32::from(bits) << 16)),
        "F16" => Some(of_f16),
        _ => None,
    }
}

/// Of one sign bit, 5 of exponent and 10 of mantissa. Moved to the places of an f32, their exponent is too small by 112,
/// the difference of the biases; multiplying by 2^112 is exact, of subnormal numbers, too.
fn of_f16(bits: u16) -> f32 {
    const INFINITE: u16 = 0x7C00;
    let (sign, rest) = (u32::from(bits & 0x8000) << 16, bits & 0x7FFF);
    let moved = u32::from(rest) << 13;
    if rest >= INFINITE {
        return f32::from_bits(sign | 0x7F80_0000 | moved & 0x007F_FFFF);
    }
    f32::from_bits(sign | (f32::from_bits(moved) * f32::from_bits((127 + 112) << 23)).to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number there is, by the definition of both types.
    #[test]
    fn all_numbers() {
        for (dtype, exponent_bits) in [("F16", 5), ("BF16", 8)] {
            let mantissa_bits = 15 - exponent_bits;
            let bias = (1 << (exponent_bits - 1)) - 1;
            let widened = widening(dtype).unwrap();
            for bits in 0..=u16::MAX {
                let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
                let exponent = i32::from(bits & 0x7FFF) >> mantissa_bits;
                let fraction =
                    f64::from(bits & ((1 << mantissa_bits) - 1)) / f64::from(1_u32 << mantissa_bits);
                let power = |exponent: i32| 2.0_f64.powi(exponent - bias);
                let expected = match exponent {
                    0 => sign * power(1) * fraction,
                    e if e < (1 << exponent_bits) - 1 => sign * power(e) * (1.0 + fraction),
                    _ if fraction == 0.0 => sign * f64::INFINITY,
                    _ => f64::NAN,
                };
                let found = widened(bits);
                assert_eq!(found.is_nan(), expected.is_nan(), "{dtype} {bits:#06x}");
                if !expected.is_nan() {
                    assert_eq!(f64::from(found).to_bits(), expected.to_bits(), "{dtype} {bits:#06x}");
                }
            }
        }
        assert!(widening("F64").is_none());
    }
}
