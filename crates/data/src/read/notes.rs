//! What a reader did not take as it stands, counted, so that nothing is silent.

/// Counts of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Rows that were left out ([`Options::skip_bad`](super::Options::skip_bad)).
    pub skipped: u64,
    /// Why the first of them was.
    pub first_skipped: Option<String>,
    /// Halves of surrogate pairs, escaped in JSON, that were read as U+FFFD.
    pub surrogates: u64,
    /// Rows with tabs whose quotation marks were read as ordinary characters, though a field begins with one.
    pub lone_quotes: u64,
    /// Fields in quotation marks that hold a tab or a line end, in a file with tabs.
    pub quoted_breaks: u64,
    /// Rows that have no field `text` and were read whole.
    pub whole_rows: u64,
}

impl Notes {
    /// A sentence for each count that is not 0.
    ///
    /// ```
    /// use data::read::Notes;
    /// assert!(Notes::default().sentences().is_empty());
    /// assert!(Notes { surrogates: 2, ..Notes::default() }.sentences()[0].ends_with("became U+FFFD: 2"));
    /// ```
    pub fn sentences(&self) -> Vec<String> {
        let first = self.first_skipped.as_deref().unwrap_or("");
        [
            (self.skipped, format!("{} left out (--skip-bad), the first: {first}", rows(self.skipped))),
            (
                self.surrogates,
                format!("halves of surrogate pairs (\\ud800 to \\udfff) that became U+FFFD: {}", self.surrogates),
            ),
            (
                self.lone_quotes,
                format!(
                    "{} with a quotation mark that opens nothing: read as an ordinary character \
                     (--quotes double refuses such rows)",
                    rows(self.lone_quotes)
                ),
            ),
            (
                self.quoted_breaks,
                format!(
                    "{} in quotation marks with a tab or a line end in them: if the file has no quoting, \
                     read it with --quotes none",
                    if self.quoted_breaks == 1 { "1 field".into() } else { format!("{} fields", self.quoted_breaks) }
                ),
            ),
            (
                self.whole_rows,
                format!(
                    "{} without a field \"text\": the whole row is the text; name the field with --text-column",
                    rows(self.whole_rows)
                ),
            ),
        ]
        .into_iter()
        .filter_map(|(count, sentence)| (count > 0).then_some(sentence))
        .collect()
    }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}
