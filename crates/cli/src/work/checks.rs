//! Whether a training can work on its text and machine, looked at before anything is begun.

use crate::screen::failure::Failure;
use crate::work::corpus::Corpus;
use data::dataset::TokenSource;
use gpt::config::Config;
use gpt::machine::Machine;
use gpt::peft::Method;
use gpt::train::ngram_rows;

/// Refuses a training that the machine has no memory for, before it is begun.
pub(crate) fn check_memory(config: &Config, method: &Method, text: &Corpus) -> Result<(), Failure> {
    let (mut needed, Some(free)) = (config.training_bytes_with(method), Machine::available_bytes()) else {
        return Ok(());
    };
    if needed > free && config.model.ngram > 0 {
        // The tables may be much smaller than they may be at most.
        let mut counted = config.clone();
        counted.model.ngram_rows = ngram_rows(config, &text.parts().0)?;
        needed = counted.training_bytes_with(method);
    }
    if needed <= free {
        return Ok(());
    }
    Err(Failure::input(format!(
        "this training needs about {} MB of memory, and {} MB are free\n  use --micro-batch 1 or --recompute true, a smaller \
         --n-embd, --n-layer, --block-size or --ngram-rows, or let newleaf plan choose",
        needed.div_ceil(1_000_000),
        free / 1_000_000
    )))
}

/// The tokenizer must have as many tokens as the model.
pub(crate) fn check_vocabulary(config: &Config, text: &Corpus) -> Result<(), Failure> {
    let (asked, found) = (config.model.vocab_size, text.tokenizer.vocab_size());
    if asked == found {
        return Ok(());
    }
    Err(Failure::input(format!(
        "--vocab-size {asked}: the tokenizer has {found} tokens; leave it out (a tokenizer of another size is made \
         with newleaf tokenizer train)"
    )))
}

/// Both parts of the text must hold at least one block. Returns the length of the training part.
pub(crate) fn check_length(config: &Config, text: &Corpus) -> Result<usize, Failure> {
    let (train, val) = text.parts();
    let block_size = config.model.block_size;
    let parts = match &text.val_info {
        None => [
            (&text.info, "the training part (the first 90 %) of the text", train.len()),
            (&text.info, "the validation part (the last 10 %) of the text", val.len()),
        ],
        Some(val_info) => {
            [(&text.info, "the training text", train.len()), (val_info, "the validation text", val.len())]
        }
    };
    // A window of one token would be a text without a past.
    let longest = train.len().min(val.len()).saturating_sub(1);
    let smaller =
        if longest < 2 { String::new() } else { format!(", or a smaller --block-size (at most {longest})") };
    for (info, part, len) in parts {
        if len <= block_size {
            return Err(Failure::input(format!(
                "{}: {part} has {len} tokens, expected more than block_size {block_size}\n  give a longer text{smaller}",
                info.path,
            )));
        }
    }
    Ok(train.len())
}
