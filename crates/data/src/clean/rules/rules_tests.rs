//! Every rule on texts it changes, drops or leaves; the registry; that cleaning twice changes nothing.

use super::RULES;
use crate::clean::Cleaner;
use proptest::prelude::*;

/// What a rule makes of a text; none if it drops it.
fn apply(rule: &str, text: &str) -> Option<String> {
    let (name, setting) = rule.split_once(':').unwrap_or((rule, ""));
    Cleaner::only(&[(name, setting)]).unwrap().clean(text)
}

#[track_caller]
fn check(rule: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(apply(rule, text).as_deref(), Some(*expected), "{rule}: {text:?}");
    }
}

#[track_caller]
fn check_filter(rule: &str, kept: &[&str], dropped: &[&str]) {
    kept.iter().for_each(|text| assert!(apply(rule, text).is_some(), "{rule} dropped {text:?}"));
    dropped.iter().for_each(|text| assert!(apply(rule, text).is_none(), "{rule} kept {text:?}"));
}

#[test]
fn every_file_is_registered_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clean/rules");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rs").map(String::from))
        .filter(|name| !["mod", "rules_tests"].contains(&name.as_str()))
        .filter(|name| name != "markup" || cfg!(feature = "html"))
        .collect();
    files.sort();
    let mut registered: Vec<&str> = RULES.iter().map(|kind| kind.file).collect();
    registered.sort_unstable();
    assert_eq!(files, registered);
    let mut names: Vec<&str> = RULES.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn settings_are_checked() {
    for (name, setting) in [
        ("no-such-rule", ""),
        ("nfkc", "1"),
        ("too-short", "few"),
        ("near-duplicates", "2"),
        ("near-duplicates", "nan"),
        ("near-duplicates", "0.7,0"),
        ("near-duplicates", "0.7,100,"),
        ("exact-duplicates", "-1"),
        ("exact-duplicates", "99999999999999999999"),
    ] {
        assert!(Cleaner::with(&[(name, setting)]).is_err(), "{name}:{setting}");
    }
}

#[test]
fn control_characters() {
    check(
        "control-characters",
        &[
            ("a\tb\nc", "a\tb\nc"),
            ("a\r\nb\rc\u{85}d\u{2028}e\x0Cf", "a\nb\nc\nd\ne\nf"),
            ("\u{FEFF}a\u{200B}b\u{AD}c\u{1}d\u{9F}e\u{7F}", "abcde"),
            ("\u{202E}evil\u{202C} \u{2066}x\u{2069}", "evil x"),
            ("nonchar\u{FFFE}acter\u{FDD0}s\u{1FFFF}", "noncharacters"),
            ("👩\u{200D}🚀 نمی\u{200C}خواهم", "👩\u{200D}🚀 نمی\u{200C}خواهم"),
            ("a\u{200D}b 中\u{200D}文 👩\u{200D}", "ab 中文 👩"),
            ("❤\u{FE0F} e\u{301} 中文，！", "❤\u{FE0F} e\u{301} 中文，！"),
        ],
    );
}

/// Trap T3 of the methods: NFKC changes Chinese punctuation, so it is off unless asked for.
#[test]
fn nfkc_is_asked_for() {
    check(
        "nfkc",
        &[("ＡＢＣ１２３", "ABC123"), ("ﬁve²", "five2"), ("ｶﾞ", "ガ"), ("你好，世界！", "你好,世界!")],
    );
    let chinese = "他说：“你好，世界！”——对吗？";
    assert_eq!(Cleaner::with(&[]).unwrap().clean(chinese).as_deref(), Some(chinese));
    assert_ne!(Cleaner::with(&[("nfkc", "")]).unwrap().clean(chinese).as_deref(), Some(chinese));
}

#[test]
fn whitespace() {
    check(
        "whitespace",
        &[
            ("  a   b\t\tc  ", "a b c"),
            ("a \n b", "a\nb"),
            ("\n\na\n\n\n\nb\n", "a\n\nb"),
            ("a\u{A0}b\u{2003}c", "a b c"),
            ("江雪　柳宗元", "江雪　柳宗元"),
            ("江雪　　柳宗元", "江雪 柳宗元"),
            ("　　段首", "段首"),
            ("a\n \n \nb", "a\n\nb"),
            (" \n ", ""),
        ],
    );
}

