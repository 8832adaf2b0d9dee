//! How low a loss can be expected to go: a law of its fall with parameters and tokens.

/// The loss of a model over that of Kneser-Ney counts of order 5 on the same text: `E + A / N^a + B / D^b` for N
/// [matrix parameters](crate::config::GptConfig::matrix_parameters) and D tokens seen (the form of Hoffmann et al. 2022, arXiv
/// 2203.15556, equation 2). What counts reach is known before training, and says how hard the text is; the ratio is then much
/// the same from text to text.
///
/// The numbers are **provisional**: exponents of the usual size, and E, A and B set by hand so that the law goes through two
/// trainings of models like the preset `shakespeare` on Tiny Shakespeare, 0.8 million parameters with 0.93 and 4.9 million
/// tokens (1.5914 and 1.4575 of 1.5611). It orders sizes and budgets sensibly and promises no more: a text that is read many
/// times over departs from it, and so does one with thousands of different characters (Tang poems: 5.42 where it says
/// 4.89).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossLaw {
    /// Where more of both no longer helps.
    pub e: f64,
    /// What too few parameters cost: A and a.
    pub parameters: (f64, f64),
    /// What too few tokens cost: B and b.
    pub tokens: (f64, f64),
}

impl LossLaw {
    /// For models with all switches of [`Preset::Shakespeare`](crate::config::Preset::Shakespeare), n-gram embeddings among
    /// them.
    pub const PROVISIONAL: Self = Self { e: 0.82, parameters: (26.0, 0.45), tokens: (313.0, 0.56) };

    /// The expected ratio.
    #[must_use]
    pub fn ratio(&self, parameters: f64, tokens: f64) -> f64 {
        let power = |x: f64, exponent: f64| random::exp(-exponent * random::ln(x.max(1.0)));
        let (a, alpha) = self.parameters;
        let (b, beta) = self.tokens;
        self.e + a * power(parameters, alpha) + b * power(tokens, beta)
    }
}
