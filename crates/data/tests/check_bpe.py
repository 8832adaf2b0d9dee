#!/usr/bin/env python3
"""Are our word and BPE tokenizers those of Hugging Face's `tokenizers` library, and how fast are both?

Not run by `cargo test` (it needs Python packages). From anywhere in the repository:

    pip install tokenizers
    cargo build --release -p newleaf && cargo build --release -p data --example encode_lines
    python3 crates/data/tests/check_bpe.py [--speed] [TEXT_FILE ...]

Checked, on the lines of the text files (default: datasets/), of this project's Rust files, and of generated
emoji and random Unicode, repeated to at least 100,000 lines:

1. our tokenizer.json (BPE, word) in their library gives our ids, line by line and for whole texts;
2. vocabularies trained there and here on the same text are the same, merge by merge;
3. their tokenizer.json and vocab.json + merges.txt, loaded by us, give their ids;
4. so does their tokenizer.json with tokens added that are words of the texts, begin within words or within each other.

With --speed: the time to encode and to train, theirs and ours in turn on one thread, medians of seven.
"""
import glob
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
RELEASE = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release")
NEWLEAF = os.path.join(RELEASE, "newleaf")
ENCODE_LINES = os.path.join(RELEASE, "examples", "encode_lines")


def read(path):
    with open(path, encoding="utf-8-sig", newline=None) as f:
        return f.read()


def generated(lines):
    r = random.Random(1)
    faces = [chr(c) for c in range(0x1F300, 0x1FAFF)] + ["\u200d", "\ufe0f", "\U0001f3fd", " ", "  ", "\u20e3", "1"]
    emoji = ["".join(r.choices(faces, k=r.randrange(1, 20))) for _ in range(lines)]
    awkward = " '\t\n\r\x0b\x85\xa0\u2028\u3000strevmlld1\u00b2\u00bd\u0301\u0e33\u0939\u093f"
    def any_char():
        while True:
            c = r.randrange(0x110000)
            if not 0xD800 <= c < 0xE000:
                return chr(c)
    def one():
        return "".join(r.choice(awkward) if r.random() < 0.6 else any_char() for _ in range(r.randrange(1, 30)))
    return emoji, [one() for _ in range(lines)]


def corpus(files):
    texts = [read(f) for f in files]
    code = "".join(read(f) for f in sorted(glob.glob(os.path.join(ROOT, "crates/*/src/**/*.rs"), recursive=True)))
    lines = [line for text in texts + [code] for line in text.splitlines(keepends=True)]
    emoji, anything = generated(20_000)
    lines += emoji + anything
    n = len(lines)
    while len(lines) < 100_000:  # the same lines with other beginnings
        lines += [lines[i][i % 7:] for i in range(min(n, 100_000 - len(lines)))]
    return "".join(texts) + code, lines


def ours(directory, lines, scratch):
    texts, ids = os.path.join(scratch, "texts.json"), os.path.join(scratch, "ids.json")
    with open(texts, "w") as f:
        json.dump(lines, f)
    seconds = float(subprocess.run([ENCODE_LINES, directory, texts, ids], check=True, capture_output=True).stdout)
    with open(ids) as f:
        return json.load(f), seconds


def train(kind, text_file, out, *more):
    command = [NEWLEAF, "--threads", "1", "tokenizer", "train", "--kind", kind, "--data", text_file, "--out", out]
    start = time.perf_counter()
    subprocess.run(command + list(more), check=True, capture_output=True)
    return time.perf_counter() - start


def new_theirs():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def their_trainer(size):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trainers.BpeTrainer(vocab_size=size, min_frequency=2, initial_alphabet=alphabet, show_progress=False)


def same(what, lines, expected, found):
    for line, a, b in zip(lines, expected, found):
        assert a == b, f"{what}: {line!r}: theirs {a}, ours {b}"
    assert len(expected) == len(found)
    print(f"same ids: {what}: {len(lines):,} texts, {sum(map(len, found)):,} tokens")


