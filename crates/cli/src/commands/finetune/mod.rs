//! `newleaf finetune`: a pretrained model learns a task from labelled examples.

mod completing;
mod fitting;
mod trials;
mod tried;
mod tuning;

pub(crate) use fitting::PREDICTIONS;
pub(crate) use trials::changes;

pub(crate) const ABOUT: &str = "Fine-tune a model: classify, regress, chat, seq2seq

  newleaf finetune classify --model my --train reviews.csv --out reviews
  newleaf finetune chat --model my --train dialogues.jsonl --peft lora:r=8 --out talks";

commands! {
    classify,
    regress,
    chat,
    seq2seq,
}
