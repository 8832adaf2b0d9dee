//! Leaks that are planted are found, each as what it is; and nothing else is.

use data::clean::{LeakCheck, LeakKind};
use random::{Rng, Stream};

/// A text of `n` random words.
fn text(rng: &mut Rng, n: usize) -> String {
    let words: Vec<String> = (0..n).map(|_| format!("w{}", rng.below(5000))).collect();
    words.join(" ")
}

#[test]
fn planted_leaks_are_found() {
    let mut rng = Rng::new(1, Stream::Data);
    let tests: Vec<String> = (0..50).map(|_| text(&mut rng, 60)).collect();
    let mut check = LeakCheck::new(13);
    tests.iter().enumerate().for_each(|(i, test)| check.add_test(test, 1 + i as u64));
    check.add_test("...", 51); // no unit, no document

    let others: Vec<String> = (0..500).map(|_| text(&mut rng, 60)).collect();
    others.iter().enumerate().for_each(|(i, other)| check.see_train(other, 1 + i as u64));
    let clean = check.report();
    assert_eq!((clean.test_documents, clean.train_documents), (50, 500));
    assert_eq!((clean.exact, clean.near, clean.overlap, clean.shared_ngrams), (0, 0, 0, 0));
    assert_eq!(clean.test_ngrams, 50 * (60 - 12));

    check.see_train(&tests[3].to_uppercase().replace(' ', ",  "), 501);
    check.see_train(&format!("{} and more", tests[7]), 502);
    check.see_train(&format!("{} {} {}", text(&mut rng, 900), tests[9], text(&mut rng, 900)), 503);
    let found = check.report();
    assert_eq!((found.exact, found.near, found.overlap), (1, 1, 1));
    let kinds: Vec<_> = found.leaks.iter().map(|leak| (leak.kind, leak.test_line, leak.train_line)).collect();
    let expected =
        [(LeakKind::Exact, 4, Some(501)), (LeakKind::Near, 8, Some(502)), (LeakKind::Overlap, 10, None)];
    assert_eq!(kinds, expected);
    assert_eq!(found.leaks[2].similarity, 1.0);
    assert_eq!(found.shared_ngrams, 3 * 48);
}

#[test]
fn chinese_is_compared_by_characters() {
    let mut check = LeakCheck::new(13);
    check.add_test("床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。", 1);
    check.add_test("今天送餐很快，味道也不错，下次还会再来点的。", 2);
    check.see_train("床前明月光\n疑是地上霜\n舉頭望明月\n低頭思故鄉", 9);
    let report = check.report();
    assert_eq!((report.exact, report.near, report.overlap), (1, 0, 0));
    assert_eq!(report.leaks[0].test_line, 1);
}