#[cfg(feature = "html")]
#[test]
fn markup() {
    check(
        "html",
        &[("good &amp; <b>cheap</b><br>yes", "good & cheap\nyes"), ("plain", "plain"), ("a & b", "a & b")],
    );
}

#[test]
fn email() {
    check(
        "mask-email",
        &[
            ("Write to a.b+c@mail.example.org.", "Write to [EMAIL]."),
            ("请联系zhang_san@example.com，谢谢", "请联系[EMAIL]，谢谢"),
            ("a@b.cc,d@e.ff", "[EMAIL],[EMAIL]"),
            ("@name, a@b, a@b.c, @ @@ a@.com a@-x.com", "@name, a@b, a@b.c, @ @@ a@.com a@-x.com"),
            ("a@b.co.12", "[EMAIL].12"),
            ("...me@x.org", "...[EMAIL]"),
        ],
    );
}

#[test]
fn phone() {
    check(
        "mask-phone",
        &[
            ("电话13800138000。", "电话[PHONE]。"),
            ("138-0013-8000 或 +86 138 0013 8000", "[PHONE] 或 [PHONE]"),
            ("13800138000 13900139000", "[PHONE] [PHONE]"),
            ("１３８００１３８０００", "[PHONE]"),
            ("010-88886666，(0755) 8888 6666", "[PHONE]，[PHONE]"),
            ("400-800-8888", "[PHONE]"),
            ("call (555) 010-9999 or 1-555-010-9999", "call [PHONE] or [PHONE]"),
            ("+49 30 1234567", "[PHONE]"),
            (
                "2024-01-15, 1999-2004, 10 000 000, 3.14159265358979",
                "2024-01-15, 1999-2004, 10 000 000, 3.14159265358979",
            ),
            ("12345678901234567890", "12345678901234567890"),
            ("v1 13800138000", "v1 [PHONE]"),
            ("call 555.010.9999.", "call [PHONE]."),
            ("1.555.010.9999, 555.010.9999.1, 0.555.0109", "1.555.010.9999, 555.010.9999.1, 0.555.0109"),
            ("18 000 000 000 stars, +20240101", "18 000 000 000 stars, +20240101"),
        ],
    );
}

/// A number is found wherever it stands in a list that is read in pieces, and once.
#[test]
fn a_number_in_a_long_list() {
    for at in 0..200 {
        let list = |n: usize| "7 ".repeat(n);
        for (rule, number, label) in
            [("mask-phone", "138 0013 8000", "[PHONE]"), ("mask-number", "4111 1111 1111 1111", "[NUMBER]")]
        {
            let with = |what: &str| format!("n. {}{what} {}", list(at), list(200 - at));
            check(rule, &[(with(number).as_str(), with(label).as_str())]);
        }
    }
}

#[test]
fn long_numbers() {
    check(
        "mask-number",
        &[
            ("card 4111 1111 1111 1111, id 110105194912310021", "card [NUMBER], id [NUMBER]"),
            ("order 123456789", "order [NUMBER]"),
            (
                "in 2024, 12345678 people, 0.123456789012, ISBN 0-306-40615-2",
                "in 2024, 12345678 people, 0.123456789012, ISBN 0-306-40615-2",
            ),
            ("1 123456789 1", "1 [NUMBER] 1"),
        ],
    );
}

#[test]
fn filters_on_words_and_symbols() {
    check_filter("empty", &["a", "。"], &["", " \n\u{3000}"]);
    check_filter("too-short:3", &["one two three", "三个字"], &["one two", "两字", ""]);
    check_filter(
        "word-length",
        &[
            "the quick brown fox",
            "她说天气很好，我们走吧",
            "中文 without words",
            "きょうはいいてんきですね。あしたもはれるでしょう。",
            "カタカナダケノナガイブンショウデス",
            "วันนี้อากาศดีมากเราไปเดินเล่นกันเถอะ",
        ],
        &["a b c d e f", "https://example.org/a/very/long/address"],
    );
    check_filter(
        "symbols",
        &[
            "one two three four five six seven eight nine ten eleven #",
            "这是一句有十几个字的完整的话……",
            "no",
        ],
        &["# # # tags", "wait... what", "好……", "#"],
    );
    check_filter(
        "alphabetic",
        &["nine of ten words 1 have letters in them here", "好吃！！", "很好，送餐快。"],
        &["1 2 3 4 letters", "--- *** ---", "好！！！！"],
    );
    check_filter(
        "repeated-lines",
        &["a\nb\nc\na", "one line", "a\n\n\nb"],
        &["a\na\nb", "menu\nmenu\nmenu", "春\n春\n秋"],
    );
    check_filter("replacement-characters", &["fine"], &["dam\u{FFFD}ged"]);
}

