//! The mean cost of generated symbols and how uncertain it is.
//!
//! Neighbouring symbols depend on each other, so the textbook sd / sqrt(n) would be wrong. Documents are
//! independent (and blocks of a stream nearly so): with n_d nats and t_d symbols in document d of D,
//!
//! R = sum n_d / sum t_d,   se(R)^2 = D/(D-1) sum (n_d - R t_d)^2 / (sum t_d)^2
//!
//! the ratio estimator (Cochran, Sampling Techniques, 1977, section 2.11).
//!
//! Where every document costs the same that is 0, and the sums still differ from the exact ones in their last
//! digits. So the rounding of a sum of D numbers, at most D 2^-52 R, is part of the error.

/// Sums over documents; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    floor: f64,
    documents: u64,
    nats: f64,
    symbols: f64,
    // With d = nats - floor * symbols of a document: small numbers, whose squares lose no digits.
    sum_dd: f64,
    sum_dt: f64,
    sum_tt: f64,
}

impl Measure {
    /// Nothing yet. `floor` only has to be near the mean: it keeps the arithmetic accurate.
    pub fn new(floor: f64) -> Measure {
        Measure { floor, documents: 0, nats: 0.0, symbols: 0.0, sum_dd: 0.0, sum_dt: 0.0, sum_tt: 0.0 }
    }

    /// Adds a document. One without symbols of the kind measured does not count.
    pub fn add(&mut self, nats: f64, symbols: f64) {
        if symbols == 0.0 {
            return;
        }
        let d = nats - self.floor * symbols;
        self.documents += 1;
        self.nats += nats;
        self.symbols += symbols;
        self.sum_dd += d * d;
        self.sum_dt += d * symbols;
        self.sum_tt += symbols * symbols;
    }

    /// How many symbols were added.
    pub fn symbols(&self) -> f64 {
        self.symbols
    }

    /// Nats a symbol; 0 if there are none.
    pub fn mean(&self) -> f64 {
        if self.symbols > 0.0 { self.nats / self.symbols } else { 0.0 }
    }

    /// Standard error of the mean; none with fewer than two documents.
    pub fn standard_error(&self) -> Option<f64> {
        if self.documents < 2 {
            return None;
        }
        let off = self.mean() - self.floor;
        let squares = self.sum_dd - 2.0 * off * self.sum_dt + off * off * self.sum_tt;
        let d = self.documents as f64;
        let rounding = d * f64::EPSILON * self.mean().abs();
        Some((squares.max(0.0) * d / (d - 1.0)).sqrt() / self.symbols + rounding)
    }

    /// Whether the mean lies within `z` standard errors of a floor that can itself be off by `error`. False
    /// when there is no standard error, and when anything is not a number.
    pub fn agrees_with(&self, floor: f64, error: f64, z: f64) -> bool {
        self.standard_error().is_some_and(|se| (self.mean() - floor).abs() <= z * se + error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_documents_are_the_textbook() {
        // Four documents of one symbol: mean 2.5, se = sd / sqrt(4) with sd^2 = 5/3.
        let mut measure = Measure::new(2.0);
        for nats in [1.0, 2.0, 3.0, 4.0] {
            measure.add(nats, 1.0);
        }
        assert_eq!(measure.mean(), 2.5);
        assert!((measure.standard_error().unwrap() - (5.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-14);
        assert!(measure.agrees_with(2.5, 0.0, 0.0) && !measure.agrees_with(5.2, 0.0, 4.0));
        assert!(!measure.agrees_with(f64::NAN, 0.0, 4.0));
    }

    #[test]
    fn unequal_documents() {
        // R = 9/6; residuals 1 - 1.5, 5 - 3, 3 - 4.5; se^2 = 3/2 (0.25 + 4 + 2.25) / 36
        let mut measure = Measure::new(1.0);
        for (nats, symbols) in [(1.0, 1.0), (5.0, 2.0), (3.0, 3.0), (0.0, 0.0)] {
            measure.add(nats, symbols);
        }
        assert!((measure.standard_error().unwrap() - (1.5 * 6.5 / 36.0_f64).sqrt()).abs() < 1e-14);
    }

    /// A thousand documents of thrice a third: only the rounding is left, and it is enough.
    #[test]
    fn equal_costs_leave_the_rounding() {
        let mut measure = Measure::new(1.0 / 3.0);
        (0..1000).for_each(|_| measure.add(0.1 + 0.2 + 0.7, 3.0));
        let error = measure.standard_error().unwrap();
        assert!(error > 0.0 && error < 1e-12, "{error}");
        assert!(measure.agrees_with(1.0 / 3.0, 0.0, 4.0) && !measure.agrees_with(0.333_333_333, 0.0, 4.0));
    }

    #[test]
    fn one_document_says_nothing_of_the_spread() {
        let mut measure = Measure::new(0.0);
        measure.add(1.0, 1.0);
        assert_eq!(measure.standard_error(), None);
        assert!(!measure.agrees_with(1.0, 0.0, 4.0));
    }
}
