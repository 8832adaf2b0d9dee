//! A generated document: its symbols, what each costs, and its fields.

/// How many symbols of a stream come at a time. Also the block whose mean is one observation when the
/// standard error is estimated, so it is long compared with the memory of the processes.
pub const STREAM_PIECE: usize = 500;

/// A document: symbols, what each costs, which part of the floor each belongs to, and its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The symbols: (T,)
    pub symbols: Vec<u32>,
    /// -ln p of each under the process, given what the task lets one see: (T,), nats
    pub nats: Vec<f64>,
    /// The part of the [`Floor`](crate::Floor) each belongs to; the part says whether it counts: (T,)
    pub parts: Vec<u8>,
    /// Where each field begins. Symbols before the first belong to none.
    pub fields: Vec<(Field, usize)>,
}

impl Document {
    /// Appends one symbol.
    pub fn push(&mut self, symbol: u32, nats: f64, part: u8) {
        self.symbols.push(symbol);
        self.nats.push(nats);
        self.parts.push(part);
    }

    /// What comes next belongs to this field.
    pub fn begin(&mut self, field: Field) {
        self.fields.push((field, self.symbols.len()));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `len` symbols.
    pub fn truncate(&mut self, len: usize) {
        self.symbols.truncate(len);
        self.nats.truncate(len);
        self.parts.truncate(len);
        self.fields.retain(|&(_, start)| start < len);
    }

    /// The characters of the symbols.
    pub fn text(&self, alphabet: &[char]) -> String {
        self.symbols.iter().map(|&s| alphabet[s as usize]).collect()
    }

    /// The fields with their texts, in order, without the separators between them.
    pub fn field_texts(&self, alphabet: &[char]) -> Vec<(Field, String)> {
        let ends = self.fields.iter().skip(1).map(|&(_, start)| start).chain([self.symbols.len()]);
        let with_ends = self.fields.iter().zip(ends).filter(|((field, _), _)| *field != Field::Separator);
        let text = |range: std::ops::Range<usize>| -> String {
            self.symbols[range].iter().map(|&s| alphabet[s as usize]).collect()
        };
        with_ends.map(|(&(field, start), end)| (field, text(start..end))).collect()
    }
}

/// What a stretch of a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A text to be read: the one to classify, a shot of an episode.
    Text,
    /// Its label.
    Label,
    /// What the model is given.
    Prompt,
    /// What it shall answer.
    Answer,
    /// A sentence to translate.
    Source,
    /// Its translation.
    Target,
    /// What the user of a dialogue says.
    User,
    /// What the assistant answers.
    Assistant,
    /// Line ends and marks between the fields, in no record.
    Separator,
}

/// The characters for `n` plain symbols, ascending: letters, then all of printable ASCII, then Chinese.
pub(crate) fn plain_alphabet(n: usize) -> Vec<char> {
    let first = match n {
        0..=26 => 'a',
        27..=94 => '!',
        _ => '\u{4E00}',
    };
    (first..).take(n).collect()
}
