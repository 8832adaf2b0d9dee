//! Stop words: the lists that ship inside, and a user's own.

use data::StopWords;
use std::fs;

#[test]
fn frequent_words_go_and_the_rest_stays() {
    let words = "The soup was not good , but it is cheap".split(' ');
    assert_eq!(StopWords::english().remove_from(words), ["soup", "not", "good", ",", "but", "cheap"]);
    let words = "这 碗 汤 的 味道 不 好 ， 但是 很 便宜".split(' ');
    assert_eq!(
        StopWords::chinese().remove_from(words),
        ["碗", "汤", "味道", "不", "好", "，", "但是", "很", "便宜"]
    );
}

#[test]
fn the_lists_keep_what_decides_a_label() {
    for word in ["not", "no", "never", "but", "good", "bad", "very"] {
        assert!(!StopWords::english().contains(word), "{word}");
    }
    for word in ["不", "没", "没有", "别", "但是", "好", "很"] {
        assert!(!StopWords::chinese().contains(word), "{word}");
    }
    assert!(
        (100..400).contains(&StopWords::english().len()) && (100..400).contains(&StopWords::chinese().len())
    );
}

#[test]
fn a_file_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stop.txt");
    fs::write(&path, "# mine\r\nUm\r\n\r\n 呃 \r\n").unwrap();
    let list = StopWords::load(&path).unwrap();
    assert!(list.len() == 2 && list.contains("um") && list.contains("UM") && list.contains("呃"));
    fs::write(&path, "um\nyou know\n").unwrap();
    let message = StopWords::load(&path).unwrap_err().to_string();
    assert!(message.contains("stop.txt, line 2") && message.contains("\"you know\""), "{message}");
    fs::write(&path, "# nothing\n").unwrap();
    assert!(StopWords::load(&path).unwrap_err().to_string().contains("found none"));
}
