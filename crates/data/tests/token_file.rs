//! Token files: what is written is read, what is damaged is refused, and training windows are the same
//! from a file as from memory.

use data::dataset::{
    SequentialBatches, TokenFile, TokenSource, TokenWriter, char_tokenizer_of, char_tokenizer_of_documents,
    pack_documents, pack_plain_ids, pack_text, split_source,
};
use data::read::{Documents, Options, TextReader};
use data::{CharTokenizer, DataError, SamplingMode, Tokenizer, WindowSampler, read_text, sequential_batches};
use proptest::prelude::*;
use random::{Rng, Stream};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn silent(_: u64, _: u64) {}

fn written(documents: &[Vec<u32>], vocab_size: usize) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.bin");
    let mut writer = TokenWriter::create(&path, vocab_size, "{\"a\":1}").unwrap();
    for document in documents {
        writer.begin_document();
        writer.push(document).unwrap();
    }
    writer.finish().unwrap();
    (dir, path)
}

fn all_of(source: &impl TokenSource) -> Vec<u32> {
    let mut ids = vec![0; source.len()];
    source.read(0, &mut ids).unwrap();
    ids
}

proptest! {
    // Every case writes a file to the disk and waits until it is there.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        documents in prop::collection::vec(prop::collection::vec(0..70_000_u32, 0..9), 1..9),
        wide: bool, start in 0..20_usize, len in 0..20_usize,
    ) {
        let vocab_size = if wide { 70_000 } else { 65_536 };
        let documents: Vec<Vec<u32>> =
            documents.into_iter().map(|ids| ids.into_iter().map(|id| id % vocab_size).collect()).collect();
        prop_assume!(documents.iter().any(|ids| !ids.is_empty()));
        let (_dir, path) = written(&documents, vocab_size as usize);
        let file = TokenFile::open(&path).unwrap();
        file.check(&mut silent).unwrap();
        let ids = documents.concat();
        prop_assert_eq!(all_of(&file), ids.clone());
        let start = start.min(ids.len());
        let mut window = vec![0; len.min(ids.len() - start)];
        file.read(start, &mut window).unwrap();
        prop_assert_eq!(&window[..], &ids[start..start + window.len()]);

        let mut starts = Vec::new();
        let mut at = 0;
        for document in documents.iter().filter(|ids| !ids.is_empty()) {
            starts.push(at);
            at += document.len();
        }
        let found: Vec<usize> = (0..file.documents()).map(|i| file.document_start(i).unwrap()).collect();
        prop_assert_eq!(&found, &starts);
        for position in 0..ids.len() {
            let expected = *starts.iter().rfind(|&&start| start <= position).unwrap();
            prop_assert_eq!(file.document_start_before(position).unwrap(), expected);
            let inside: Vec<usize> = starts.iter().copied().filter(|start| (position..position + 9).contains(start)).collect();
            prop_assert_eq!(file.document_starts(position..position + 9).unwrap(), inside);
        }
        prop_assert_eq!((file.tokenizer(), file.vocab_size()), ("{\"a\":1}", vocab_size as usize));
        prop_assert_eq!(file.bytes(), fs::metadata(&path).unwrap().len());
    }

    /// Batches do not depend on where the tokens are, and going on after a stop is exact.
    #[test]
    fn windows_are_those_of_a_slice(
        n in 30..200_usize, block in 1..9_usize, batch in 1..5_usize, epoch: bool, seed: u64,
    ) {
        let ids: Vec<u32> = (0..n as u32).collect();
        let (_dir, path) = written(&[vec![9999; 3], ids.clone()], 10_000);
        let file = TokenFile::open(&path).unwrap();
        let (_, file) = split_source(&file, 3.5 / (n + 3) as f64).unwrap(); // without the three before
        let mode = if epoch { SamplingMode::Epoch } else { SamplingMode::Crop };
        let rng = Rng::new(seed, Stream::Data);
        let mut from_slice = WindowSampler::new(n, block, batch, mode, rng.clone()).unwrap();
        let mut from_file = WindowSampler::new(n, block, batch, mode, rng).unwrap();
        for _ in 0..20 {
            prop_assert_eq!(from_file.read_batch(&file).unwrap(), from_slice.next_batch(&ids));
            from_file = WindowSampler::from_state(&from_file.state(), n).unwrap();
        }
        let batches = SequentialBatches::new(&file, block, batch).unwrap();
        let expected: Vec<_> = sequential_batches(&ids, block, batch).unwrap().collect();
        prop_assert_eq!(batches.len(), expected.len());
        for (i, expected) in expected.iter().enumerate() {
            prop_assert_eq!(&batches.get(i).unwrap(), expected);
        }
    }

    /// One byte changed, anywhere: refused at opening or by the check, and never a panic.
    #[test]
    fn any_changed_byte_is_noticed(at in 0..200_usize, change in 1..=255_u8, wide: bool) {
        let (_dir, path) = written(&[vec![1, 2, 3], vec![4, 5]], if wide { 70_000 } else { 300 });
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= change;
        fs::write(&path, &bytes).unwrap();
        let result = TokenFile::open(&path).and_then(|file| file.check(&mut silent));
        let message = result.unwrap_err().to_string();
        prop_assert!(message.contains("t.bin") && message.contains("newleaf data pack"), "{}", message);
    }
}

