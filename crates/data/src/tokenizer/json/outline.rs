//! What a `tokenizer.json` is, before it is read strictly: the names of its steps, so that a file of another family of
//! models is named for what it is and not taken for a damaged one.

use super::error::{MAX_BYTES, invalid, shortened};
use crate::DataError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

/// The steps of a file; those that it does not have are `None`.
#[derive(Deserialize)]
pub(super) struct Outline<'a> {
    model: Model,
    #[serde(borrow, default)]
    normalizer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pre_tokenizer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    post_processor: Option<&'a RawValue>,
    #[serde(borrow, default)]
    decoder: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    merges: Option<IgnoredAny>,
}

impl<'a> Outline<'a> {
    /// Of the contents of a file.
    ///
    /// # Errors
    /// If they are larger than [`MAX_BYTES`] or not JSON with a model.
    pub(super) fn read(json: &'a str) -> Result<Self, DataError> {
        if json.len() > MAX_BYTES {
            return Err(invalid(format!("{} bytes, more than the limit of {MAX_BYTES}", json.len())));
        }
        serde_json::from_str(json).map_err(|error| invalid(format!("not a tokenizer file: {error}")))
    }

    /// The type of the model. Files of before `tokenizers` 0.9 do not say it: one with merges is BPE.
    pub(super) fn model(&self) -> &str {
        match &self.model.kind {
            Some(kind) => kind,
            None if self.model.merges.is_some() => "BPE",
            None => "",
        }
    }

    /// The type of the pre-tokenizer.
    pub(super) fn pre_tokenizer(&self) -> Option<String> {
        self.pre_tokenizer.map(|step| step_of(step).0)
    }

    /// An error that names the model, which none of ours is.
    pub(super) fn other_model(&self) -> DataError {
        other(match self.model() {
            "" => "its model has neither a type nor merges".into(),
            model => format!("its model is {model:?}, not GPT-2's BPE"),
        })
    }

    /// Refuses steps that would make the ids differ from those of GPT-2's pieces, all of them by name.
    pub(super) fn check_byte_level(&self) -> Result<(), DataError> {
        const STEP: &str = "ByteLevel";
        let mut differences = Vec::new();
        for (what, step) in [("pre-tokenizer", self.pre_tokenizer), ("decoder", self.decoder)] {
            let (kind, shown) = step.map_or(("none".into(), "none".into()), step_of);
            if kind != STEP {
                differences.push(format!("its {what} is {shown}, not GPT-2's {STEP}"));
            }
        }
        if let Some(step) = self.normalizer {
            differences.push(format!("its normalizer is {}, where GPT-2's has none", step_of(step).1));
        }
        if let Some(step) = self.post_processor.filter(|step| !only_offsets(&parsed(step))) {
            let shown = step_of(step).1;
            differences.push(format!("its post-processor is {shown}, which adds tokens to every text"));
        }
        match differences.is_empty() {
            true => Ok(()),
            false => Err(other(differences.join("; "))),
        }
    }
}

fn other(found: String) -> DataError {
    DataError::OtherTokenizer { what: "tokenizer.json".into(), found: shortened(found) }
}

/// A step; null, if it is larger than any that is known.
fn parsed(step: &RawValue) -> Value {
    const MAX_STEP_BYTES: usize = 1 << 16;
    let text = Some(step.get()).filter(|text| text.len() <= MAX_STEP_BYTES);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The type of a step, and the same with the types of its parts: `Sequence(Split, ByteLevel)`.
fn step_of(step: &RawValue) -> (String, String) {
    let step = parsed(step);
    let kind = |step: &Value| step["type"].as_str().unwrap_or("of no known type").to_string();
    let parts: Vec<String> = parts(&step).iter().map(kind).collect();
    let kind = kind(&step);
    let shown = if parts.is_empty() { kind.clone() } else { format!("{kind}({})", parts.join(", ")) };
    (kind, shown)
}

fn parts(step: &Value) -> &[Value] {
    let lists = ["pretokenizers", "normalizers", "processors", "decoders"];
    lists.iter().find_map(|list| step[list].as_array()).map_or(&[], Vec::as_slice)
}

/// Whether a post-processor changes offsets alone, or nothing: then the ids are those of the text.
fn only_offsets(step: &Value) -> bool {
    match step["type"].as_str() {
        Some("ByteLevel") => true,
        Some("Sequence") => parts(step).iter().all(only_offsets),
        // What transformers 5 writes for GPT-2: the text alone.
        Some("TemplateProcessing") => step["single"]
            .as_array()
            .is_some_and(|pieces| pieces.len() == 1 && pieces[0]["Sequence"]["id"].as_str() == Some("A")),
        _ => false,
    }
}