def check(files, scratch):
    text, lines = corpus(files)
    text_file = os.path.join(scratch, "text.txt")
    with open(text_file, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    for kind, more in [("bpe", ["--vocab-size", "3000"]), ("bpe", ["--vocab-size", "6000", "--max-han-run", "0"]),
                       ("word", ["--min-count", "3"])]:
        out = os.path.join(scratch, "-".join([kind] + more))
        train(kind, text_file, out, *more)
        theirs = Tokenizer.from_file(os.path.join(out, "tokenizer.json"))
        expected = [e.ids for e in theirs.encode_batch(lines)]
        found, _ = ours(out, lines, scratch)
        same(f"our {kind} {' '.join(more)}", lines, expected, found)
        whole = subprocess.run([NEWLEAF, "tokenizer", "encode", "--tokenizer", out], input=text.encode(),
                               check=True, capture_output=True).stdout
        same(f"our {kind}, whole text", ["text"], [theirs.encode(text).ids], [list(map(int, whole.split()))])
        back = subprocess.run([NEWLEAF, "tokenizer", "decode", "--tokenizer", out], input=whole,
                              check=True, capture_output=True).stdout.decode()
        assert back == theirs.decode(theirs.encode(text).ids), "another text comes back"
        assert kind == "word" or back == text

    theirs = new_theirs()
    theirs.train_from_iterator([text], their_trainer(6000))
    model = json.loads(theirs.to_str())["model"]
    with open(os.path.join(scratch, "bpe---vocab-size-6000---max-han-run-0", "tokenizer.json")) as f:
        our_model = json.load(f)["model"]
    assert our_model["vocab"] == model["vocab"], "other tokens were learned"
    assert our_model["merges"] == [" ".join(m) for m in model["merges"]], "other merges were learned"
    print(f"same training: {len(model['merges']):,} merges")

    for name, save in [("their tokenizer.json", lambda d: theirs.save(os.path.join(d, "tokenizer.json"))),
                       ("their vocab.json and merges.txt", lambda d: theirs.model.save(d))]:
        directory = tempfile.mkdtemp(dir=scratch)
        save(directory)
        same(name, lines, [e.ids for e in theirs.encode_batch(lines)], ours(directory, lines, scratch)[0])

    r = random.Random(1)
    words = ["the", " the", "\u0120the", "and", "\n", " ", "  ", "\u4e2d", "\u4e2d\u6587", "<sp>", "<sp> ", "<\u00e9 x>", "'", "s", "22", "a"]
    for kind in range(20):
        added = new_theirs()
        added.train_from_iterator([text], their_trainer(400))
        added.add_special_tokens(["[PAD]"])
        added.add_tokens([AddedToken(word, normalized=r.random() < 0.6) for word in r.sample(words, r.randrange(1, 8))])
        directory = tempfile.mkdtemp(dir=scratch)
        added.save(os.path.join(directory, "tokenizer.json"))
        texts = ["".join(r.choices(words + ["x", "of"], k=r.randrange(30))) for _ in range(300)] + lines[:2000]
        same(f"added tokens, {kind}", texts, [e.ids for e in added.encode_batch(texts)], ours(directory, texts, scratch)[0])


def alternate(rounds, *functions):
    times = [[] for _ in functions]
    for _ in range(rounds):
        for t, function in zip(times, functions):
            t.append(function())
    return [statistics.median(t) for t in times]


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def speed(files, scratch, size=4096):
    for path in files:
        text = read(path)
        name = os.path.basename(path)
        lines = text.splitlines(keepends=True)
        text_file, out = os.path.join(scratch, "speed.txt"), os.path.join(scratch, "speed")
        with open(text_file, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        more = ["--vocab-size", str(size), "--max-han-run", "0"]
        rounds = 7 if len(text) < 3_000_000 else 3
        theirs, our = alternate(rounds, lambda: timed(lambda: new_theirs().train_from_iterator([text], their_trainer(size))),
                                lambda: train("bpe", text_file, out, *more))
        print(f"train  {name}: theirs {theirs:.3f} s, ours {our:.3f} s (the whole program): {theirs / our:.1f} times")
        tokenizer = Tokenizer.from_file(os.path.join(out, "tokenizer.json"))
        ways = [lambda: timed(lambda: tokenizer.encode_batch_fast(lines))]
        if len(text) < 3_000_000:
            ways.append(lambda: timed(lambda: tokenizer.encode(text)))
        *theirs, our = alternate(rounds, *ways, lambda: ours(out, lines, scratch)[1])
        mb = len(text.encode()) / 1e6
        print(f"encode {name}: theirs {mb / min(theirs):.1f} MB/s, ours {mb / our:.1f} MB/s: {min(theirs) / our:.1f} times")


def main():
    files = [os.path.abspath(f) for f in sys.argv[1:] if f != "--speed"]
    files = files or sorted(glob.glob(os.path.join(ROOT, "datasets", "*.txt")))
    with tempfile.TemporaryDirectory() as scratch:
        if "--speed" in sys.argv:
            speed(files, scratch)
        else:
            check(files, scratch)


if __name__ == "__main__":
    main()
