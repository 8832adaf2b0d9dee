//! Token ids in memory, in as few bytes as their vocabulary needs.

use super::TokenSource;
use crate::{DataError, Tokenizer};

/// Bytes of text that are encoded at a time.
const PART: usize = 1 << 16;

/// The ids of a text: a byte each for a vocabulary of at most 256 tokens, two bytes for one of at most 65,536. A text in
/// characters takes no more memory so than it does itself.
///
/// ```
/// use data::{CharTokenizer, Tokenizer, dataset::{CompactIds, TokenSource}};
/// let text = "春眠不觉晓";
/// let tokenizer = Tokenizer::Char(CharTokenizer::from_text(text)?);
/// let ids = CompactIds::encode(&tokenizer, text)?;
/// let mut read = [0; 2];
/// ids.read(3, &mut read)?;
/// assert_eq!((ids.len(), &read[..]), (5, &tokenizer.encode("觉晓")?[..]));
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactIds(Width);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Width {
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
}

impl CompactIds {
    /// No ids yet, of a vocabulary of this size.
    #[must_use]
    pub fn new(vocab_size: usize) -> Self {
        Self(match vocab_size {
            ..=0x100 => Width::One(Vec::new()),
            0x101..=0x1_0000 => Width::Two(Vec::new()),
            _ => Width::Four(Vec::new()),
        })
    }

    /// The ids of a text, as [`Tokenizer::encode`] gives them. Beside them only those of a short part of the text are in
    /// memory.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Self, DataError> {
        let (mut ids, mut part_ids) = (Self::new(tokenizer.vocab_size()), Vec::new());
        let (mut encoder, mut rest) = (tokenizer.encoder(), text);
        while !rest.is_empty() {
            let end = (0..=PART.min(rest.len())).rev().find(|&end| rest.is_char_boundary(end));
            let (part, others) = rest.split_at(end.expect("0 is one"));
            // Of the whole text, so that all of its unknown characters are counted.
            encoder
                .push(part, &mut part_ids)
                .map_err(|error| tokenizer.encode(text).err().unwrap_or(error))?;
            ids.extend(&part_ids);
            part_ids.clear();
            rest = others;
        }
        encoder.finish(&mut part_ids)?;
        ids.extend(&part_ids);
        Ok(ids)
    }

    /// Appends ids.
    ///
    /// # Panics
    /// If an id is not of the vocabulary.
    #[track_caller]
    pub fn extend(&mut self, ids: &[u32]) {
        const BEYOND: &str = "an id of the vocabulary";
        match &mut self.0 {
            Width::One(all) => all.extend(ids.iter().map(|&id| u8::try_from(id).expect(BEYOND))),
            Width::Two(all) => all.extend(ids.iter().map(|&id| u16::try_from(id).expect(BEYOND))),
            Width::Four(all) => all.extend_from_slice(ids),
        }
    }

    /// How often an id is among them.
    #[must_use]
    pub fn count(&self, id: u32) -> usize {
        fn among<T: Copy + Into<u32>>(ids: &[T], id: u32) -> usize {
            ids.iter().filter(|&&other| other.into() == id).count()
        }
        match &self.0 {
            Width::One(ids) => among(ids, id),
            Width::Two(ids) => among(ids, id),
            Width::Four(ids) => among(ids, id),
        }
    }

    /// Appends other ids of the same vocabulary, in the memory that they take.
    ///
    /// # Panics
    /// If they are of a vocabulary of another size.
    #[track_caller]
    pub fn append(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Width::One(all), Width::One(ids)) => all.extend(ids),
            (Width::Two(all), Width::Two(ids)) => all.extend(ids),
            (Width::Four(all), Width::Four(ids)) => all.extend(ids),
            _ => panic!("ids of vocabularies of different sizes"),
        }
    }
}

impl TokenSource for CompactIds {
    fn len(&self) -> usize {
        match &self.0 {
            Width::One(ids) => ids.len(),
            Width::Two(ids) => ids.len(),
            Width::Four(ids) => ids.len(),
        }
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        fn widened<T: Copy + Into<u32>>(ids: &[T], out: &mut [u32]) {
            out.iter_mut().zip(ids).for_each(|(out, &id)| *out = id.into());
        }
        let range = start..start + out.len();
        match &self.0 {
            Width::One(ids) => widened(&ids[range], out),
            Width::Two(ids) => widened(&ids[range], out),
            Width::Four(ids) => out.copy_from_slice(&ids[range]),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{BpeTrainer, PieceCounts};
    use crate::{CharTokenizer, UnknownCharacters};

    fn all(ids: &CompactIds) -> Vec<u32> {
        let mut read = vec![0; ids.len()];
        ids.read(0, &mut read).unwrap();
        read
    }

    /// The largest id of each width comes back, and the next vocabulary is wider.
    #[test]
    fn every_width_holds_its_vocabulary() {
        for (vocab_size, bytes) in [(2, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4), (1_000_000, 4)] {
            let mut ids = CompactIds::new(vocab_size);
            let expected = [0, vocab_size as u32 - 1, 1];
            ids.extend(&expected);
            assert_eq!(all(&ids), expected);
            ids.append(ids.clone());
            assert_eq!(
                (ids.count(vocab_size as u32 - 1), ids.count(2), ids.len()),
                if vocab_size == 2 { (4, 0, 6) } else { (2, 0, 6) }
            );
            let width = match ids.0 {
                Width::One(_) => 1,
                Width::Two(_) => 2,
                Width::Four(_) => 4,
            };
            assert_eq!(width, bytes, "{vocab_size}");
        }
    }

    /// Parts change nothing, wherever they end: in a word, in a character.
    #[test]
    fn a_text_in_parts_has_the_ids_of_the_whole() {
        let text = "the cat and the dog, 春眠不觉晓 \n".repeat(9000);
        assert!(text.len() > 5 * PART);
        let mut counts = PieceCounts::new(None);
        counts.add(&text);
        let bpe = BpeTrainer { vocab_size: 300, ..BpeTrainer::default() }.train(&counts).unwrap();
        for tokenizer in [Tokenizer::Char(CharTokenizer::from_text(&text).unwrap()), Tokenizer::Bpe(bpe)] {
            let ids = CompactIds::encode(&tokenizer, &text).unwrap();
            assert!(all(&ids) == tokenizer.encode(&text).unwrap(), "{}", tokenizer.kind());
        }
    }

    #[test]
    fn unknown_characters_are_those_of_the_whole_text() {
        let tokenizer = Tokenizer::Char(CharTokenizer::from_text("ab\n").unwrap());
        let text = format!("{}c\nd{}e", "ab\n".repeat(PART), "ab".repeat(PART));
        let Err(DataError::UnknownCharacters(unknown)) = CompactIds::encode(&tokenizer, &text) else {
            panic!("they are unknown")
        };
        let UnknownCharacters { characters, position, line, column, .. } = *unknown;
        assert_eq!(characters, ['c', 'd', 'e']);
        assert_eq!((position, line, column), (3 * PART, PART + 1, 1));
    }
}
