//! An axis: numbers to places, with ticks at round numbers.

/// A number beyond it is drawn at it, and a shorter axis than its inverse becomes longer: quotients stay finite.
const LARGEST: f64 = 1e100;
/// A number so many lengths of the axis away is drawn there: it is far outside, and its place a short number.
const FARTHEST: f64 = 100.0;

/// A linear axis from one number to another, and where these are in the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// From the least to the largest of some numbers, at `start` and `end`. Numbers that are all alike get room around them,
    /// and none at all become 0 to 1.
    pub(crate) fn new((from, to): (f64, f64), start: f64, end: f64) -> Self {
        let (from, to) = (from.clamp(-LARGEST, LARGEST), to.clamp(-LARGEST, LARGEST));
        let shortest = (1e-9 * from.abs().max(to.abs())).max(1.0 / LARGEST);
        let room = if to - from > shortest { 0.0 } else { (0.05 * from.abs()).max(0.5) };
        let (from, to) = if from <= to { (from - room, to + room) } else { (0.0, 1.0) };
        Self { from, to, start, end }
    }

    /// Where a number is.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(-LARGEST, LARGEST);
        let share = (value - self.from) / (self.to - self.from);
        self.start + (self.end - self.start) * share.clamp(-FARTHEST, FARTHEST)
    }

    /// Whether a number lies on it.
    pub(crate) fn holds(&self, value: f64) -> bool {
        self.from <= value && value <= self.to
    }

    /// About so many ticks, at multiples of 1, 2 or 5 times a power of ten, and how they are written.
    pub(crate) fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        let rough = (self.to - self.from) / about.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.from / step - 1e-6).ceil();
        let count = ((self.to / step + 1e-6).floor() - first).clamp(0.0, 100.0) as usize;
        (0..=count).map(|k| (first + k as f64) * step).map(|tick| (tick, written(tick, step))).collect()
    }
}

/// A tick with as many decimals as its neighbours need.
fn written(tick: f64, step: f64) -> String {
    if !(1e-6..1e6).contains(&step) {
        return format!("{tick:.1e}");
    }
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    let tick = if tick.abs() < step / 2.0 { 0.0 } else { tick }; // no -0
    format!("{tick:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(from: f64, to: f64) -> Vec<String> {
        Axis::new((from, to), 0.0, 100.0).ticks(5).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(ticks(1.43, 1.97), ["1.6", "1.8"]);
        assert_eq!(ticks(1.43, 1.77), ["1.5", "1.6", "1.7"]);
        assert_eq!(ticks(0.0, 1e-3), ["0.0000", "0.0002", "0.0004", "0.0006", "0.0008", "0.0010"]);
        assert_eq!(ticks(-130.0, 130.0), ["-100", "0", "100"]);
        assert_eq!(ticks(0.0, 24.0), ["0", "5", "10", "15", "20"]);
    }

    #[test]
    fn places_are_finite_whatever_the_numbers() {
        let edges = [f64::MIN, f64::MAX, 0.0, 5e-324, 1.0];
        for from in edges {
            for to in edges {
                let axis = Axis::new((from, to), 10.0, 20.0);
                assert!(edges.iter().all(|x| axis.at(*x).is_finite()), "{axis:?}");
                assert!(axis.ticks(5).len() <= 101, "{axis:?}");
            }
        }
        let one = Axis::new((3.0, 3.0), 0.0, 10.0);
        assert_eq!((one.at(3.0), one.holds(3.0), one.holds(9.0)), (5.0, true, false));
        let none = Axis::new((f64::INFINITY, f64::NEG_INFINITY), 0.0, 10.0);
        assert_eq!(none.at(0.5), 5.0);
    }
}
