//! `newleaf tokenizer`: make a tokenizer, and use it on its own.

pub(super) const ABOUT: &str = "Train and use tokenizers; segment Chinese

  newleaf tokenizer train --kind bpe --vocab-size 2000 --data my.txt --out tok
  newleaf tokenizer encode --tokenizer tok < some.txt > ids
  newleaf tokenizer decode --tokenizer tok < ids
  newleaf tokenizer segment < chinese.txt > words.txt
  newleaf train --data my.txt --tokenizer tok";

commands! {
    train,
    encode,
    decode,
    segment,
}
