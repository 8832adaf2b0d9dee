//! S5: the measures in words, and what is known to help.

use super::Report;

/// A sentence or two for each finding.
pub(super) fn remedies(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let (words, gap) = (&report.vocabulary, &report.perplexity);
    let real_gap = gap.gap > 2.0 * gap.standard_error && gap.gap > 0.01;
    let told_apart = report.domain.is_some_and(|d| d.auc > 0.5 + 3.0 * d.null_deviation);
    if !real_gap && !told_apart && words.oov_chars_percent < 0.1 {
        found.push(
            "No shift that matters: the test text is as easy as held-out training text, and passages cannot be \
             told apart. A higher loss of a model is its own: more training, a better size, regularisation."
                .to_string(),
        );
        return found;
    }
    if words.new_char_types > 0 {
        found.push(format!(
            "{} characters of the test never occur in the training text ({:.2} % of its characters): a character \
             tokenizer does not know them. Clean both texts the same way, train on a text that has them, or use a \
             byte-level tokenizer.",
            words.new_char_types, words.oov_chars_percent
        ));
    }
    if words.oov_words_percent > 2.0 {
        let list: Vec<&str> = words.new_words.iter().take(5).map(|(word, _)| word.as_str()).collect();
        found.push(format!(
            "{:.1} % of the test's words are new ({}, ...): names and topics. Characters or subwords as tokens \
             spell what a word vocabulary cannot hold.",
            words.oov_words_percent,
            list.join(", ")
        ));
    }
    if real_gap {
        found.push(format!(
            "The n-gram baseline's loss is {:.3} nats a character higher on the test than on held-out training text: of a \
             model's higher loss there, about that much is the data's. To compare models, choose them on a validation part \
             that resembles the test.",
            gap.gap
        ));
        found.extend(gap.change_by_mixing.filter(|change| *change < -0.005).map(|change| {
            format!(
                "Mix some of the new kind of text into the training text: half of the test's passages there change \
                 the loss on the other half by {change:+.3} nats ({:.0} % of the gap).",
                -100.0 * change / gap.gap
            )
        }));
        found.push(
            "With a trained model, go on training on the new kind of text for a short while at a low learning rate \
             (continued pretraining, Gururangan et al. 2020, arXiv:2004.10964), or let the model adapt while it \
             reads (dynamic evaluation, Krause et al. 2019, arXiv:1904.08378)."
                .to_string(),
        );
    }
    if let Some(domain) = report.domain.filter(|_| told_apart) {
        found.push(format!(
            "A classifier tells the origin of a passage with AUC {:.3}. Its probability of \"test\" can weight the \
             training passages (p/(1-p) each), so that those like the test count more.",
            domain.auc
        ));
    }
    found
}
