//! An axis: numbers to places, with ticks at round numbers.

use plotters::coord::ranged1d::{BoldPoints, DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use std::ops::Range;

/// Numbers beyond it are drawn at it, and an axis is at least its inverse long: quotients stay finite.
const LARGEST: f64 = 1e100;
/// A number further away than so many lengths of the axis is drawn there: outside of the plot, at a finite place.
const FARTHEST: f64 = 100.0;

/// An axis, linear or logarithmic, with its name.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with the unit.
    pub(crate) name: String,
    from: f64,
    to: f64,
    is_log: bool,
    ticks: Option<Vec<f64>>,
}

impl Axis {
    /// A linear axis from the first to the second of `range`. Two equal numbers get room around them; a range that is empty or
    /// not a number becomes 0 to 1.
    pub fn linear(name: &str, range: (f64, f64)) -> Self {
        Self::new(name, range, false)
    }

    /// A logarithmic axis; both numbers of `range` must be above 0, or it becomes linear.
    pub fn log(name: &str, range: (f64, f64)) -> Self {
        Self::new(name, range, range.0 > 0.0 && range.1 > 0.0)
    }

    /// The same axis with ticks at these numbers.
    pub fn with_ticks(self, ticks: Vec<f64>) -> Self {
        Self { ticks: Some(ticks), ..self }
    }

    fn new(name: &str, (from, to): (f64, f64), is_log: bool) -> Self {
        let least = if is_log { 1.0 / LARGEST } else { -LARGEST };
        let (from, to) = (from.clamp(least, LARGEST), to.clamp(least, LARGEST));
        let (from, to) = if from <= to { (from, to) } else { (if is_log { 1.0 } else { 0.0 }, 1.0) }; // NaN as well
        let shortest = (1e-9 * from.abs().max(to.abs())).max(1.0 / LARGEST);
        let (from, to) = match to - from > shortest {
            true => (from, to),
            false if is_log => (from / 2.0, from * 2.0),
            false => {
                let room = (0.05 * from.abs()).max(0.5);
                (from - room, to + room)
            }
        };
        Self { name: name.to_string(), from, to, is_log, ticks: None }
    }

    /// Where a number is: 0 at the beginning of the axis, 1 at its end.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let scaled = |value: f64| match self.is_log {
            true => value.clamp(1.0 / LARGEST, LARGEST).ln(),
            false => value.clamp(-LARGEST, LARGEST),
        };
        let (from, to) = (scaled(self.from), scaled(self.to));
        ((scaled(value) - from) / (to - from)).clamp(-FARTHEST, FARTHEST)
    }

    /// At most about so many ticks, at multiples of 1, 2 or 5 times a power of ten.
    pub(crate) fn ticks(&self, most: usize) -> Ticks {
        let numbers = match &self.ticks {
            Some(ticks) => ticks.clone(),
            None if self.is_log => self.log_ticks(most),
            None => RangedCoordf64::from(self.from..self.to).key_points(BoldPoints(most)),
        };
        let apart = numbers.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        let is_shared = self.ticks.is_none() && !self.is_log && apart.is_finite();
        let tick = |&number: &f64| match is_shared {
            true => (self.share(number), spaced(number, apart)),
            false => (self.share(number), alone(number)),
        };
        Ticks(numbers.iter().map(tick).collect())
    }

    fn log_ticks(&self, most: usize) -> Vec<f64> {
        let powers = self.from.log10().floor() as i32..=self.to.log10().ceil() as i32;
        let numbers = |factors: &[f64]| -> Vec<f64> {
            let all = powers.clone().flat_map(|power| factors.iter().map(move |f| f * 10_f64.powi(power)));
            all.filter(|number| (self.from..=self.to).contains(number)).collect()
        };
        let fine = numbers(&[1.0, 2.0, 5.0]);
        if fine.len() <= most {
            return fine;
        }
        let coarse = numbers(&[1.0]);
        let every = coarse.len().div_ceil(most.max(1)).max(1);
        coarse.into_iter().step_by(every).collect()
    }
}

/// The ticks of an axis, where they are and what is written there.
#[derive(Clone, Debug)]
pub(crate) struct Ticks(pub(crate) Vec<(f64, String)>);

impl Ticks {
    /// What is written at a place.
    pub(crate) fn text(&self, share: f64) -> String {
        self.0.iter().find(|tick| tick.0 == share).map_or(String::new(), |tick| tick.1.clone())
    }
}

/// Places from 0 to 1, and nothing between the ticks.
impl Ranged for Ticks {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, share: &f64, (start, end): (i32, i32)) -> i32 {
        start + (f64::from(end - start) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight().allow_light_points() {
            true => Vec::new(),
            false => self.0.iter().map(|tick| tick.0).collect(),
        }
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0
    }
}

/// A tick with as many decimals as its neighbours need, `apart` from it.
fn spaced(tick: f64, apart: f64) -> String {
    if !(1e-6..1e6).contains(&apart) {
        return format!("{tick:.1e}");
    }
    let decimals = (-(apart.log10() + 1e-9).floor()).max(0.0) as usize;
    let tick = if tick.abs() < apart / 2.0 { 0.0 } else { tick }; // no -0
    format!("{tick:.decimals$}")
}

/// A tick on its own, with three digits.
fn alone(tick: f64) -> String {
    match tick.abs() {
        size if size == 0.0 || (1e3..1e6).contains(&size) => format!("{tick:.0}"),
        size if (1e-6..1e3).contains(&size) => {
            let text = format!("{tick:.*}", (2.0 - size.log10().floor()).max(0.0) as usize);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                false => text,
            }
        }
        _ => format!("{tick:.0e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks(6).0.into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round() {
        let linear = |from, to| texts(&Axis::linear("", (from, to)));
        assert_eq!(linear(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(linear(1.43, 1.77), ["1.5", "1.6", "1.7"]);
        assert_eq!(linear(0.0, 2e-3), ["0.0000", "0.0005", "0.0010", "0.0015", "0.0020"]);
        assert_eq!(linear(-130.0, 130.0), ["-100", "-50", "0", "50", "100"]);
        let log = |from, to| texts(&Axis::log("", (from, to)));
        assert_eq!(log(0.9, 8.0), ["1", "2", "5"]);
        assert_eq!(log(1e-4, 1.0), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        let own = Axis::log("", (0.98, 7.86)).with_ticks(vec![0.983, 1.966, 3.932, 7.864]);
        assert_eq!(texts(&own), ["0.983", "1.97", "3.93", "7.86"]);
        assert!((own.share(1.966) - 0.334).abs() < 0.002, "{}", own.share(1.966));
    }

    #[test]
    fn places_are_finite_whatever_the_numbers() {
        let edges = [f64::MIN, -1.0, 0.0, 5e-324, 1e-16, 1.0, 1.0 + 1e-15, 1e16, f64::MAX, f64::INFINITY];
        for from in edges {
            for to in edges {
                for axis in [Axis::linear("", (from, to)), Axis::log("", (from, to))] {
                    assert!(edges.iter().all(|x| axis.share(*x).is_finite()), "{axis:?}");
                    let ticks = axis.ticks(6).0;
                    assert!(
                        ticks.len() <= 8 && ticks.iter().all(|tick| tick.0.is_finite()),
                        "{axis:?}: {ticks:?}"
                    );
                }
            }
        }
        let one = Axis::linear("", (3.0, 3.0));
        assert_eq!((one.share(3.0), one.share(9.0) > 1.0), (0.5, true));
        let none = Axis::linear("", (f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!((none.share(0.5), Axis::linear("", (f64::NAN, 1.0)).share(0.5)), (0.5, 0.5));
    }
}
