//! Many measurements as few points.

use chart::Point;

/// The mean of each point's neighbours, up to `reach` on each side. Near the beginning both sides become shorter, so that a
/// steep start is not lifted; at the end only the later side does, so that the last value is a mean as well.
pub(super) fn smoothed(points: &[Point], reach: usize) -> Vec<Point> {
    let mut sums = vec![0.0];
    for (_, y) in points {
        sums.push(sums[sums.len() - 1] + y);
    }
    let mean = |i: usize| {
        let (from, to) = (i - reach.min(i), i + reach.min(i).min(points.len() - 1 - i));
        (sums[to + 1] - sums[from]) / (to + 1 - from) as f64
    };
    points.iter().enumerate().map(|(i, (x, _))| (*x, mean(i))).collect()
}

/// At most about `most` points: of each stretch its least and its largest, in their order, so that no peak is lost.
pub(super) fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(most.div_ceil(2));
    let mut kept = Vec::with_capacity(most + 2);
    for part in points.chunks(stretch) {
        let by = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
        let ends = [(0..part.len()).min_by(by), (0..part.len()).max_by(by)];
        let [Some(least), Some(largest)] = ends else { continue };
        kept.push(part[least.min(largest)]);
        if least != largest {
            kept.push(part[least.max(largest)]);
        }
    }
    kept
}

/// The middle of some numbers.
pub(super) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let n = numbers.len();
    (n > 0).then(|| 0.5 * (numbers[(n - 1) / 2] + numbers[n / 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_lines_and_ends_in_a_mean() {
        let line: Vec<Point> = (0..20).map(|i| (f64::from(i), 100.0 - f64::from(i))).collect();
        let smooth = smoothed(&line, 3);
        assert_eq!(smooth[..17], line[..17], "a straight line stays as it is");
        assert_eq!(smooth[19], (19.0, (81.0 + 82.0 + 83.0 + 84.0) / 4.0));
        assert!(smoothed(&[], 3).is_empty());
        assert_eq!(smoothed(&line[..1], 3), line[..1]);
    }

    #[test]
    fn thinning_keeps_peaks_and_order() {
        let mut points: Vec<Point> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        points[4321].1 = 99.0;
        points[4322].1 = -99.0;
        let thin = thinned(&points, 300);
        assert!(thin.len() <= 302 && thin.contains(&points[4321]) && thin.contains(&points[4322]));
        assert!(thin.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(thinned(&points[..300], 300), points[..300]);
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
    }
}
