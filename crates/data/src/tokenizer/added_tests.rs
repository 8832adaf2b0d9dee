use super::*;
use proptest::prelude::*;

fn added(words: &[(&str, bool)]) -> AddedTokens {
    let all = words.iter().zip(0..).map(|(&(content, normalized), id)| Added {
        id,
        content: content.into(),
        normalized,
        of_bpe: false,
    });
    AddedTokens::new(all.collect()).unwrap()
}

fn parts<'a>(added: &'a AddedTokens, text: &'a str) -> Vec<Part<'a>> {
    added.cut(text).collect()
}

#[test]
fn the_longest_from_left_to_right() {
    let added = added(&[("ab", true), ("abc", true), ("bcd", false), ("中", true)]);
    let token = |id: u32, bytes: usize| Part::Token { id, bytes };
    assert_eq!(parts(&added, ""), []);
    assert_eq!(parts(&added, "xy"), [Part::Text("xy")]);
    assert_eq!(parts(&added, "ababcx中"), [token(0, 2), token(1, 3), Part::Text("x"), token(3, 3)]);
    // What is not normalized is looked for first: of "abcd" it leaves an "a".
    assert_eq!(parts(&added, "abcd"), [Part::Text("a"), token(2, 3)]);
    assert_eq!(parts(AddedTokens::NONE, "abcd"), [Part::Text("abcd")]);
}

#[test]
fn what_cannot_be_searched() {
    let one =
        |content: String| AddedTokens::new(vec![Added { id: 0, content, normalized: true, of_bpe: false }]);
    assert!(one(String::new()).unwrap_err().contains("empty"));
    assert!(one("a".repeat(AddedTokens::MAX_BYTES + 1)).unwrap_err().contains("1048577 bytes"));
    one("a".repeat(1000)).unwrap();
}

/// The definition, word by word: at each place the longest, else a character.
fn by_definition<'a>(words: &[(u32, &str)], text: &'a str) -> Vec<Part<'a>> {
    let (mut all, mut from, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let here = words.iter().filter(|(_, word)| text[at..].starts_with(word));
        match here.max_by_key(|(_, word)| word.len()) {
            Some(&(id, word)) => {
                all.extend((from < at).then_some(Part::Text(&text[from..at])));
                all.push(Part::Token { id, bytes: word.len() });
                at += word.len();
                from = at;
            }
            None => at += text[at..].chars().next().unwrap().len_utf8(),
        }
    }
    all.extend((from < at).then_some(Part::Text(&text[from..])));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn as_defined(words in prop::collection::btree_map("[ab中]{1,4}", any::<bool>(), 0..5), text in "[ab中 ]{0,20}") {
        let words: Vec<(&str, bool)> = words.iter().map(|(word, &normalized)| (word.as_str(), normalized)).collect();
        let added = added(&words);
        let of = |wanted: bool| -> Vec<(u32, &str)> {
            let ids = (0..).zip(&words);
            ids.filter(|(_, (_, normalized))| *normalized == wanted).map(|(id, (word, _))| (id, *word)).collect()
        };
        let expected: Vec<Part<'_>> = by_definition(&of(false), &text)
            .into_iter()
            .flat_map(|part| match part {
                Part::Text(text) => by_definition(&of(true), text),
                token => vec![token],
            })
            .collect();
        prop_assert_eq!(parts(&added, &text), &expected[..]);

        // However the text goes on, what begins before the certain place is the same.
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            let certain = added.certain(end);
            let begin = |parts: Vec<Part<'_>>| {
                let mut at = 0;
                let mut tokens = Vec::new();
                for part in parts {
                    match part {
                        Part::Text(text) => at += text.len(),
                        Part::Token { id, bytes } => {
                            tokens.push((at, id));
                            at += bytes;
                        }
                    }
                }
                tokens.retain(|&(at, _)| at < certain);
                tokens
            };
            prop_assert_eq!(begin(parts(&added, &text[..end])), begin(parts(&added, &text)));
        }
    }
}
