//! Writes messy text of any size to standard output, for measuring `newleaf clean`.
//!
//! ```sh
//! cargo run --release -p data --example messy_text -- 1000 > messy.txt   # 1000 MB, a third of it Chinese
//! /usr/bin/time -v newleaf clean --in messy.txt --out clean.txt --filter all --mask-pii --dedup exact,minhash:0.7
//! ```
//!
//! The words are made up and their frequencies fall as 1/rank, as in real text. Of the documents one in
//! twenty was there before, one in twenty nearly so, and one in five has something that a rule is for. The
//! same size gives the same bytes on every machine.

use random::{Rng, Stream};
use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};

/// Documents that a duplicate may be of.
const REMEMBERED: usize = 1000;

/// What the rules are for.
const DIRT: [&str; 10] = [
    "write to someone@example.org",
    "电话13800138000",
    "card 4111 1111 1111 1111",
    "zero\u{200B}width",
    "too    many \t spaces  ",
    "dam\u{FFFD}ged",
    "\u{FEFF}mark",
    "# # # # # # # # # # # # # # # # # # # # # # # #",
    "menu\nmenu\nmenu\nmenu\nmenu\nmenu\nmenu",
    "\r\n\u{3000}\u{3000}段首",
];

fn main() -> io::Result<()> {
    let megabytes = std::env::args().nth(1).and_then(|size| size.parse::<u64>().ok());
    let Some(megabytes) = megabytes else {
        eprintln!("usage: messy_text MEGABYTES > FILE");
        std::process::exit(2);
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut writer = Writer::new();
    let mut written = 0;
    while written < 1_000_000 * megabytes {
        let document = writer.document();
        written += document.len() as u64 + 2;
        writeln!(out, "{document}\n")?;
    }
    out.flush()
}

/// Makes documents.
struct Writer {
    rng: Rng,
    english: Vec<String>,
    chinese: Vec<String>,
    /// The documents written last.
    recent: VecDeque<String>,
}

impl Writer {
    fn new() -> Self {
        let mut rng = Rng::new(1, Stream::Data);
        let english = (0..8000).map(|rank| latin_word(&mut rng, rank)).collect();
        let chinese = (0..8000).map(|rank| han_word(&mut rng, rank)).collect();
        Self { rng, english, chinese, recent: VecDeque::new() }
    }

    fn document(&mut self) -> String {
        let chance = self.rng.below(20);
        let earlier = self.rng.below(REMEMBERED as u64) as usize;
        let document = match (chance, self.recent.get(earlier)) {
            (0, Some(earlier)) => return earlier.clone(),
            (1, Some(earlier)) => return format!("{earlier} again"),
            (2..=5, _) => {
                let dirt = DIRT[self.rng.below(DIRT.len() as u64) as usize];
                format!("{} {dirt}", self.text())
            }
            _ => self.text(),
        };
        self.recent.push_back(document.clone());
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        document
    }

    /// One to six sentences, a line each.
    fn text(&mut self) -> String {
        let chinese = self.rng.below(3) == 0;
        let (words, space, stop) =
            if chinese { (&self.chinese, "", "。") } else { (&self.english, " ", ".") };
        let mut text = String::new();
        for sentence in 0..=self.rng.below(6) {
            if sentence > 0 {
                text.push('\n');
            }
            for word in 0..6 + self.rng.below(14) {
                text.push_str(if word > 0 { space } else { "" });
                text.push_str(&words[zipf(&mut self.rng, words.len() as u64)]);
            }
            text.push_str(stop);
        }
        text
    }
}

/// A rank with about the probability 1/rank, by integers alone: first its power of two, then the rank.
fn zipf(rng: &mut Rng, n: u64) -> usize {
    let low = 1 << rng.below(u64::from(n.ilog2()));
    (low - 1 + rng.below(low)) as usize
}

/// A word that can be said; frequent ones are short.
fn latin_word(rng: &mut Rng, rank: usize) -> String {
    let mut pick = |letters: &str| letters.as_bytes()[rng.below(letters.len() as u64) as usize] as char;
    let syllables = 1 + rank.max(1).ilog10();
    (0..syllables).flat_map(|_| [pick("bcdfghlmnprstvwz"), pick("aeiou"), pick("lnrst")]).collect()
}

/// A word of one or two of the 20,902 characters from U+4E00.
fn han_word(rng: &mut Rng, rank: usize) -> String {
    let length = if rank < 300 { 1 } else { 2 };
    (0..length).filter_map(|_| char::from_u32(0x4E00 + rng.below(20_902) as u32)).collect()
}
