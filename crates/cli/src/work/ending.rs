//! Where a text that a model writes ends: before a text to stop at, and with a whole sentence or paragraph.

/// What a text ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Until {
    /// The last sentence that is complete
    Sentence,
    /// The last paragraph that is complete
    Paragraph,
}

impl Until {
    /// Behind the last end in a text that may go on; 0 if there is none.
    fn last_end(self, text: &str) -> usize {
        if self == Until::Paragraph {
            return text.rfind('\n').map_or(0, |at| at + 1);
        }
        let mut found = 0;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let mut end = at + c.len_utf8();
            if c == '\n' {
                found = end;
            }
            if !is_terminator(c) {
                continue;
            }
            while let Some((at, c)) = chars.next_if(|(_, c)| is_terminator(*c) || is_closer(*c)) {
                end = at + c.len_utf8();
            }
            // A dot within a number or a name ends nothing; Chinese has no space after a sentence.
            let next = chars.peek().map(|(_, c)| *c);
            if next.is_some_and(char::is_whitespace) || (!c.is_ascii() && next.is_some()) {
                found = end;
            }
        }
        found
    }

    /// Returns true if a text that does not go on ends here.
    fn is_complete(self, text: &str) -> bool {
        let text = text.trim_end();
        match self {
            Until::Paragraph => false,
            Until::Sentence => text.trim_end_matches(is_closer).ends_with(is_terminator),
        }
    }
}

fn is_terminator(c: char) -> bool {
    ".!?。！？…".contains(c)
}

fn is_closer(c: char) -> bool {
    "\"')]”’」』）".contains(c)
}

/// Text of which the end is held back while it may be no part of what is shown.
pub(crate) struct Held<'a> {
    stops: &'a [String],
    until: Option<Until>,
    text: String,
    shown: bool,
}

impl<'a> Held<'a> {
    /// For a text that ends before any of `stops`, and with what `until` says.
    pub(crate) fn new(stops: &'a [String], until: Option<Until>) -> Self {
        Self { stops, until, text: String::new(), shown: false }
    }

    /// Takes a piece. Returns what can be shown, and whether that is the end.
    pub(crate) fn push(&mut self, piece: &str) -> (String, bool) {
        self.text += piece;
        if let Some(at) = self.stops.iter().filter_map(|stop| self.text.find(stop)).min() {
            self.text.truncate(at);
            return (std::mem::take(&mut self.text), true);
        }
        let begins = |stop: &String| {
            let lengths = (1..stop.len()).rev().filter(|&len| stop.is_char_boundary(len));
            lengths.into_iter().find(|&len| self.text.ends_with(&stop[..len])).unwrap_or(0)
        };
        let keep = self.stops.iter().map(begins).max().unwrap_or(0);
        let mut end = self.text.len() - keep;
        if let Some(until) = self.until {
            end = until.last_end(&self.text[..end]);
        }
        let rest = self.text.split_off(end);
        let piece = std::mem::replace(&mut self.text, rest);
        self.shown |= !piece.trim().is_empty();
        (piece, false)
    }

    /// What is still to be shown of a text that was cut where it happened to be. If not one sentence of it is complete, all
    /// of it is.
    pub(crate) fn finish(self) -> String {
        match self.until {
            Some(until) if self.shown && !until.is_complete(&self.text) => String::new(),
            _ => self.text,
        }
    }

    /// What is still to be shown of a text that ends by itself.
    pub(crate) fn finish_whole(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a text that comes in pieces of so many characters, and is cut there unless it stops.
    fn shown(text: &str, stops: &[String], until: Option<Until>, size: usize) -> String {
        let mut held = Held::new(stops, until);
        let mut found = String::new();
        for piece in text.chars().collect::<Vec<_>>().chunks(size) {
            let (more, stops) = held.push(&piece.iter().collect::<String>());
            found += &more;
            if stops {
                return found;
            }
        }
        found + &held.finish()
    }

    /// However a text comes in pieces, what is shown ends before the first stop.
    #[test]
    fn what_may_be_a_stop_is_held_back() {
        let stops = ["\n\n".to_string(), "。完".to_string(), "aab".to_string()];
        for (text, expected) in [
            ("one\ntwo\n\nthree", "one\ntwo"),
            ("好。完了", "好"),
            ("aaaab", "aa"),
            ("no stop at all\n", "no stop at all\n"),
            ("\n\n", ""),
        ] {
            for size in 1..=text.chars().count() {
                assert_eq!(shown(text, &stops, None, size), expected, "{text:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_sentence_is_whole_or_not_there() {
        for (text, expected) in [
            ("He ran. She sa", "He ran."),
            ("\"Stop!\" he said. And th", "\"Stop!\" he said."),
            ("\"Stop!\" he", "\"Stop!\""),
            ("It is 3.5 m. Or 4.5", "It is 3.5 m."),
            ("He ran. She sang.", "He ran. She sang."),
            ("他跑了。她", "他跑了。"),
            ("他说：“好！”她笑", "他说：“好！”"),
            ("no end at all", "no end at all"),
            ("A title\n\nHe r", "A title\n\n"),
            ("Wait... what", "Wait..."),
        ] {
            for size in 1..=text.chars().count() {
                let found = shown(text, &[], Some(Until::Sentence), size);
                assert_eq!(found, expected, "{text:?} in pieces of {size}");
            }
        }
        assert_eq!(shown("a\nb. c", &[], Some(Until::Paragraph), 2), "a\n");
    }
}
