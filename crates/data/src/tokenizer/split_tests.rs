use super::*;
use proptest::prelude::*;

fn split(text: &str) -> Vec<&str> {
    pieces(text).collect()
}

/// The expression, alternative by alternative, as a regular expression engine would try them. Slow and
/// plain.
fn reference(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is = |i: usize, class: Class| chars.get(i).is_some_and(|&c| class_of(c) == class);
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest: String = chars[at..].iter().take(3).collect();
        let contraction =
            ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].into_iter().find(|c| rest.starts_with(c));
        let end = if let Some(contraction) = contraction {
            at + contraction.len()
        } else {
            let starts = if chars[at] == ' ' { vec![at + 1, at] } else { vec![at] };
            let runs = [Class::Letter, Class::Number, Class::Other].into_iter().flat_map(|class| {
                starts.iter().filter(move |&&s| is(s, class)).map(move |&s| (s, class)).collect::<Vec<_>>()
            });
            let run_end = |s: usize, class: Class| (s..).find(|&i| !is(i, class)).unwrap();
            if let Some((start, class)) = runs.into_iter().next() {
                run_end(start, class)
            } else {
                let end = run_end(at, Class::Space);
                // (?!\S): shorten until the next character is not one that is no white space.
                let fits = |e: usize| e == chars.len() || is(e, Class::Space);
                (at + 1..=end).rev().find(|&e| fits(e)).unwrap_or(end)
            }
        };
        found.push(chars[at..end].iter().collect());
        at = end;
    }
    found
}

#[test]
fn the_table() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        (" ", &[" "]),
        ("  ", &["  "]),
        ("  a", &[" ", " a"]),
        ("a  ", &["a", "  "]),
        (" \n a", &[" \n", " a"]),
        (" \na", &[" ", "\n", "a"]),
        ("a\n\nb", &["a", "\n", "\n", "b"]),
        ("a\r\n\r\n b", &["a", "\r\n\r\n", " b"]),
        ("\u{3000}\u{3000}中", &["\u{3000}", "\u{3000}", "中"]),
        ("\u{a0}x", &["\u{a0}", "x"]),
        ("Hello world 123abc", &["Hello", " world", " 123", "abc"]),
        (
            "it's we're I've I'm he'll she'd don't",
            &["it", "'s", " we", "'re", " I", "'ve", " I", "'m", " he", "'ll", " she", "'d", " don", "'t"],
        ),
        ("IT'S 'round ''s 'r 'l", &["IT", "'", "S", " '", "round", " ''", "s", " '", "r", " '", "l"]),
        ("x='s'", &["x", "='", "s", "'"]),
        ("你好，世界！2024年", &["你好", "，", "世界", "！", "2024", "年"]),
        ("x² ½ Ⅷ ٣", &["x", "²", " ½", " Ⅷ", " ٣"]),
        ("e\u{301}a", &["e", "\u{301}", "a"]),
        ("ⓐ a", &["ⓐ", " a"]), // alphabetic, but a symbol by its category
        ("🙂🙂 🙂", &["🙂🙂", " 🙂"]),
        ("a\u{200b}b", &["a", "\u{200b}", "b"]),
        ("\0\u{1b}[0m", &["\0\u{1b}[", "0", "m"]),
    ];
    for (text, expected) in cases {
        assert_eq!(split(text), *expected, "{text:?}");
        assert_eq!(reference(text), *expected, "{text:?}");
    }
}

/// What Hugging Face's `tokenizers` 0.23.3 takes for letters, numbers and white space, counted over all
/// characters there are (Unicode 16).
#[test]
fn the_classes_of_all_characters() {
    let count = |class| ('\0'..=char::MAX).filter(|&c| class_of(c) == class).count();
    assert_eq!([Class::Letter, Class::Number, Class::Space].map(count), [141_028, 1_911, 25]);
    for c in '\0'..'\u{80}' {
        assert_eq!(ASCII[c as usize], class_of(c), "{c:?}");
    }
}

/// Characters of all classes, the awkward ones more often.
pub(crate) fn awkward() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => prop::sample::select(" '\t\n\rstrevmlld1a.²é中，\u{3000}\u{a0}\u{85}\u{301}🙂".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    prop::collection::vec(c, 0..40).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pieces_are_those_of_the_expression(text in awkward()) {
        prop_assert_eq!(split(&text), reference(&text));
        prop_assert_eq!(split(&text).concat(), text);
    }

    /// More text does not change the pieces that were called settled.
    #[test]
    fn settled_pieces_stay(text in awkward(), more in awkward()) {
        let mut settled = Vec::new();
        let len = settled_pieces(&text, |piece| settled.push(piece));
        prop_assert_eq!(settled.concat().len(), len);
        prop_assert!(split(&text).len() - settled.len() <= 2);
        let whole = text.clone() + &more;
        prop_assert_eq!(&split(&whole)[..settled.len()], &settled[..]);
    }
}
