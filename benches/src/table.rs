//! Tables in Markdown, and numbers with their units.

/// As [`write()`], of measured times: nothing if there are no rows, or under `cargo test`, where times mean nothing.
pub fn print(title: &str, header: &[&str], rows: &[Vec<String>]) {
    if !rows.is_empty() && crate::measure::is_bench() {
        write(title, header, rows);
    }
}

/// Writes a table on stdout, with its title.
pub fn write(title: &str, header: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}\n\n{}", markdown(header, rows).trim_end());
}

/// A table in Markdown, a line a row; the first column is left-aligned.
#[must_use]
pub fn markdown(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(header[column].chars().count())
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = |column: usize| if column == 0 { "---".to_string() } else { "---:".to_string() };
    let head = line(&header.iter().map(ToString::to_string).collect::<Vec<_>>());
    let rule = line(&(0..header.len()).map(rule).collect::<Vec<_>>());
    head + &rule + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// Seconds with three digits, in a unit that suits them.
#[must_use]
pub fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (1e3 * s, "ms"),
        s => (1e6 * s, "us"),
    };
    let decimals = if value >= 100.0 { 0 } else { 1 + usize::from(value < 10.0) };
    format!("{value:.decimals$} {unit}")
}

/// Billions of something a second: GFLOP/s from floating point operations, GB/s from bytes.
#[must_use]
pub fn giga(amount: f64, seconds: f64) -> String {
    format!("{:.1}", amount / seconds / 1e9)
}

/// A part of a whole in percent.
#[must_use]
pub fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        assert_eq!(time(2.5), "2.50 s");
        assert_eq!(time(0.0123), "12.3 ms");
        assert_eq!(time(456.7e-6), "457 us");
    }
}
