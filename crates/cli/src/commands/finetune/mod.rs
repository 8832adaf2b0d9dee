//! `newleaf finetune`: a pretrained model learns a task from labelled examples.

mod completing;
mod fitting;
mod tuning;

pub(crate) const ABOUT: &str = "Teach a pretrained model a task";

commands! {
    classify,
    regress,
    chat,
    seq2seq,
}
