//! `newleaf report` of a fine-tuning: the page has its numbers, and nothing of a file becomes markup.

use crate::common::{Place, finetune, is_well_formed, json, json_file, json_lines, newleaf, reviews, stdout};
use assert_cmd::Command;
use std::fs;

fn report(place: &Place, dir: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.arg("report").arg(place.path(dir)).args(more);
    command
}

/// The page, in which every mark is closed.
#[track_caller]
fn page(place: &Place, dir: &str) -> String {
    let page = place.read(&format!("{dir}.html"));
    let body = page.split_once("<body>").unwrap().1.split_once("</body>").unwrap().0;
    assert!(is_well_formed(body), "{body}");
    page
}

#[test]
fn a_classifier_has_a_page_with_its_errors_and_what_led_to_them() {
    let place = reviews();
    // Labels that are wrong make errors of any classifier; texts and labels may look like markup.
    let rows = "\"the soup was good today <b>&amp;</b>\",neg\n\"the cake was bad <i>today\",pos\n";
    place.write("test.csv", place.read("test.csv") + rows);
    let result = json(&mut finetune(&place, "mixed", &["--epochs", "4", "--json"]));
    let said = stdout(&mut report(&place, "mixed", &["--svg", place.path("pictures").to_str().unwrap()]));
    assert!(
        said.contains("test texts") && said.contains("macro F1") && said.contains("mixed.html"),
        "{said}"
    );
    let svg = ["validation", "training-loss", "calibration"].map(|name| format!("pictures/{name}.svg"));
    assert!(svg.iter().all(|name| is_well_formed(&place.read(name))));
    let page = page(&place, "mixed");
    // The scores of the table are those of the record.
    let f1 = result["beside"]["logistic regression, words"]["macro_f1"].as_f64().unwrap();
    for text in [
        format!(
            "<th>logistic regression, words</th><td>{:.4}",
            result["beside"]["logistic regression, words"]["accuracy"].as_f64().unwrap()
        ),
        format!("<td>{f1:.4}</td>"),
        "<h2>Which labels it mixes up</h2>".into(),
        "<h2>The scores of each label</h2>".into(),
        "points more often than the words alone".into(),
        "<h2>The worst errors</h2>".into(),
    ] {
        assert!(page.contains(&text), "{text}: {page}");
    }
    // The cells of the confusion matrix.
    let confusion = result["test"]["confusion"].as_array().unwrap();
    for count in confusion.iter().flat_map(|row| row.as_array().unwrap()) {
        assert!(page.contains(&format!("\">{count}</td>")), "{count}");
    }
    // One of the wrong labels is shown, the word that decides in colour, and named by the regression.
    assert!(page.contains("&amp;") && !page.contains("<b>&amp;") && !page.contains("<i>"), "{page}");
    assert!(page.contains("rgba(230,120,0,0.70)") && page.contains("the model alone says"), "{page}");
    assert!(page.contains("For neg:") || page.contains("For pos:"), "{page}");
    // Another page replaces it, a fine-tuning into the same directory still works, and the record is given to programs.
    let object = json(&mut report(&place, "mixed", &["--json"]));
    assert_eq!(object["result"], json_file(&place.path("mixed/result.json")));
    assert!(object["runs"].is_null() && object["pictures"] == serde_json::json!([]));
    finetune(&place, "mixed", &["--epochs", "1", "--peft", "head"]).assert().success();
}

/// Every text of the test part is in the file of predictions, with what `classify` says of it.
#[test]
fn predictions_are_those_of_the_classifier() {
    let place = reviews();
    let result = json(&mut finetune(&place, "out", &["--epochs", "2", "--json"]));
    let lines = json_lines(&place.path("out/predictions.jsonl"));
    assert_eq!(lines.len() as u64, result["test"]["texts"].as_u64().unwrap());
    let texts: String = lines.iter().map(|line| format!("{}\n", line["text"].as_str().unwrap())).collect();
    let mut classify = newleaf();
    classify.args(["classify", "--model"]).arg(place.path("out")).write_stdin(texts);
    let answers = stdout(&mut classify);
    for (line, answer) in lines.iter().zip(answers.lines()) {
        let (label, p) = answer.split_once('\t').unwrap();
        assert_eq!(line["predicted"], label);
        let of_label = usize::from(label == "pos");
        assert!(
            (line["p"][of_label].as_f64().unwrap() - p.parse::<f64>().unwrap()).abs() < 1e-4,
            "{line} {p}"
        );
    }
    let history = result["history"].as_array().unwrap();
    let updates: Vec<u64> = history.iter().map(|of| of["update"].as_u64().unwrap()).collect();
    assert!(updates[0] == 0 && updates.last() == result["updates"].as_u64().as_ref(), "{result}");
    assert!(history[0]["train_loss"].is_null() && history[1]["train_loss"].is_number());
}

#[test]
fn an_adapter_whose_base_was_moved_still_has_a_page() {
    let place = reviews();
    place.write("test.csv", place.read("test.csv") + "the soup was good today with milk,neg\n");
    finetune(&place, "small", &["--peft", "lora", "--epochs", "3"]).assert().success();
    stdout(&mut report(&place, "small", &[]));
    assert!(page(&place, "small").contains("rgba("));
    fs::rename(place.path("base"), place.path("moved")).unwrap();
    stdout(&mut report(&place, "small", &[]));
    let page = page(&place, "small");
    assert!(
        page.contains("What led to them is not shown") && page.contains("<h2>The worst errors</h2>"),
        "{page}"
    );
}

#[test]
fn what_is_no_record_is_refused() {
    let place = reviews();
    finetune(&place, "out", &["--epochs", "1", "--peft", "head"]).assert().success();
    let run = place.path("base");
    place.refuses(&mut report(&place, "out", &[run.to_str().unwrap()]), &["name it alone"]);
    place.refuses(&mut report(&place, "out", &["--floor", "1"]), &["--floor"]);
    place.write("mine.html", "mine");
    let mine = place.path("mine.html");
    place.refuses(
        &mut report(&place, "out", &["--out", mine.to_str().unwrap()]),
        &["mine.html", "another file"],
    );
    for (name, text, words) in [
        ("result.json", "{", ["result.json", "fine-tune again"]),
        ("result.json", "{\"task\": \"sing\", \"history\": []}", ["result.json", "sing"]),
        ("result.json", "{\"task\": \"chat\"}", ["result.json", "no history"]),
        (
            "result.json",
            "{\"task\": \"classify\", \"history\": [], \"labels\": 3}",
            ["result.json", "labels"],
        ),
        ("predictions.jsonl", "{\"text\": \"a\"}\n", ["predictions.jsonl", "line 1"]),
        (
            "predictions.jsonl",
            "{\"text\": \"a\", \"label\": \"pos\", \"predicted\": \"neg\", \"p\": [1]}\n",
            ["predictions.jsonl, line 1", "probabilities"],
        ),
    ] {
        let good = fs::read(place.path("out").join(name)).unwrap();
        place.write(&format!("out/{name}"), text);
        place.refuses(&mut report(&place, "out", &[]), &words);
        place.write(&format!("out/{name}"), good);
    }
    stdout(&mut report(&place, "out", &[]));
}
