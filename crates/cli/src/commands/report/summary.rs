//! The figures of a run, for a line, a table and JSON.

use super::figures::{objectives, reach, short};
use super::planned::{self, NAMES, Planned};
use super::record::Record;
use super::series::median;
use super::words::{duration, grouped, loss};
use serde_json::{Value, json};

/// The loss of the last batches that were logged: as many as the last point of the smoothed curve stands for.
pub(super) fn training_loss(record: &Record) -> Option<f64> {
    let losses: Vec<f64> = record.steps.iter().filter_map(|line| line.train_loss).collect();
    let last = &losses[losses.len().saturating_sub(reach(losses.len()) + 1)..];
    (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
}

/// Nats a token by which the run is better than the n-gram baseline; only of one that learns nothing but to go on with a text.
fn below_baseline(record: &Record) -> Option<f64> {
    let best = record.best().filter(|_| record.info.config.train.objective.is_clm())?.val_loss?;
    Some(record.info.count_loss? - best)
}

fn tokens_per_s(record: &Record) -> Option<f64> {
    median(record.steps.iter().filter_map(|line| line.tokens_per_s).collect())
}

/// A figure of a run as text, if the run has it.
type Figure = Box<dyn Fn(&Record) -> Option<String>>;

/// What every run is measured by, in the order of the table.
pub(super) fn rows(records: &[Record], floor: Option<f64>) -> Vec<(String, Figure)> {
    let mut rows: Vec<(String, Figure)> = Vec::new();
    let mut row = |name: &str, of: Figure| rows.push((name.to_string(), of));
    row(
        "updates",
        Box::new(|r| Some(format!("{} of {}", grouped(r.latest()?.iter), grouped(r.max_iters())))),
    );
    row("tokens trained on", Box::new(|r| Some(grouped(r.latest()?.tokens))));
    row("time trained", Box::new(|r| Some(duration(r.latest()?.elapsed_s))));
    row("tokens per second (median)", Box::new(|r| tokens_per_s(r).map(short)));
    row("parameters", Box::new(|r| Some(grouped(r.parameters() as u64))));
    row("began with the weights of", Box::new(|r| r.info.from.as_ref().map(|from| from.path.clone())));
    row(
        "best validation loss",
        Box::new(|r| {
            let best = r.best()?;
            Some(format!("{} after {} updates", loss(best.val_loss?), grouped(best.iter)))
        }),
    );
    row("bits per character", Box::new(|r| r.best()?.val_bits_per_char.map(loss)));
    row("bits per byte", Box::new(|r| r.best()?.val_bits_per_byte.map(loss)));
    row("last validation loss", Box::new(|r| r.evaluations.last()?.val_loss.map(loss)));
    let mut keys: Vec<String> =
        records.iter().filter(|r| objectives(r).len() > 1).flat_map(objectives).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let name = format!("last validation loss of {}", &key["val_loss_".len()..]);
        row(&name, Box::new(move |r| r.evaluations.last()?.val_losses.get(&key).copied().map(loss)));
    }
    row("training loss, mean of the last batches", Box::new(|r| training_loss(r).map(loss)));
    row("n-gram baseline (Kneser-Ney)", Box::new(|r| r.info.count_loss.map(loss)));
    row("better than the baseline by", Box::new(|r| below_baseline(r).map(loss)));
    if let Some(floor) = floor {
        row("above the floor by", Box::new(move |r| Some(loss(r.best()?.val_loss? - floor))));
    }
    for name in NAMES {
        row(
            name,
            Box::new(move |r| planned::all(r).iter().find(|number| number.name == name).map(Planned::text)),
        );
    }
    rows
}

/// A line for the terminal.
pub(super) fn line(record: &Record) -> String {
    let Some(latest) = record.latest() else { return String::new() };
    let best = match record.best().and_then(|best| Some((best.val_loss?, best.iter))) {
        Some((value, iter)) => format!("best validation loss {} after {}", loss(value), grouped(iter)),
        None => "no evaluation yet".to_string(),
    };
    let baseline =
        record.info.count_loss.map_or(String::new(), |count| format!(" (n-gram baseline {})", loss(count)));
    let (iter, of, time) = (grouped(latest.iter), grouped(record.max_iters()), duration(latest.elapsed_s));
    format!("{}: {iter} of {of} updates in {time}, {best}{baseline}\n", record.name())
}

/// The figures of a run for programs. What is not known is null.
pub(super) fn json(record: &Record, floor: Option<f64>) -> Value {
    let (latest, best, last) = (record.latest(), record.best(), record.evaluations.last());
    let mut figures = json!({
        "path": record.name(),
        "iter": latest.map(|line| line.iter),
        "max_iters": record.max_iters(),
        "tokens": latest.map(|line| line.tokens),
        "seconds": latest.map(|line| line.elapsed_s),
        "tokens_per_s": tokens_per_s(record),
        "parameters": record.parameters(),
        "best_iter": best.map(|line| line.iter),
        "best_val_loss": best.and_then(|line| line.val_loss),
        "best_val_bits_per_char": best.and_then(|line| line.val_bits_per_char),
        "best_val_bits_per_byte": best.and_then(|line| line.val_bits_per_byte),
        "val_loss": last.and_then(|line| line.val_loss),
        "train_loss": training_loss(record),
        "count_loss": record.info.count_loss,
        "floor": floor,
        "plan": planned::json(record),
    });
    for (key, value) in last.map(|line| line.val_losses.clone()).unwrap_or_default() {
        figures[key] = value.into();
    }
    figures
}
