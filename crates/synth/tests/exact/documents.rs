//! What generated documents say about themselves is so: labels, answers, translations, dialogues, episodes.

use super::*;

/// The documents as fields.
fn documents(name: &str, set: &[(&str, &str)], count: usize) -> Vec<Vec<(Field, String)>> {
    let mut generator = generator(name, set);
    let mut rng = Rng::new(5, Stream::Data);
    let mut next = || {
        let mut document = Document::default();
        generator.append(&mut rng, &mut document);
        document.field_texts(generator.alphabet())
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn labels_are_right_as_often_as_stated() {
    for (language, eta) in [("en", 0.05), ("zh", 0.2)] {
        let set = [("language", language), ("eta", if eta == 0.05 { "0.05" } else { "0.2" })];
        let documents = documents("sentiment", &set, 4000);
        let (mut right, mut negated, mut good) = (0, 0, 0);
        for fields in &documents {
            let [(Field::Text, text), (Field::Label, label)] = &fields[..] else { panic!("{fields:?}") };
            let truth = sentiment::true_label(text).unwrap_or_else(|| panic!("{text}"));
            right += usize::from(truth.to_string() == *label);
            negated += usize::from(text.contains("not ") || text.contains('不'));
            good += usize::from(truth);
        }
        let (n, accuracy) = (documents.len() as f64, right as f64 / documents.len() as f64);
        assert!(
            (accuracy - (1.0 - eta)).abs() < 4.0 * (eta * (1.0 - eta) / n).sqrt(),
            "{language}: {accuracy}"
        );
        assert!((good as f64 / n - 0.5).abs() < 0.1 && negated as f64 / n > 0.25, "{good} {negated}");
    }
}

#[test]
fn a_negation_turns_an_opinion_over() {
    let cases = [
        ("We came at noon. the food was good.", 1),
        ("We came at noon. the food was not good.", 0),
        ("We came at noon. the food was not slow, but the room was bad, and the view was very great.", 1),
        ("中午去的。味道不差。", 1),
        ("中午去的。味道很好，不过服务慢，而且汤不新鲜。", 0),
    ];
    for (text, label) in cases {
        assert_eq!(sentiment::true_label(text), Some(label), "{text}");
    }
    assert_eq!(sentiment::true_label("Something else."), None);
}

#[test]
fn answers_follow_from_prompts() {
    let answers = |name, set: &[(&str, &str)], solve: &dyn Fn(&str) -> String| {
        for fields in documents(name, set, 300) {
            let [(Field::Prompt, prompt), (Field::Answer, answer)] = &fields[..] else {
                panic!("{fields:?}")
            };
            assert_eq!(solve(prompt), *answer, "{name}: {prompt}");
        }
    };
    let sorted = |prompt: &str| {
        let mut letters: Vec<char> = prompt.chars().collect();
        letters.sort();
        letters.into_iter().collect()
    };
    answers("copy", &[], &|prompt| prompt.to_string());
    answers("reverse", &[], &|prompt| prompt.chars().rev().collect());
    answers("sort", &[("min", "1"), ("max", "30")], &sorted);
    let sum = |prompt: &str| prompt.split('+').map(|n| n.parse::<u64>().unwrap()).sum::<u64>();
    answers("add", &[("digits", "18")], &|prompt| format!("{:019}", sum(prompt)));
    answers("mod-add", &[], &|prompt| format!("{:02}", sum(prompt) % 97));
    let summary = |report: &str| synth::kinds::report::summary_of(report).unwrap();
    answers("report-summary", &[], &summary);
    answers("report-summary", &[("articles", "2")], &summary);
    let huge = format!("In May the shop at Yarrow Hill sold {0} rice and {0} salt. ", u64::MAX);
    assert_eq!(synth::kinds::report::summary_of(&huge), None);
}

#[test]
fn translations_follow_from_sources() {
    for direction in ["zh-en", "en-zh"] {
        let mut seen = std::collections::HashMap::new();
        for fields in documents("scfg-zh-en", &[("direction", direction)], 2000) {
            let [(Field::Source, source), (Field::Target, target)] = &fields[..] else {
                panic!("{fields:?}")
            };
            assert_eq!(seen.entry(source.clone()).or_insert(target.clone()), target);
            let (zh, en) = if direction == "zh-en" { (source, target) } else { (target, source) };
            // A relative clause stands before its noun in Chinese, behind it in English.
            let relative = en.contains(" that ") && en.matches("that ").count() > zh.matches('那').count();
            assert_eq!(relative, zh.contains('的'), "{zh} {en}");
            assert!(en.ends_with('.') && zh.ends_with('。') && zh.contains('在'));
        }
    }
}

#[test]
fn dialogues_remember() {
    for line in text("slots", &[], 20_000, Format::Records).lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let messages = record["messages"].as_array().unwrap();
        let roles: Vec<&str> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert!(roles.chunks(2).all(|turn| turn == ["user", "assistant"]), "{line}");
        let said = |m: &serde_json::Value| m["content"].as_str().unwrap().to_string();
        let booked = said(messages.last().unwrap());
        let user: String = messages.iter().step_by(2).map(said).collect();
        let day =
            ["Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun"].iter().find(|d| booked.contains(*d));
        assert!(booked.starts_with("Booked: a table on ") && user.contains(day.unwrap()), "{line}");
    }
}

/// The best guess from the shots alone is right as often as the formula says.
#[test]
fn episodes_have_the_stated_best_accuracy() {
    for (shots, expected) in
        [("0", 0.125), ("1", 0.5 + 0.5 / 7.0), ("3", 0.875 + 0.125 / 7.0), ("8", 0.99665)]
    {
        let set = [("shots", shots)];
        near(
            (fact("fewshot-episodes", &set, "bayes_accuracy") * 1e5).round() / 1e5,
            (expected * 1e5_f64).round() / 1e5,
        );
    }
    let episodes = documents("fewshot-episodes", &[("shots", "2"), ("labels", "4")], 4000);
    let mut right = 0;
    for fields in &episodes {
        let pairs: Vec<(&str, &str)> =
            fields.chunks(2).map(|pair| (&pair[0].1[..], &pair[1].1[..])).collect();
        let (&(question, answer), shots) = pairs.split_last().unwrap();
        let class = |word: &str| classes().iter().position(|class| class.contains(&word)).unwrap();
        let known = shots.iter().find(|(word, _)| class(word) == class(question)).map(|(_, label)| *label);
        let free =
            ["dax", "wug", "fep", "zup"].into_iter().find(|l| shots.iter().all(|(_, label)| label != l));
        right += usize::from(known.or(free) == Some(answer));
    }
    let (expected, found) = (0.75 + 0.25 / 3.0, right as f64 / episodes.len() as f64);
    assert!((found - expected).abs() < 4.0 * (expected * (1.0 - expected) / 4000.0_f64).sqrt(), "{found}");
}

fn classes() -> [[&'static str; 6]; 6] {
    [
        ["pear", "plum", "kiwi", "lime", "date", "sloe"],
        ["file", "vice", "adze", "rasp", "hook", "pick"],
        ["goat", "lamb", "mule", "colt", "hare", "bull"],
        ["blue", "pink", "gold", "grey", "teal", "cyan"],
        ["door", "roof", "wall", "sill", "tile", "beam"],
        ["rain", "snow", "hail", "wind", "mist", "gale"],
    ]
}
