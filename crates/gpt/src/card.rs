//! The card of a model: what it was trained on, and what came of it.

use crate::config::GptConfig;
use crate::files::{CheckpointError, io_error, store};
use std::fmt::Write as _;
use std::path::Path;

/// What the model card says. Empty and `None` fields are left out of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCard {
    /// The text it was trained on: a path or a name.
    pub data: String,
    /// Its sha256.
    pub data_sha256: String,
    /// The model that the training began with: a path; empty, if it began with random weights.
    pub from: String,
    /// Its sha256 ([`crate::peft::fingerprint`]).
    pub from_sha256: String,
    /// What of it was trained, if not everything.
    pub method: String,
    /// The last training loss, in nats per token.
    pub train_loss: Option<f64>,
    /// The validation loss, in nats per token.
    pub val_loss: Option<f64>,
    /// The same in bits per character.
    pub val_bits_per_char: Option<f64>,
    /// The same in bits per byte of UTF-8.
    pub val_bits_per_byte: Option<f64>,
    /// Iterations trained.
    pub iter: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// The command that trained it, word by word.
    pub command: Vec<String>,
    /// When, for instance from [`crate::machine::now_utc`].
    pub date: String,
}

/// The model card, Markdown.
pub(crate) fn render(config: &GptConfig, card: &ModelCard) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut row = |name, value: String| {
        if !value.is_empty() {
            rows.push((name, value));
        }
    };
    let loss = |x: Option<f64>| x.map(|x| format!("{x:.4}")).unwrap_or_default();
    row("Trained on", code(&card.data));
    row("sha256 of the text", code(&card.data_sha256));
    row("Began with the weights of", code(&card.from));
    row("sha256 of those weights", code(&card.from_sha256));
    row("Trained of them", code(&card.method));
    row("Validation loss (nats per token)", loss(card.val_loss));
    row("Validation, bits per character", loss(card.val_bits_per_char));
    row("Validation, bits per byte", loss(card.val_bits_per_byte));
    row("Training loss", loss(card.train_loss));
    row("Iterations", card.iter.to_string());
    row("Tokens", card.tokens.to_string());
    row("Parameters", config.count_parameters().to_string());
    row("Date", code(&card.date));
    row("newleaf version", code(env!("CARGO_PKG_VERSION")));
    let mut text = String::from(
        "---\nlibrary_name: newleaf\npipeline_tag: text-generation\n---\n\n# A GPT trained with newleaf\n\n\
         | | |\n|---|---|\n",
    );
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {value} |"); // writing to a String does not fail
    }
    let shape = format!(
        "\n{} layers, {} heads, width {}, {} tokens of context, {} in the vocabulary.\n",
        config.n_layer, config.n_head, config.n_embd, config.block_size, config.vocab_size
    );
    text.push_str(&shape);
    if !card.command.is_empty() {
        let _ = write!(text, "\nTrained by\n\n    {}\n", shell_line(&card.command));
    }
    text.push_str("\nSample from it: `newleaf sample --model THIS_DIRECTORY`\n");
    text
}

/// Text of the user's as inline code in a table: no line ends, no back-ticks, no bars.
fn code(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match one_line.is_empty() {
        true => one_line,
        false => format!("`{}`", one_line.replace('`', "'").replace('|', "\\|")),
    }
}

/// Words as a shell would need them, on one line.
fn shell_line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let quote = |word: &String| {
        let word: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let quoted = format!("'{}'", word.replace('\'', r"'\''"));
        if !word.is_empty() && word.chars().all(plain) { word } else { quoted }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The sha256 of a file, for [`ModelCard::data_sha256`], without having all of it in memory.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String, CheckpointError> {
    store::hash_reader(std::fs::File::open(path).map_err(|source| io_error("read", path, source))?)
        .map(|(hash, _)| hash)
        .map_err(|source| io_error("read", path, source))
}
