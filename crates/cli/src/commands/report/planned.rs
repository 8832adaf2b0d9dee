//! What a run's plan expected, beside what became of it.

use super::record::Record;
use super::words::{duration, loss};
use gpt::run_dir::percent_over;
use serde_json::{Value, json};

/// One number of a plan and of how the run ended.
pub(super) struct Planned {
    /// Its name in the table.
    pub(super) name: &'static str,
    /// Its key in JSON.
    key: &'static str,
    expected: f64,
    /// `None` until the run has ended, and where nobody measured it.
    found: Option<f64>,
    /// How such a number is read by people.
    show: fn(f64) -> String,
}

/// The names in the table, in their order.
pub(super) const NAMES: [&str; 3] =
    ["time planned, and taken", "memory planned, and at most", "loss expected, and best"];

/// All numbers of a run's plan; none if it had no plan.
pub(super) fn all(record: &Record) -> Vec<Planned> {
    let Some(plan) = record.info.plan else { return Vec::new() };
    let outcome = record.info.outcome;
    let [time, memory, best] = NAMES;
    let mut planned = vec![
        Planned {
            name: time,
            key: "seconds",
            expected: plan.seconds,
            found: outcome.map(|outcome| outcome.seconds),
            show: duration,
        },
        Planned {
            name: memory,
            key: "bytes",
            expected: plan.bytes as f64,
            found: outcome.and_then(|outcome| outcome.bytes).map(|bytes| bytes as f64),
            show: |bytes| format!("{:.0} MB", bytes / 1e6),
        },
    ];
    planned.extend(plan.expected_loss.map(|expected| Planned {
        name: best,
        key: "loss",
        expected,
        found: outcome.and_then(|outcome| outcome.best_val_loss),
        show: loss,
    }));
    planned
}

impl Planned {
    /// By how many per cent the plan was too low; nothing if it expected 0.
    fn percent(&self) -> Option<f64> {
        self.found.map(|found| percent_over(found, self.expected)).filter(|percent| percent.is_finite())
    }

    /// Both numbers for people, and how far apart they are.
    pub(super) fn text(&self) -> String {
        let expected = (self.show)(self.expected);
        let found = self.found.map_or_else(|| "not known".to_string(), self.show);
        let percent = self.percent().map_or_else(String::new, |percent| format!(" ({percent:+.0} %)"));
        format!("{expected}; {found}{percent}")
    }
}

/// The plan of a run for programs, null if it had none.
pub(super) fn json(record: &Record) -> Value {
    let fields = all(record).into_iter().map(|planned| {
        let percent = planned.percent();
        let numbers = json!({"expected": planned.expected, "found": planned.found, "percent_over": percent});
        (planned.key.to_string(), numbers)
    });
    let fields: serde_json::Map<String, Value> = fields.collect();
    if fields.is_empty() { Value::Null } else { fields.into() }
}
