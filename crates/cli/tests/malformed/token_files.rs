//! Files of `newleaf data pack` that were cut off, written to, or are of another kind. Where the bytes are is in
//! crates/data/src/dataset/token_file.rs.

use super::{Case, TRAIN, made, patched};

pub(super) fn cases() -> Vec<Case> {
    let good = made("data pack --in IN --out OUT", &[""]).remove(0);
    let end = good.len();
    let again = "make it again with: newleaf data pack";
    let case = |bytes: &[u8], commands: &[&str], words: &[&'static str]| {
        Case::new("a.bin", bytes, commands, &[&["FILE: ", again], words].concat())
    };
    // `data verify` reports on standard output what only reading all of a file shows.
    let both = &[TRAIN, "data verify FILE"];
    let verify = "data verify FILE";
    vec![
        case(&good[..50], both, &["header has 128 bytes", "50 bytes"]),
        case(&good[..end - 8], both, &["as its header says"]),
        case(&[&good[..], b"\0"].concat(), both, &["as its header says"]),
        case(&patched(&good, 8, &[2]), both, &["version 1", "version 2"]),
        case(&patched(&good, 12, &[4]), both, &["2 bytes for at most 65536 tokens", "4 bytes an id"]),
        case(&patched(&good, 16, &[0xFF; 8]), both, &["as its header says"]),
        case(&patched(&good, 24, &[0xFF; 8]), both, &["as its header says"]),
        case(&patched(&good, 32, &[0; 8]), both, &["1 to 2^32 tokens", "vocabulary of 0 tokens"]),
        case(&patched(&good, 40, &[0xFF; 8]), both, &["at most 64 MiB"]),
        case(&patched(&good, 115, b"x"), both, &["bytes 112 to 127", "zeros"]),
        case(&patched(&good, 130, b"?"), both, &["tokenizer with another SHA-256"]),
        case(
            &patched(&good, end - 40, &[0xFF; 2]),
            &[TRAIN],
            &["ids below the vocabulary size", "id 65535 at position"],
        ),
        case(&patched(&good, 80, &[0; 32]), &[TRAIN], &["content with another SHA-256"]),
        Case::new("a.bin", "NEWLEAF", &[verify], &["FILE: ", "a token file", "name one"]),
    ]
}
