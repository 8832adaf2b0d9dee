//! Text for a terminal as it comes, with line ends between words.

use std::io::IsTerminal;

/// Wraps text that comes in pieces.
pub(crate) struct Wrap {
    /// Columns of a line; none: nothing is wrapped.
    width: Option<usize>,
    column: usize,
    /// A word that may go on.
    word: String,
}

impl Wrap {
    /// For standard output: as wide as the terminal, and as it is where there is none.
    pub(crate) fn stdout() -> Self {
        Self::terminal(std::io::stdout().is_terminal(), console::Term::stdout)
    }

    /// For standard error.
    pub(crate) fn stderr() -> Self {
        Self::terminal(std::io::stderr().is_terminal(), console::Term::stderr)
    }

    fn terminal(there: bool, terminal: fn() -> console::Term) -> Self {
        Self::new(there.then(|| usize::from(terminal().size().1)).filter(|&width| width >= 20))
    }

    fn new(width: Option<usize>) -> Self {
        Self { width, column: 0, word: String::new() }
    }

    /// What can be shown once this piece is there.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let Some(width) = self.width else { return piece.into() };
        let mut out = String::new();
        for c in piece.chars() {
            let mut buffer = [0; 4];
            let wide = console::measure_text_width(c.encode_utf8(&mut buffer));
            match c {
                '\n' => {
                    self.end_word(width, &mut out);
                    out.push('\n');
                    self.column = 0;
                }
                ' ' => {
                    self.end_word(width, &mut out);
                    if self.column < width {
                        out.push(' ');
                        self.column += 1;
                    }
                }
                // Lines of Chinese break anywhere.
                _ if wide > 1 => {
                    self.end_word(width, &mut out);
                    self.word.push(c);
                    self.end_word(width, &mut out);
                }
                _ => self.word.push(c),
            }
        }
        out
    }

    /// The rest.
    pub(crate) fn finish(&mut self) -> String {
        let mut out = String::new();
        self.end_word(self.width.unwrap_or(usize::MAX), &mut out);
        out
    }

    fn end_word(&mut self, width: usize, out: &mut String) {
        let columns = console::measure_text_width(&self.word);
        if self.column > 0 && self.column + columns > width {
            out.push('\n');
            self.column = 0;
        }
        out.push_str(&self.word);
        self.column += columns;
        self.word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_however_the_text_comes() {
        for (text, wrapped) in [
            ("one two three four", "one two \nthree four"),
            ("a\n\nbc defghij k", "a\n\nbc defghij \nk"),
            ("一二三四五六", "一二三四五\n六"),
            ("ab 一二三四五", "ab 一二三\n四五"),
            ("an extraordinarily long", "an \nextraordinarily\n long"),
        ] {
            for size in 1..6 {
                let mut wrap = Wrap::new(Some(10));
                let chars: Vec<char> = text.chars().collect();
                let mut out: String =
                    chars.chunks(size).map(|c| wrap.push(&c.iter().collect::<String>())).collect();
                out += &wrap.finish();
                let shape = |text: &str| text.replace(" \n", "\n").replace("\n ", "\n");
                assert_eq!(shape(&out), shape(wrapped), "{text:?} in pieces of {size}");
            }
            assert_eq!(Wrap::new(None).push(text), text);
        }
    }
}