#[test]
fn any_other_length_is_noticed() {
    let (_dir, path) = written(&[vec![1, 2, 3], vec![4, 5]], 300);
    let good = fs::read(&path).unwrap();
    for len in 0..good.len() {
        fs::write(&path, &good[..len]).unwrap();
        let message = TokenFile::open(&path).unwrap_err().to_string();
        assert!(message.contains(&format!("found {len} bytes")), "{message}");
    }
    fs::write(&path, [&good[..], b"\0"].concat()).unwrap();
    assert!(TokenFile::open(&path).unwrap_err().to_string().contains("as its header says"));
    fs::write(&path, &good).unwrap();
    assert!(TokenFile::open(&path).is_ok());
}

/// Numbers that would overflow, or ask for all the memory.
#[test]
fn absurd_headers_are_refused() {
    let (_dir, path) = written(&[vec![1, 2, 3]], 300);
    let good = fs::read(&path).unwrap();
    for at in [12, 16, 24, 32, 40] {
        for value in [u64::MAX, u64::MAX / 8, 1 << 60, 1 << 40, 0] {
            let mut bytes = good.clone();
            let width = if at == 12 { 4 } else { 8 };
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            fs::write(&path, &bytes).unwrap();
            assert!(TokenFile::open(&path).is_err(), "{value} at {at}");
        }
    }
}

