//! The bytes of every token, in one piece of memory.

/// Vocabularies of words and merges are not larger.
pub(super) const MAX_TOKENS: usize = 1 << 20;

/// Token number `id` is `bytes[ends[id - 1]..ends[id]]`. A million tokens cost two allocations instead of
/// a million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Tokens {
    /// Appends a token and answers its id.
    pub(crate) fn push(&mut self, token: &[u8]) -> u32 {
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len() as u32); // files are at most 64 MiB, and so is what they hold
        self.ends.len() as u32 - 1
    }

    /// The bytes of a token.
    pub(crate) fn get(&self, id: u32) -> Option<&[u8]> {
        let id = id as usize;
        let end = *self.ends.get(id)? as usize;
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(&self.bytes[start..end])
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).filter_map(|id| self.get(id))
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Tokens {
    fn from_iter<I: IntoIterator<Item = T>>(tokens: I) -> Self {
        let mut all = Tokens::default();
        tokens.into_iter().for_each(|token| {
            all.push(token.as_ref());
        });
        all
    }
}
