#!/usr/bin/env python3
"""Does gensim read our files of word vectors, and do we read gensim's? To the last bit, in all three formats.

Not run by `cargo test` (it needs Python packages). From the top of the repository:

    pip install gensim
    cargo build --release -p newleaf
    python3 crates/data/tests/check_word_vectors.py
"""
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from gensim.models import KeyedVectors

ROOT = Path(__file__).resolve().parents[3]
NEWLEAF = ROOT / "target/release/newleaf"
TEXTS = [ROOT / "datasets/stories-en.txt", ROOT / "datasets/stories-zh.txt"]


def read(path, kind):
    return KeyedVectors.load_word2vec_format(str(path), binary=kind == "binary", no_header=kind == "glove")


def near(path, kind, word):
    command = [NEWLEAF, "embed", "near", "--vectors", path, "--format", kind, "--word", word, "-n", "20", "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [(x["word"], x["cosine"]) for x in answer["neighbours"]]


def check(folder, text):
    ours = {}
    for kind in ["text", "binary", "glove"]:
        path = folder / f"ours.{kind}"
        flags = ["--data", text, "--out", path, "--format", kind, "--dim", "33", "--min-count", "2"]
        subprocess.run([NEWLEAF, "embed", "train", *flags], check=True, capture_output=True)
        ours[kind] = read(path, kind)
    first = ours["text"]
    for kind, vectors in ours.items():
        assert vectors.index_to_key == first.index_to_key
        assert vectors.vectors.tobytes() == first.vectors.tobytes(), kind

    word = first.index_to_key[10]
    expected = first.most_similar(word, topn=20)
    for kind in ["text", "binary", "glove"]:
        theirs = folder / f"theirs.{kind}"
        first.save_word2vec_format(str(theirs), binary=kind == "binary", write_header=kind != "glove")
        for path in [folder / f"ours.{kind}", theirs]:
            found = near(path, kind, word)
            assert [w for w, _ in found] == [w for w, _ in expected], (path, found, expected)
            assert np.allclose([c for _, c in found], [c for _, c in expected], rtol=0, atol=1e-6)
    print(f"{text.name}: {len(first)} words of {first.vector_size} numbers: the same bits in all formats, "
          f"the same 20 neighbours of {word!r}")


with tempfile.TemporaryDirectory() as folder:
    for text in TEXTS:
        check(Path(folder), text)
