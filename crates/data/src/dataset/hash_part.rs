//! Which part a text belongs to, by the text alone.

/// A part of a collection of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashPart {
    /// To learn from: 8 texts in 10.
    Train,
    /// To choose by: 1 in 10.
    Validation,
    /// To test on: 1 in 10.
    Test,
}

impl HashPart {
    /// The part of a text, without the white space around it, by its hash.
    ///
    /// The same text lands in the same part wherever it stands, so classifiers of all kinds that are made from one file, by
    /// whichever program, are tested on the same texts and have learnt from none of them.
    ///
    /// ```
    /// use data::dataset::HashPart;
    /// assert_eq!(HashPart::of("text 7"), HashPart::of(" text 7\n"));
    /// let texts: Vec<String> = (0..1000).map(|i| format!("text {i}")).collect();
    /// let train = texts.iter().filter(|text| HashPart::of(text) == HashPart::Train).count();
    /// assert!((750..850).contains(&train));
    /// ```
    #[must_use]
    pub fn of(text: &str) -> HashPart {
        // FNV-1a in 64 bits. Its low bits see only the low bits of the text; the upper half has been mixed.
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        match (text.trim().bytes().fold(0xcbf2_9ce4_8422_2325, fnv) >> 32) % 10 {
            8 => HashPart::Validation,
            9 => HashPart::Test,
            _ => HashPart::Train,
        }
    }
}
