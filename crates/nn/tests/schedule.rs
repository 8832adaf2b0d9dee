//! Schedules against numbers from nanoGPT's `get_lr` (Python, float64).

use nn::Schedule;

fn nano_cpu() -> Schedule {
    Schedule::Cosine { learning_rate: 1e-3, min_lr: 1e-4, warmup_iters: 100, lr_decay_iters: 2000 }
}

#[track_caller]
fn check(schedule: Schedule, expected: &[(u64, f64)]) {
    for &(it, expected) in expected {
        let found = f64::from(schedule.lr(it));
        assert!((found - expected).abs() <= 1e-7 * expected, "step {it}: found {found}, expected {expected}");
    }
}

#[test]
fn cosine_is_nanogpts() {
    let expected = [
        (0, 9.900990099009901e-06),
        (1, 1.9801980198019803e-05),
        (50, 0.000504950495049505),
        (99, 0.0009900990099009901),
        (100, 0.001),
        (101, 0.0009999993848585915),
        (500, 0.0009051132292283772),
        (1050, 0.00055),
        (1700, 0.00015423681195707997),
        (1999, 0.00010000061514140841),
        (2000, 0.0001),
        (2001, 0.0001),
        (5000, 0.0001),
    ];
    check(nano_cpu(), &expected);
}

#[test]
fn linear_goes_straight_to_zero_one_step_after_the_last() {
    let schedule = Schedule::Linear { learning_rate: 1e-3, warmup_iters: 100, lr_decay_iters: 2100 };
    check(schedule, &[(0, 1e-3 / 101.0), (99, 0.1 / 101.0), (100, 1e-3), (600, 7.5e-4), (1100, 5e-4)]);
    check(schedule, &[(2099, 5e-7), (2100, 0.0), (9999, 0.0)]);
}

#[test]
fn wsd_rises_stays_and_goes_straight_down() {
    let (warmup_iters, decay_start, lr_decay_iters) = (100, 1600, 2000);
    let wsd = Schedule::Wsd { learning_rate: 1e-3, min_lr: 1e-4, warmup_iters, decay_start, lr_decay_iters };
    check(wsd, &[(0, 1e-3 / 101.0), (99, 0.1 / 101.0), (100, 1e-3), (1599, 1e-3), (1600, 1e-3)]);
    check(wsd, &[(1601, 1e-3 - 9e-4 / 400.0), (1800, 5.5e-4), (1900, 3.25e-4), (1999, 1e-4 + 9e-4 / 400.0)]);
    check(wsd, &[(2000, 1e-4), (9999, 1e-4)]);
    // A longer run has the same rates until its own decay.
    let longer = Schedule::Wsd {
        learning_rate: 1e-3,
        min_lr: 1e-4,
        warmup_iters,
        decay_start: 3600,
        lr_decay_iters: 4000,
    };
    assert!((0..=1600).all(|it| longer.lr(it) == wsd.lr(it)));
}

#[test]
fn constant_is_constant() {
    check(Schedule::Constant { learning_rate: 3e-4 }, &[(0, 3e-4), (1, 3e-4), (u64::MAX, 3e-4)]);
}

#[test]
fn the_rate_rises_to_its_peak_then_falls() {
    let linear = Schedule::Linear { learning_rate: 1e-3, warmup_iters: 100, lr_decay_iters: 2000 };
    for schedule in [nano_cpu(), linear] {
        assert!((0..100).all(|it| schedule.lr(it) < schedule.lr(it + 1)));
        assert!((100..1999).all(|it| schedule.lr(it) > schedule.lr(it + 1)));
    }
}

/// Runs shorter than their warm-up, or without one, or without a decay, have a rate at every step.
#[test]
fn phases_may_be_empty() {
    for warmup_iters in [0, 10, 20] {
        let cosine = Schedule::Cosine { learning_rate: 1.0, min_lr: 0.1, warmup_iters, lr_decay_iters: 10 };
        let linear = Schedule::Linear { learning_rate: 1.0, warmup_iters, lr_decay_iters: 10 };
        assert!((0..30).all(|it| (0.0..=1.0).contains(&cosine.lr(it)) && cosine.lr(it) > 0.0));
        assert!((0..30).all(|it| (0.0..=1.0).contains(&linear.lr(it))));
        for decay_start in [0, warmup_iters, 10] {
            let wsd = Schedule::Wsd {
                learning_rate: 1.0,
                min_lr: 0.1,
                warmup_iters,
                decay_start,
                lr_decay_iters: 10,
            };
            assert!((0..30).all(|it| (0.0..=1.0).contains(&wsd.lr(it)) && wsd.lr(it) > 0.0));
        }
    }
    let none = Schedule::Cosine { learning_rate: 1.0, min_lr: 0.1, warmup_iters: 0, lr_decay_iters: 10 };
    assert_eq!(none.lr(0), 1.0);
}
