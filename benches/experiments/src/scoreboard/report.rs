//! The tables of the scoreboard.

use super::{CLAIMS, Claim, Line, Runs};
use std::fmt::Write;

const HEAD: &str = "# Scoreboard of fine-tuning

Written by a program, from numbers that it measured (`benches/experiments/src/scoreboard`):

```sh
cargo run --release -p experiments --bin scoreboard -- results.tsv --out docs/scoreboard.md
cargo run --release -p experiments --bin scoreboard -- results.tsv --waimai waimai_10k.csv waimai
```

What `results.tsv` has is not measured again. A number is the mean over the seeds ± the standard deviation of one; a
difference is taken seed by seed. Seconds are those of the processor, one thread; in the first table all cases and seeds
together.
";

/// The document.
#[must_use]
pub fn markdown(lines: &[Line]) -> String {
    let mut text = format!(
        "{HEAD}\n| claim | measured | baseline | target | reached | seeds | CPU seconds |\n|---|---|---|---|---|---:|---:|\n"
    );
    let claims: Vec<(&Claim, Runs)> = CLAIMS.iter().map(|claim| (claim, Runs::of(claim, lines))).collect();
    for (claim, runs) in &claims {
        text += &row(claim, runs);
    }
    for (claim, runs) in &claims {
        text += &section(claim, runs);
    }
    text
}

/// Seeds with which all cases were measured.
fn complete(claim: &Claim, runs: &Runs) -> usize {
    let has_all = |seed: &&u64| claim.cases.iter().all(|case| runs.has(case, **seed));
    claim.seeds.iter().filter(has_all).count()
}

fn row(claim: &Claim, runs: &Runs) -> String {
    let (done, of, seconds) = (complete(claim, runs), claim.seeds.len(), runs.seconds());
    let (says, name) = (claim.says, claim.name);
    match (claim.verdict)(runs).filter(|_| done > 0) {
        None => format!("| [{says}](#{name}) | not measured | | | | 0 of {of} | |\n"),
        Some(verdict) => {
            let reached = match (verdict.reached, done == of) {
                (true, true) => "yes",
                (true, false) => "so far",
                (false, _) => "no",
            };
            let (measured, baseline, target) = (verdict.measured, verdict.baseline, verdict.target);
            format!(
                "| [{says}](#{name}) | {measured} | {baseline} | {target} | {reached} | {done} of {of} | {seconds:.0} |\n"
            )
        }
    }
}

/// What a claim was measured with, and every case.
fn section(claim: &Claim, runs: &Runs) -> String {
    let mut text = format!("\n## {}\n\n{}.\n", claim.name, claim.says);
    let settings = (claim.settings)();
    if complete(claim, runs) == 0 {
        let flag = claim.file.map_or_else(String::new, |flag| format!(" It needs a file: `{flag} FILE`."));
        let _ = writeln!(text, "\nNot measured yet.{flag}\n\nSettings: {settings}.");
        return text;
    }
    let shown: Vec<_> = claim
        .columns
        .iter()
        .filter(|column| claim.cases.iter().any(|case| runs.summary(case, column.quantity).is_some()))
        .collect();
    let headings: Vec<&str> = shown.iter().map(|column| column.heading).collect();
    let _ = writeln!(text, "\n| | {} |\n|---|{}", headings.join(" | "), "---:|".repeat(shown.len()));
    for case in claim.cases {
        let cell = |column: &&super::Column| {
            runs.summary(case, column.quantity).map_or_else(String::new, |summary| summary.shown(column.show))
        };
        let cells: Vec<String> = shown.iter().map(cell).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            let _ = writeln!(text, "| {case} | {} |", cells.join(" | "));
        }
    }
    let seeds: Vec<String> = claim.seeds.iter().map(u64::to_string).collect();
    let _ =
        writeln!(text, "\nSettings: {settings}. Seeds {}. {}.", seeds.join(", "), runs.machines().join("; "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::Values;

    /// Every claim has a row whether it was measured or not, and numbers of it make another one.
    #[test]
    fn every_claim_has_a_row() {
        let empty = markdown(&[]);
        for claim in CLAIMS {
            assert!(empty.contains(&format!("](#{}) | not measured |", claim.name)), "{empty}");
        }
        let claim = &CLAIMS[0];
        let line = |case: &&str, (quantity, value): (&str, f64)| Line {
            claim: claim.name.into(),
            settings: (claim.settings)(),
            case: (*case).into(),
            seed: claim.seeds[0],
            quantity: quantity.into(),
            value,
            machine: "a machine".into(),
        };
        let values: Values = vec![("accuracy", 0.9321), ("cpu_seconds", 10.0)];
        let lines: Vec<Line> =
            claim.cases.iter().flat_map(|case| values.iter().map(move |value| line(case, *value))).collect();
        let text = markdown(&lines);
        assert!(!text.contains(&format!("](#{}) | not measured", claim.name)), "{text}");
        assert!(text.contains("0.9321") && text.contains("a machine"), "{text}");
        assert!(text.contains(&format!("| 1 of {} |", claim.seeds.len())), "{text}");
    }
}
