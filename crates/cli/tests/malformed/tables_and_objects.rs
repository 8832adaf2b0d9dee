//! Files of rows, objects and pages that are not what their format says.

use super::{Case, READERS};

pub(super) fn rows() -> Vec<Case> {
    let named = "clean --in FILE --out OUT --text-column review";
    let semicolon = "clean --in FILE --out OUT --delimiter ;";
    let quotes = "quotes in it doubled";
    let many = (0..30).map(|i| format!("c{i},")).collect::<String>() + "last\n";
    let quote = |text: &str| format!("id,text\n1,x\n2,{text}\n");
    vec![
        Case::new(
            "a.csv",
            "id,text\n1,x\n2\n",
            READERS,
            &["FILE, line 3", "2 fields", "found 1 field", quotes],
        ),
        Case::new(
            "a.csv",
            "id,text\n1,x,y\n",
            READERS,
            &["FILE, line 2", "2 fields", "found 3 fields", quotes],
        ),
        Case::new(
            "a.csv",
            quote("\"never\n3,x\n"),
            READERS,
            &["FILE, line 3", "end of the file", "close the quote"],
        ),
        Case::new("a.csv", quote("\"ends\" here"), READERS, &["FILE, line 3", "' '", "double the quotes"]),
        Case::new("a.csv", "id,text\r1,x\r", READERS, &["FILE, line 1", "carriage return", "tr '\\r' '\\n'"]),
        Case::new(
            "a.csv",
            "id,name\n1,x\n",
            READERS,
            &["FILE, line 1", "\"text\"", "\"id\", \"name\"", "--text-column"],
        ),
        Case::new("a.csv", many, READERS, &["FILE, line 1", "and 21 more", "--text-column"]),
        Case::new("a.csv", "id,text\n1,x\n", &[named], &["FILE, line 1", "\"review\"", "\"id\", \"text\""]),
        Case::new("a.csv", "id;text\n1;x;y\n", &[semicolon], &["FILE, line 2", "2 fields", "found 3 fields"]),
        Case::new("a.csv", "text,text\n1,x\n", READERS, &["FILE, line 1", "\"text\" twice", "rename"]),
        Case::new("a.csv", "\n\n\n", READERS, &["FILE, line 1", "header", "blank", "name the columns"]),
        Case::new("a.csv", "id,text\n", READERS, &["FILE: ", "found none", "--format"]),
        Case::new("a.tsv", "id\ttext\n1,x\n", READERS, &["FILE, line 2", "2 fields", "found 1 field"]),
    ]
}

pub(super) fn objects() -> Vec<Case> {
    let good = "{\"text\":\"good\"}\n";
    let line = |bad: &str| format!("{good}{bad}\n{good}");
    let deep = format!("{{\"text\":\"a\",\"deep\":{}", "[".repeat(100_000));
    vec![
        Case::new(
            "a.jsonl",
            line("not an object"),
            READERS,
            &["FILE, line 2", "column", "mend the line", "--skip-bad"],
        ),
        Case::new("a.jsonl", &good[..10], READERS, &["FILE, line 1", "EOF", "mend the line"]),
        Case::new(
            "a.jsonl",
            line("{\"text\":\"a\",}"),
            READERS,
            &["FILE, line 2", "column 13", "mend the line"],
        ),
        Case::new(
            "a.jsonl",
            line("{\"text\":\"\\ud800"),
            READERS,
            &["FILE, line 2", "column", "mend the line"],
        ),
        Case::new("a.jsonl", line("{'text':'a'}"), READERS, &["FILE, line 2", "column 2", "mend the line"]),
        Case::new(
            "a.jsonl",
            line("{\"label\":1}"),
            READERS,
            &["FILE, line 2", "\"text\"", "\"label\"", "--text-column"],
        ),
        Case::new(
            "a.jsonl",
            line("{\"text\":7}"),
            READERS,
            &["FILE, line 2", "a string", "a number", "--text-column"],
        ),
        Case::new("a.jsonl", line("{\"text\":null}"), READERS, &["FILE, line 2", "a string", "null"]),
        Case::new("a.jsonl", line("[1]"), READERS, &["FILE, line 2", "an object", "an array", "jq"]),
        Case::new("a.json", "[\n{\"text\":\"a\"}\n]\n", READERS, &["FILE, line 1", "a JSON object", "jq"]),
        Case::new("a.jsonl", deep, READERS, &["FILE, line 1", "EOF", "mend the line"]),
        Case::new("a.jsonl", "\n\n", READERS, &["FILE: ", "found none", "--format"]),
    ]
}

pub(super) fn pages_and_lines() -> Vec<Case> {
    let limited = &[
        "clean --in FILE --out OUT --longest 1000",
        "clean --in FILE --out OUT --longest 1000 --format lines",
    ];
    let long = "x".repeat(17 << 20); // more than the 16 MiB that are usual
    vec![
        Case::new(
            "a.txt",
            " \n\n\t\n",
            READERS,
            &["FILE: ", "at least one document with text", "found none"],
        ),
        Case::new("a.txt", long.clone(), READERS, &["FILE, line 1", "at most 16777216 bytes", "--longest"]),
        Case::new(
            "a.jsonl",
            format!("{{\"text\":\"{long}\"}}"),
            READERS,
            &["FILE, line 1", "16777216", "--longest"],
        ),
        Case::new(
            "a.csv",
            format!("id,text\n1,\"{long}\n"),
            READERS,
            &["FILE, line 2", "16777216", "--longest"],
        ),
        Case::new("a.html", long, READERS, &["FILE, line 1", "a page of at most 16777216", "--longest"]),
        Case::new(
            "a.txt",
            format!("ok\n\n{}", "y".repeat(1001)),
            limited,
            &["FILE, line 3", "1000 bytes", "--longest"],
        ),
    ]
}
