//! `newleaf finetune chat` and `newleaf chat`: from dialogues to answers, and what is refused.

use crate::common::{Place, float, json, json_file, newleaf, reviews, stdout};
use assert_cmd::Command;

/// Dialogues in which the answer names what was asked for.
fn dialogues(place: &Place) {
    let things = ["soup", "cake", "tea", "rice", "fish", "pie", "bread", "egg"];
    let asks = ["the", "a", "this", "our"];
    let line = |i: usize| {
        let (ask, thing) = (asks[i % 4], things[(i / 4 + i) % 8]);
        format!(
            r#"{{"messages":[{{"role":"user","content":"{ask} {thing}"}},{{"role":"assistant","content":"{thing} was good"}}]}}"#
        ) + "\n"
    };
    place.write("talks.jsonl", (0..320).map(line).collect::<String>());
}

fn teach(place: &Place, model: &str, out: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["finetune", "chat", "--train"]).arg(place.path("talks.jsonl"));
    command.arg("--model").arg(place.path(model)).arg("--out").arg(place.path(out)).args(more);
    command
}

fn talk(place: &Place, model: &str, said: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["chat", "--temperature", "0", "--max-new-tokens", "30", "--model"]).arg(place.path(model));
    command.args(more).write_stdin(said.to_string());
    command
}

#[test]
fn from_dialogues_to_answers() {
    let place = reviews();
    dialogues(&place);
    let result =
        json(&mut teach(&place, "base", "talks", &["--epochs", "270", "--learning-rate", "3e-3", "--json"]));
    let (before, after) = (&result["validation"]["loss_before"], &result["validation"]["loss"]);
    assert!(float(after) < 0.1 && float(before) > 1.0, "{result}");
    assert_eq!(json_file(&place.path("talks/result.json")), result);
    // Two questions, the second with the first before it; what looks like a marker is text, and ends nothing.
    assert_eq!(stdout(&mut talk(&place, "talks", "the soup\n\nthe tea\n", &[])), "soup was good\n");
    let unknown = talk(&place, "talks", "the \u{96ea}soup\n", &[]).output().unwrap();
    assert_eq!(String::from_utf8(unknown.stdout).unwrap(), "soup was good\n");
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("1 of the characters of this message"));
    let answers = stdout(&mut talk(&place, "talks", "a fish\nthe cake\n", &["--system", "as ever"]));
    assert_eq!(answers.lines().count(), 2, "{answers}");
    let adapted = ["--peft", "lora:r=4", "--epochs", "2", "--json"];
    let result = json(&mut teach(&place, "talks", "polite", &adapted));
    assert_eq!(json_file(&place.path("polite/result.json")), result);
    let adapter = place.path("polite");
    let answer = stdout(talk(&place, "talks", "our pie\n", &["--adapter"]).arg(&adapter));
    assert_eq!(answer, "pie was good\n");
    place.refuses(talk(&place, "base", "", &["--adapter"]).arg(&adapter), &["sha256"]);
    // What cannot be put into the weights answers, too.
    for method in ["adapter:width=4", "prefix:tokens=4", "prompt:tokens=4", "ia3", "bitfit"] {
        let out = method.split(':').next().unwrap();
        json(&mut teach(&place, "talks", out, &["--peft", method, "--epochs", "1", "--json"]));
        let answer = stdout(talk(&place, "talks", "our pie\n", &["--adapter"]).arg(place.path(out)));
        assert_eq!(answer, "pie was good\n", "{method}");
    }
}

/// A picture in one message of thousands does not stop a fine-tuning: it is left out, and counted.
#[test]
fn characters_of_no_vocabulary_are_left_out() {
    let place = reviews();
    let line = |i: usize| {
        let said = "a pie ".repeat(1 + i);
        format!("{{\"instruction\":\"{said}\u{1f370}\",\"output\":\"a cake\"}}\n")
    };
    // A dialogue with a tool, one without an answer, one that was there before: each left out, and counted, too.
    let tool = r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}"#;
    let unanswered = r#"{"messages":[{"role":"user","content":"a pie"}]}"#;
    let lines = (0..20).map(line).collect::<String>();
    place.write("talks.jsonl", lines + tool + "\n" + unanswered + "\n" + &line(3));
    let output = teach(&place, "base", "out", &["--epochs", "1"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    for words in [
        "% of the characters are not in the model's vocabulary",
        "calls of tools or pictures, left out: only text is learned: 1",
        "says nothing in the last",
        "dialogues that were there before, left out: 1",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn bad_dialogues_are_refused() {
    let place = reviews();
    dialogues(&place);
    place.refuses(&mut teach(&place, "base", "out", &["--peft", "lora"]), &["markers", "--peft full"]);
    place.refuses(&mut teach(&place, "base", "out", &["--peft", "head"]), &["--peft head"]);
    place.refuses(&mut talk(&place, "base", "", &[]), &["base", "<|system|>"]);
    for (line, words) in [
        ("{}", "line 1: expected {\"messages\""),
        (r#"{"messages":[{"role":"robot","content":"a"}]}"#, "line 1"),
        (r#"{"messages":[{"role":"user","content":"a"}]}"#, "the assistant says"),
        (r#"{"messages":[{"role":"assistant","content":"a"}]}"#, "at least 10 different dialogues"),
    ] {
        place.write("talks.jsonl", line);
        place.refuses(&mut teach(&place, "base", "out", &[]), &["talks.jsonl", words]);
    }
}
