//! What tasks answered in words have in common: a vocabulary with their markers, the loop, and the directory.

use super::fitting::{FitArgs, Fitted, PREDICTIONS, json_lines, sha256_of};
use super::trials::tuned;
use crate::commands::command_line;
use crate::screen::failure::Failure;
use crate::work::model::Model;
use data::{Example, Tokenizer};
use gpt::formats::{NEWLEAF, Parts};
use gpt::peft::{Method, fingerprint, save_adapter};
use gpt::tune::{Complete, Metric, TuneConfig, grown, mean_loss};
use gpt::{Gpt, ModelCard};
use random::{Rng, Stream};
use serde_json::{Value, json};
use std::path::Path;
use tensor::Params;

/// The model, before anything is trained.
pub(super) struct Completing<'a> {
    fit: &'a FitArgs,
    settings: TuneConfig,
    rate: f64,
    base_sha256: String,
    pub(super) model: Model,
}

/// What came out.
pub(super) struct Completed {
    pub(super) gpt: Gpt,
    pub(super) params: Params,
    fitted: Fitted,
    /// The loss of the validation part before and after, in nats a token that counts.
    pub(super) loss: [f64; 2],
}

impl<'a> Completing<'a> {
    /// Checks the flags, loads the model, and gives its vocabulary the markers of the task, whose learning rate is at most `rate`
    /// times that for labels.
    pub(super) fn new(fit: &'a FitArgs, markers: &[&str], rate: f64) -> Result<Self, Failure> {
        if fit.peft == Method::Head {
            return Err(Failure::input(
                "--peft head: a model that writes has no head of its own to train: take full or lora",
            ));
        }
        let base = fit.model()?;
        let settings = fit.config(&base.gpt.config)?;
        let base_sha256 = fingerprint(&base.gpt.config, &base.params);
        Ok(Self { fit, settings, rate, base_sha256, model: with_markers(base, fit, markers)? })
    }

    /// Tokens of an example that have room: a learned prompt or prefix takes some of the context.
    pub(super) fn max_tokens(&self) -> usize {
        self.model.gpt.config.block_size.saturating_sub(self.fit.peft.virtual_tokens())
    }

    /// Trains the model's parameters, and gives back the best ones.
    pub(super) fn train(
        &mut self,
        train: &[Example],
        dev: &[Example],
        label_smoothing: f32,
    ) -> Result<Completed, Failure> {
        let (mut gpt, mut params) = (self.model.gpt.clone(), std::mem::take(&mut self.model.params));
        self.settings = self.fit.suited_to_answers(&self.settings, train.len(), self.rate);
        let before = mean_loss(&gpt, &params, dev);
        let (method, mut rng) = (&self.fit.peft, Rng::new(self.fit.seed, Stream::Init));
        gpt.tune(method, &mut params, &mut rng)?;
        let task = Complete { gpt: &gpt, examples: train, dev, label_smoothing };
        let tokens = sha256_of(train.iter().chain(dev).flat_map(|example| &example.ids));
        let of = format!(
            "model {}, {method}, examples {tokens}, label smoothing {label_smoothing}",
            self.base_sha256
        );
        let fitted = tuned(self.fit, &mut params, &task, &self.settings, &of, Metric::Loss)?;
        let loss = [before, -fitted.outcome.best_score];
        Ok(Completed { gpt, params, fitted, loss })
    }

    /// Writes the directory: a model, or the adapter of one. `data` is where the examples came from, `predictions` what was
    /// answered to each of the test part, if there is one, and `more` what the task says of itself. Answers the record.
    pub(super) fn save(
        &self,
        completed: &Completed,
        data: &Path,
        predictions: &[Value],
        more: Value,
    ) -> Result<Value, Failure> {
        let (fit, fitted, [before, after]) = (self.fit, &completed.fitted, completed.loss);
        let mut result = fit.record(fitted, &self.base_sha256)?;
        result["validation"] = json!({ "loss": after, "loss_before": before });
        if let (Some(result), Value::Object(more)) = (result.as_object_mut(), more) {
            result.extend(more);
        }
        let bytes = serde_json::to_string_pretty(&result).expect("an object") + "\n";
        let predictions = json_lines(predictions);
        let mut more: Vec<(&str, &[u8])> = vec![("result.json", bytes.as_bytes())];
        if !predictions.is_empty() {
            more.push((PREDICTIONS, &predictions));
        }
        let Completed { gpt, params, .. } = completed;
        if fit.peft == Method::Full {
            let card = ModelCard {
                data: data.display().to_string(),
                val_loss: Some(after),
                iter: fitted.outcome.best_update as u64,
                command: command_line()?,
                ..ModelCard::default()
            };
            let tokenizer = self.model.tokenizer.to_json();
            let model = Parts { config: &gpt.config, params, tokenizer: &tokenizer };
            NEWLEAF.save(&fit.out, model, &card, &more)?;
        } else {
            let path = self.model.path.canonicalize().unwrap_or_else(|_| self.model.path.clone());
            save_adapter(&fit.out, gpt, params, &fit.peft, (&path, &self.base_sha256), &more)?;
        }
        fit.finish(fitted)?;
        Ok(result)
    }

    /// The end of what is said to people: `command` runs the new model.
    pub(super) fn summary(&self, completed: &Completed, command: &str) -> String {
        let [before, after] = completed.loss;
        let next = match self.fit.peft {
            Method::Full => format!("newleaf {command} --model {{}}"),
            _ => format!("newleaf {command} --model {} --adapter {{}}", self.model.path.display()),
        };
        let of = self.fit.summary(&completed.fitted.outcome, &next);
        format!(
            "validation loss of the answers: {after:.4}, {before:.4} before (nats a token, smaller is better)\n{of}"
        )
    }
}

/// The model with these markers in its vocabulary.
fn with_markers(model: Model, fit: &FitArgs, markers: &[&str]) -> Result<Model, Failure> {
    let missing = |tokenizer: &Tokenizer| markers.iter().any(|name| tokenizer.special(name).is_none());
    if !missing(&model.tokenizer) {
        return Ok(model);
    }
    if fit.peft != Method::Full {
        return Err(Failure::input(format!(
            "{}: its vocabulary lacks the markers {}, and with --peft {} nothing could learn them: fine-tune it once with \
             --peft full, then the result with {2}",
            model.path.display(),
            markers.join(" "),
            fit.peft
        )));
    }
    let Model { path, gpt, params, tokenizer, notes } = model;
    let new: Vec<&&str> = markers.iter().filter(|name| tokenizer.special(name).is_none()).collect();
    let tokenizer = tokenizer.with_specials(&new)?;
    let mut rng = Rng::new(fit.seed, Stream::Other(0));
    let (gpt, params) = grown(&gpt, &params, tokenizer.vocab_size(), &mut rng);
    Ok(Model { path, gpt, params, tokenizer, notes })
}
