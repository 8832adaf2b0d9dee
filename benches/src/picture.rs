//! The ladder over T, as a picture.

use crate::alternate::median;
use crate::attention::Size;
use crate::ladder::{Pass, Row};
use chart::{Axis, Curve, Curves, Look, Picture, Point};
use tensor::kernels::attention::{LADDER, TRAINING};

/// Time a token over T, forward and backward, of the sizes that differ in T alone and have as many tokens in all, on the most
/// threads that were asked for; with the time that the matrix product of the same rounds would need. `None` where no two
/// sizes are such.
#[must_use]
pub fn over_time(rows: &[Row]) -> Option<String> {
    let threads = rows.iter().map(|row| row.threads).max()?;
    let rows: Vec<&Row> = rows.iter().filter(|row| row.threads == threads).collect();
    let alike =
        |size: Size| rows.iter().copied().filter(|row| kind(row.size) == kind(size)).collect::<Vec<_>>();
    let groups = rows.iter().map(|row| alike(row.size));
    let group = groups.max_by_key(|group| times(group).len()).filter(|group| times(group).len() > 1)?;
    let panels =
        ["forward", "backward"].iter().enumerate().map(|(pass, name)| panel(&group, pass, name).into());
    let description =
        format!("Microseconds a token over T, on {threads} threads, of each rung of the attention ladder");
    Some(Picture::new(&description, panels.collect()).standalone())
}

/// What sizes of one curve have in common.
fn kind(size: Size) -> impl PartialEq {
    let shape = size.shape;
    (shape.n_head, shape.n_kv_head, shape.head_size, size.keys, shape.batch * shape.time)
}

/// The different T, ascending.
fn times(rows: &[&Row]) -> Vec<usize> {
    let mut times: Vec<usize> = rows.iter().map(|row| row.size.shape.time).collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// Microseconds a token of one pass, if it was timed; by the clock, and at the speed of the matrix product.
fn micros(row: &Row, pass: usize) -> Option<(f64, f64)> {
    let Pass { seconds, of_sgemm, .. } = &row.passes.as_ref().ok()?[pass];
    let tokens = (row.size.shape.batch * row.size.shape.time) as f64;
    let micros = 1e6 * median(seconds) / tokens;
    Some((micros, micros * median(of_sgemm)))
}

fn panel(rows: &[&Row], pass: usize, name: &str) -> Curves {
    let is_timed = |name: &str| rows.iter().any(|row| row.rung == name && row.passes.is_ok());
    let rungs: Vec<&str> = LADDER.iter().map(|rung| rung.name).filter(|name| is_timed(name)).collect();
    let points = |rung: &str, at_sgemm: bool| -> Vec<Point> {
        let of_rung = rows.iter().filter(|row| row.rung == rung);
        let point = |row: &&Row| {
            let (measured, possible) = micros(row, pass)?;
            Some((row.size.shape.time as f64, if at_sgemm { possible } else { measured }))
        };
        let mut points: Vec<Point> = of_rung.filter_map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let mut curves: Vec<Curve> = rungs
        .iter()
        .enumerate()
        .map(|(colour, rung)| Curve {
            name: rung.to_string(),
            points: points(rung, false),
            colour,
            look: Look::Points,
        })
        .collect();
    curves.push(Curve {
        name: "at the speed of the matrix product".to_string(),
        points: points(TRAINING.name, true),
        colour: rungs.len(),
        look: Look::Dashed,
    });
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let range = |value: fn(&Point) -> f64| {
        all().map(value).fold((f64::INFINITY, 0.0_f64), |(least, most), x| (least.min(x), most.max(x)))
    };
    let keys = rows[0].size.keys;
    let (x, y) = (range(|point| point.0), range(|point| point.1));
    Curves {
        title: format!("Attention, {keys}: {name}"),
        x: Axis::log("T, with B T the same", x)
            .with_ticks(times(rows).into_iter().map(|time| time as f64).collect()),
        y: Axis::log("microseconds a token", y),
        curves,
        levels: Vec::new(),
        height: 220.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::{Keys, Shape};
    use crate::ladder::{Plan, measure};

    #[test]
    fn a_curve_needs_two_times() {
        let size = |batch, time| Size { shape: Shape::new(batch, 1, time, 4), keys: Keys::Causal };
        let plan = |sizes| Plan {
            sizes,
            threads: vec![1],
            rungs: LADDER.to_vec(),
            seconds: 0.0,
            limit: f64::INFINITY,
        };
        let picture = |sizes| over_time(&measure(&plan(sizes), |_, _| {}).unwrap());
        let drawn = picture(vec![size(4, 8), size(2, 16), size(1, 64)]).expect("two with B T = 32");
        assert!(LADDER.iter().all(|rung| drawn.contains(rung.name)) && drawn.contains("causal: backward"));
        let ticks = |time: &str| drawn.lines().any(|line| line == time);
        assert!(ticks("8") && ticks("16") && !ticks("64"), "{drawn}");
        assert!(picture(vec![size(4, 8), size(1, 64)]).is_none());
        assert!(over_time(&[]).is_none());
    }
}
