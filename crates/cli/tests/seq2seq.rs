//! `newleaf finetune seq2seq`, `translate` and `summarize`: from pairs of texts to answers, and what is refused.

use crate::common::{Place, float, json, json_file, json_lines, newleaf, stdout};
use assert_cmd::Command;

const WORDS: [(&str, &str); 8] = [
    ("cat", "chat"),
    ("dog", "chien"),
    ("bird", "oiseau"),
    ("tree", "arbre"),
    ("fish", "poisson"),
    ("bread", "pain"),
    ("milk", "lait"),
    ("sun", "soleil"),
];

/// A folder with pairs of two words each, the target in the other order, and a model that has seen some.
fn place() -> Place {
    let place = Place::new();
    let (mut pairs, mut text) = (String::from("en\tfr\n"), String::new());
    for (i, (en, fr)) in WORDS.iter().enumerate() {
        for (other_en, other_fr) in &WORDS[..i] {
            for (a, b) in [((en, fr), (other_en, other_fr)), ((other_en, other_fr), (en, fr))] {
                pairs += &format!("{} {}\t{} {}\n", a.0, b.0, b.1, a.1);
                text += &format!("{} {} = {} {}\n\n", a.0, b.0, b.1, a.1);
            }
        }
    }
    place.write("pairs.tsv", pairs);
    place.write("text.txt", text.repeat(4));
    let mut command = newleaf();
    command.args(["train", "--preset", "nano-cpu", "--data"]).arg(place.path("text.txt"));
    command.arg("--out").arg(place.path("base"));
    let model = ["--n-layer=2", "--n-head=2", "--n-embd=32", "--block-size=48", "--position=rope"];
    command.args(model).args(["--batch-size=16", "--max-iters=150", "--eval-interval=150"]);
    command.arg("--learning-rate=3e-3").assert().success();
    place
}

fn teach(place: &Place, model: &str, out: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["finetune", "seq2seq", "--source-column=en", "--target-column=fr", "--model"]);
    command.arg(place.path(model)).arg("--train").arg(place.path("pairs.tsv"));
    command.arg("--out").arg(place.path(out)).args(more);
    command
}

fn translate(place: &Place, model: &str, lines: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["translate", "--model"]).arg(place.path(model)).args(more).write_stdin(lines);
    command
}

/// Enough to know the pairs by heart.
const LONG: &[&str] = &["--epochs=60", "--batch-size=8", "--learning-rate=3e-3", "--patience=0", "--json"];

/// Of a source that is too long the sentences that say most of it are learned from and answered, if that is wanted; if not, the
/// pair is left out.
#[test]
fn long_sources_are_extracted() {
    let place = place();
    let pairs: String = WORDS
        .iter()
        .map(|(en, fr)| {
            format!("The {en} ran. Once upon a day the sun set at last. The {en} ran to the {en}.\t{fr}\n")
        })
        .collect();
    let known = place.read("pairs.tsv").replace("en\tfr\n", "");
    place.write("pairs.tsv", format!("en\tfr\n{pairs}{known}"));
    place.write("text.txt", format!("{}Tuphn.\n", place.read("text.txt").repeat(2)));
    let train =
        ["train", "--preset", "nano-cpu", "--n-layer=1", "--n-head=2", "--n-embd=32", "--block-size=48"];
    let mut command = newleaf();
    command.args(train).arg("--data").arg(place.path("text.txt")).arg("--out").arg(place.path("large"));
    command.args(["--position=rope", "--max-iters=5"]).assert().success();
    let said = |more: &[&str], out: &str| {
        let output = teach(&place, "large", out, &[&["--epochs=1"][..], more].concat()).assert().success();
        String::from_utf8_lossy(&output.get_output().stderr).into_owned()
    };
    let without = said(&[], "without");
    assert!(without.contains("pairs are longer") && !without.contains("say most"), "{without}");
    let with = said(&["--extract"], "with");
    assert!(
        !with.contains("pairs are longer") && with.contains("the sentences that say most of them"),
        "{with}"
    );
    let result = json_file(&place.path("with/result.json"));
    assert_eq!(result["extract"], true);
    assert!(float(&result["test"]["most_telling_sentence"]["chrf"]) >= 0.0, "{result}");
    let mut summarize = newleaf();
    summarize.args(["summarize", "--model"]).arg(place.path("with"));
    let summary = summarize.write_stdin(pairs.lines().next().unwrap().replace('\t', " ")).assert().success();
    let told = String::from_utf8_lossy(&summary.get_output().stderr).into_owned();
    assert!(told.contains("1 texts are longer") && told.contains("say most of them were read"), "{told}");
}