#[test]
fn duplicates() {
    let mut exact = Cleaner::only(&[("exact-duplicates", "")]).unwrap();
    let kept: Vec<bool> = ["a", "b", "a", "A", "b"].iter().map(|text| exact.clean(*text).is_some()).collect();
    assert_eq!(kept, [true, true, false, true, false]);
    assert!(exact.memory() > 0);

    let mut near = Cleaner::only(&[("near-duplicates", "0.7")]).unwrap();
    let long =
        "the cat sat on the mat and the dog ran to the man who had a hat on his head and a bag in his hand";
    assert!(near.clean(long).is_some());
    assert!(near.clean(format!("{long} today")).is_none()); // 24 shingles of 25
    assert!(near.clean(long.to_uppercase()).is_none());
    assert!(near.clean("quite another text, of which not one shingle is the same as before").is_some());
    assert!(near.clean("。。。").is_some() && near.clean("。。。").is_some()); // nothing to compare
    assert_eq!(near.report().rules[0].dropped, 2);
}

/// A megabyte remembers the last 28,672 texts exactly and the last 1,141 nearly; more are forgotten in turn.
#[test]
fn duplicates_in_little_memory() {
    for (rule, setting, sure) in [("exact-duplicates", "1", 28_672), ("near-duplicates", "0.7,1", 1_141)] {
        let mut cleaner = Cleaner::only(&[(rule, setting)]).unwrap();
        let text = |i: usize| format!("text {i} of {} that {} are {} all {}", 3 * i, 5 * i, 7 * i, 11 * i);
        let always = "this one comes again and again and is never forgotten";
        assert!(cleaner.clean(always).is_some());
        for i in 0..5 * sure {
            assert!(cleaner.clean(text(i)).is_some(), "{rule}: {i}");
            if i >= sure / 2 && i % 8 == 0 {
                assert!(cleaner.clean(text(i - sure / 2)).is_none(), "{rule}: {i} was forgotten");
                assert!(cleaner.clean(always).is_none(), "{rule}: forgotten at {i}");
            }
        }
        assert!(cleaner.clean(text(0)).is_some(), "{rule}");
        assert!(cleaner.forgotten() >= 3 * sure as u64, "{rule}: {}", cleaner.forgotten());
    }
}

/// Everything that changes texts, in the order of the registry.
fn all_changes() -> Cleaner {
    Cleaner::with(&[("nfkc", ""), ("mask-email", ""), ("mask-phone", ""), ("mask-number", "")]).unwrap()
}

/// Texts from the characters that rules look at.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab \u{3000}\u{A0}\t\n\r.]{0,30}",
        "[a0-9@.+() -]{0,40}",
        "[\u{200B}-\u{200F}\u{AD}\u{FEFF}e\u{301}ｶﾞ👩🚀中，]{0,20}",
        "\\PC{0,40}",
        any::<Vec<char>>().prop_map(String::from_iter),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn cleaning_twice_changes_nothing(text in texts()) {
        for mut cleaner in [Cleaner::with(&[]).unwrap(), all_changes()] {
            if let Some(once) = cleaner.clean(text.clone()) {
                let twice = cleaner.clean(once.clone());
                prop_assert_eq!(twice, Some(once));
                let rules = &cleaner.report().rules;
                prop_assert!(rules.iter().all(|rule| rule.changed <= 1), "{:?}", rules);
            }
        }
    }

    #[test]
    fn the_report_adds_up(texts in prop::collection::vec(texts(), 0..12)) {
        let everything: Vec<(&str, &str)> = RULES.iter().map(|kind| (kind.name, "")).collect();
        let mut cleaner = Cleaner::with(&everything).unwrap();
        let kept = texts.iter().filter(|text| cleaner.clean(text.as_str()).is_some()).count() as u64;
        let report = cleaner.report();
        let dropped: u64 = report.rules.iter().map(|rule| rule.dropped).sum();
        prop_assert_eq!(report.documents_in, texts.len() as u64);
        prop_assert_eq!(report.documents_out, kept);
        prop_assert_eq!(report.documents_in, report.documents_out + dropped);
    }
}