/// Another program may shorten or overwrite an open file: an error, where a mapped file would end the
/// process.
#[test]
fn a_file_that_changes_while_it_is_open() {
    let (_dir, path) = written(&[(0..1000).collect()], 1000);
    let file = TokenFile::open(&path).unwrap();
    let mut window = [0; 10];
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(500).unwrap();
    assert!(file.read(0, &mut window).is_ok());
    let message = file.read(900, &mut window).unwrap_err().to_string();
    assert!(message.contains("its end before byte"), "{message}");
    assert!(file.check(&mut silent).is_err());
    let rng = Rng::new(0, Stream::Data);
    let mut sampler = WindowSampler::new(1000, 8, 64, SamplingMode::Crop, rng).unwrap();
    assert!(sampler.read_batch(&file).is_err());

    let (_dir, path) = written(&[(0..1000).collect()], 1000);
    let file = TokenFile::open(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[500..].fill(0xFF);
    fs::write(&path, bytes).unwrap();
    let message = file.read(900, &mut window).unwrap_err().to_string();
    assert!(message.contains("id 65535 at position 900"), "{message}");
}

#[test]
fn ids_beyond_the_vocabulary_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.bin");
    let mut writer = TokenWriter::create(&path, 10, "").unwrap();
    writer.push(&[1, 2]).unwrap();
    assert!(matches!(writer.push(&[3, 10]), Err(DataError::IdOutOfRange { id: 10, position: 3, .. })));
    drop(writer);
    assert!(TokenWriter::create(&path, 10, "").unwrap().finish().is_err()); // nothing in it
    assert!(TokenWriter::create(&path, 0, "").is_err());
    assert!(TokenWriter::create(&dir.path().join("no/t.bin"), 10, "").is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn packed(dir: &Path, text: &str) -> (Tokenizer, TokenFile) {
    let (input, out) = (dir.join("in.txt"), dir.join("t.bin"));
    fs::write(&input, text).unwrap();
    let text = || TextReader::open(&input, None).unwrap();
    let tokenizer = Tokenizer::Char(char_tokenizer_of(text(), &mut silent).unwrap());
    let report = pack_text(text(), &tokenizer, &out, &mut silent).unwrap();
    let file = TokenFile::open(&out).unwrap();
    file.check(&mut silent).unwrap();
    assert_eq!((report.tokens, report.documents), (file.len() as u64, 1));
    (tokenizer, file)
}

/// A text of several pieces, with and without places to cut it.
#[test]
fn a_packed_text_is_the_encoded_text() {
    let dir = tempfile::tempdir().unwrap();
    for line in ["the cat\r\n", "no end ", "中文字符。", "x", "\r"] {
        packed(dir.path(), &(line.repeat(1_300_000 / line.len()) + "\u{10FFFF}"));
        let text = read_text(dir.path().join("in.txt")).unwrap();
        let (tokenizer, file) = packed(dir.path(), &text);
        assert_eq!(tokenizer, Tokenizer::Char(CharTokenizer::from_text(&text).unwrap()));
        assert!(all_of(&file) == tokenizer.encode(&text).unwrap(), "{line:?}");
        assert_eq!(file.tokenizer(), tokenizer.to_json());
    }
}

#[test]
fn packed_documents_have_an_empty_line_between_them() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.jsonl"), dir.path().join("t.bin"));
    fs::write(&input, "{\"text\": \"ab\\nb\"}\n\n{\"label\": 1, \"text\": \"b\\n\\n\"}\n").unwrap();
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text("ab\n").unwrap());
    let pack = |field: &str| {
        let options = Options { text_column: Some(field.into()), ..Options::default() };
        pack_documents(Documents::open(&input, &options)?, &tokenizer, &out)
    };
    let report = pack("text").unwrap();
    let file = TokenFile::open(&out).unwrap();
    assert_eq!(tokenizer.decode(&all_of(&file)).unwrap(), "ab\nb\n\nb\n\n");
    assert_eq!((report.tokens, report.documents, file.document_start(1).unwrap()), (9, 2, 6));
    // The vocabulary is that of what is packed: no braces, no names of fields.
    let documents = Documents::open(&input, &Options::default()).unwrap();
    assert_eq!(Tokenizer::Char(char_tokenizer_of_documents(documents).unwrap()), tokenizer);
    fs::remove_file(&out).unwrap();

    for (field, words) in
        [("body", "line 1: expected a field \"body\", found the fields \"text\""), ("label", "line 1")]
    {
        let message = pack(field).unwrap_err().to_string();
        assert!(message.contains("in.jsonl, ") && message.contains(words), "{message}");
    }
    fs::write(&input, "{\"text\": \"a\"}\n\n{\"text\": \"abc\"}\n").unwrap();
    let message = pack("text").unwrap_err().to_string();
    assert!(message.contains("the first is at line 3, column 3"), "{message}");
    assert!(!out.exists());
}

#[test]
fn plain_ids_get_a_header() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("train.bin"), dir.path().join("t.bin"));
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text("abc").unwrap());
    fs::write(&input, [0, 0, 2, 0, 1, 0, 1, 0]).unwrap();
    let pack = |width| pack_plain_ids(&input, width, &tokenizer, &out, &mut silent);
    pack(2).unwrap();
    assert_eq!(all_of(&TokenFile::open(&out).unwrap()), [0, 2, 1, 1]);
    let message = pack(4).unwrap_err().to_string();
    assert!(message.contains("token id 131072 at position 0"), "{message}");
    for bytes in [&[1_u8, 0, 1][..], &[]] {
        fs::write(&input, bytes).unwrap();
        let message = pack(2).unwrap_err().to_string();
        assert!(message.contains(&format!("found {} bytes", bytes.len())), "{message}");
    }
    assert_eq!(all_of(&TokenFile::open(&out).unwrap()), [0, 2, 1, 1]); // as it was before
}