#[test]
fn from_pairs_to_answers() {
    let place = place();
    let result = json(&mut teach(&place, "base", "fr", LONG));
    assert_eq!(json_file(&place.path("fr/result.json")), result);
    let (before, after) = (float(&result["validation"]["loss_before"]), float(&result["validation"]["loss"]));
    assert!(after < 0.5 * before, "{result}");
    let test = &result["test"];
    for metric in ["exact_match", "bleu", "chrf", "rouge_l"] {
        let (model, source) = (float(&test[metric]), float(&test["source_itself"][metric]));
        assert!(model >= source && model.is_finite(), "{metric}: {result}");
    }
    assert_eq!(test["source_itself"]["exact_match"], 0.0);
    // Its page has answers; one that does not match a number is no number.
    let said = stdout(newleaf().arg("report").arg(place.path("fr")));
    let page = place.read("fr.html");
    assert!(said.contains("BLEU") && page.contains("<h2>The worst answers</h2>"), "{said}");
    assert_eq!(json_lines(&place.path("fr/predictions.jsonl")).len() as u64, test["pairs"].as_u64().unwrap());
    place.refuses(&mut teach(&place, "base", "no", &["--label-smoothing=1"]), &["--label-smoothing 1"]);
    // What was trained on is known: a line each, by a beam and by taking the likeliest token.
    let (sources, targets): (String, String) = std::fs::read_to_string(place.path("pairs.tsv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split_once('\t').unwrap())
        .map(|(en, fr)| (format!("{en}\n"), format!("{fr}\n")))
        .unzip();
    let right = |answers: &str| answers.lines().zip(targets.lines()).filter(|(a, b)| a == b).count();
    for beam in ["--beam=1", "--beam=4"] {
        let answers = stdout(&mut translate(&place, "fr", &sources, &[beam]));
        assert_eq!(answers.lines().count(), 56);
        assert!(right(&answers) >= 40, "{beam}: {answers}");
    }
    // At random, but the same with the same seed and any number of threads.
    let draw = |seed: &str, threads: &str| {
        let more = ["--sample", "--temperature=1.5", "--seed", seed, "--threads", threads];
        stdout(&mut translate(&place, "fr", &sources, &more))
    };
    assert_eq!(draw("1", "1"), draw("1", "2"));
    assert_ne!(draw("1", "1"), draw("2", "1"));
    // Pairs for the way back can be trained on.
    let pairs = stdout(&mut translate(&place, "fr", "cat dog\nsun milk\n", &["--pairs"]));
    place.write("more.jsonl", &pairs);
    assert_eq!(json_lines(&place.path("more.jsonl"))[1]["target"], "sun milk");
    let more = place.path("more.jsonl");
    place.write("test.tsv", "en\tfr\nmilk milk\tsun milk\n");
    let (more, test) = (more.to_str().unwrap(), place.path("test.tsv"));
    let again = |more: &[&str]| json(teach(&place, "fr", "again", &["--epochs=1", "--json"]).args(more));
    assert_eq!(again(&["--synthetic", more])["synthetic_pairs"], 2);
    // Several translations of one text are learnt, in whichever part it is; the same pair again is not.
    let before = again(&[]);
    let pairs = place.read("pairs.tsv");
    let (first, _) = pairs.lines().nth(1).unwrap().split_once('\t').unwrap();
    place.write("pairs.tsv", format!("{pairs}{first}\tsun\n{first}\tsun\n"));
    let after = again(&[]);
    assert_eq!(after["dropped"].as_u64(), before["dropped"].as_u64().map(|dropped| dropped + 1));
    place.write("pairs.tsv", pairs);
    // But for what they would tell of the test.
    assert_eq!(again(&["--synthetic", more, "--test", test.to_str().unwrap()])["synthetic_pairs"], 1);
    // And other words for texts: here there is only one translation, which the way back does not know.
    place.write("texts.tsv", "id\ttext\n1\tcat dog\n2\tsun milk\n");
    let mut command = newleaf();
    command.args(["augment", "--json", "--there"]).arg(place.path("fr")).arg("--back").arg(place.path("fr"));
    command.arg("--in").arg(place.path("texts.tsv")).arg("--out").arg(place.path("variants.tsv"));
    let report = json(&mut command);
    assert_eq!(report["examples"], 2);
    let variants = std::fs::read_to_string(place.path("variants.tsv")).unwrap();
    let count = 3 + report["variants"].as_u64().unwrap() as usize;
    assert_eq!(variants.lines().count(), count);
    assert!(
        count > 3 && variants.lines().skip(1).all(|line| line.starts_with("1\t") || line.starts_with("2\t"))
    );
    // Documents of a file, a line each.
    place.write("documents.txt", "cat dog\n\nsun milk\n");
    let mut command = newleaf();
    command.args(["summarize", "--model"]).arg(place.path("fr")).arg(place.path("documents.txt"));
    assert_eq!(stdout(&mut command), stdout(&mut translate(&place, "fr", "cat dog\nsun milk\n", &[])));
    // With few numbers more, on a model that has the markers.
    let result = json(&mut teach(&place, "fr", "small", &["--peft=lora:r=2", "--epochs=1", "--json"]));
    assert!(place.path("small/adapter_model.safetensors").exists(), "{result}");
    let adapter = place.path("small");
    let answers = stdout(&mut translate(&place, "fr", &sources, &["--adapter", adapter.to_str().unwrap()]));
    assert!(right(&answers) >= 40, "{answers}");
}

/// What cannot be put into the weights translates, too: with its test part, and from its adapter.
#[test]
fn every_small_method_translates() {
    let place = place();
    teach(&place, "base", "fr", &["--epochs=1", "--max-new-tokens=8"]).assert().success();
    for method in ["prefix:tokens=4", "prompt:tokens=4", "adapter:width=4", "ia3"] {
        let out = method.split(':').next().unwrap();
        let more = [&format!("--peft={method}")[..], "--epochs=1", "--max-new-tokens=8", "--json"];
        let result = json(&mut teach(&place, "fr", out, &more));
        assert!(result["test"]["chrf"].is_number(), "{method}: {result}");
        let adapter = place.path(out);
        let translated =
            stdout(&mut translate(&place, "fr", "cat\n", &["--adapter", adapter.to_str().unwrap()]));
        assert_eq!(translated.lines().count(), 1, "{method}: {translated}");
    }
}

#[test]
fn mistakes_are_explained() {
    let place = place();
    let refused =
        |more: &[&str], words: &[&str]| place.refuses(&mut teach(&place, "base", "out", more), words);
    for (header, words) in
        [("de\tfr", ["line 1", "\"en\""]), ("en\tde", ["--source-column and --target-column", "\"fr\""])]
    {
        let path = place.path(&header.replace('\t', "-")).with_extension("tsv");
        std::fs::write(&path, format!("{header}\ncat\tchat\n")).unwrap();
        refused(&["--test", path.to_str().unwrap()], &words);
    }
    refused(&["--peft=lora"], &["<|sep|> <|end|>", "--peft full"]);
    refused(&["--peft=head"], &["--peft head"]);
    refused(&["--beam=0"], &["beam", "1 to 1024"]);
    refused(&["--length-penalty=-1"], &["length_penalty", "0 to 10"]);
    let empty = place.write("empty.tsv", "en\tfr\na\t\n \tx\n");
    let words = [
        "pairs without a source or a target, which are left out: 2",
        "found no row with a source and a target",
    ];
    refused(&["--test", empty.to_str().unwrap()], &words);
    place.refuses(
        &mut translate(&place, "base", "cat\n", &[]),
        &["base", "<|sep|>", "newleaf finetune seq2seq"],
    );
    teach(&place, "base", "fr", &["--epochs=1", "--max-new-tokens=8"]).assert().success();
    let mut command = newleaf();
    command.args(["augment", "--in", "x.txt", "--out", "y.txt", "--there"]).arg(place.path("fr"));
    place.refuses(&mut command, &["--back"]);
    // Line n of the answer belongs to line n of the text (sockeye 477).
    let lines = |input: &str, more: &[&str]| -> Vec<String> {
        let output = translate(&place, "fr", input, more).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect()
    };
    let (dense, sparse) = (lines("cat\ndog\n", &[]), lines("\ncat\n \n\ndog\n", &[]));
    assert_eq!(sparse, ["", &dense[0], "", "", &dense[1]]);
    assert_eq!(lines("\ncat\n\n", &["--pairs"]).len(), 1);
    place.write("nothing.txt", "\n\n");
    let mut command = newleaf();
    command.args(["summarize", "--model"]).arg(place.path("fr")).arg(place.path("nothing.txt"));
    place.refuses(&mut command, &["nothing.txt", "at least one document"]);
}
