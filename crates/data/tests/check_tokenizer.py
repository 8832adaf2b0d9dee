#!/usr/bin/env python3
"""Does Hugging Face's `tokenizers` library read our tokenizer.json, and give the same ids?

Not run by `cargo test` (it needs Python packages). From anywhere in the repository:

    pip install tokenizers              # and, for one more check, transformers
    python3 crates/data/tests/check_tokenizer.py [TEXT_FILE]

Without a file a text of awkward characters is used: control characters, all kinds of line ends and
spaces, combining marks, joiners, emoji, private and unassigned code points, the last code point.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

AWKWARD = (
    "To be, or not to be?\n\n  two  spaces\ttab <unk> [UNK] ## \\s \"quoted\" \x01\x1b\x7f\x85\xa0\u2028\u2029"
    "\u3000\u200b\u200d\u200e\u0301e\u0301\u00e9\ufb01\u0130\u1e9e\u4e2d\u6587\U0001f642\U0001f468\u200d\U0001f469"
    "\ue000\ufdd0\ufffe\uffff\U0001ffff\U0010ffff\n"
)


def default_text():
    anything = random.Random(1)
    codes = (anything.randrange(1, 0x110000) for _ in range(20_000))
    return AWKWARD * 3 + "".join(chr(c) for c in codes if c != 0x0D and not 0xD800 <= c < 0xE000)


def main():
    with tempfile.TemporaryDirectory() as directory:
        if len(sys.argv) > 1:
            text_file = os.path.abspath(sys.argv[1])
        else:
            text_file = os.path.join(directory, "text.txt")
            with open(text_file, "w", encoding="utf-8", newline="") as f:
                f.write(default_text())
        # newline=None reads \r\n and \r as \n and utf-8-sig drops the mark, as read_text does.
        with open(text_file, encoding="utf-8-sig", newline=None) as f:
            text = f.read()

        crate = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        command = ["cargo", "run", "-q", "-p", "data", "--example", "char_tokenizer", "--", text_file, directory]
        subprocess.run(command, check=True, cwd=crate)
        path = os.path.join(directory, "tokenizer.json")
        with open(os.path.join(directory, "ids.json")) as f:
            ids = json.load(f)

        tokenizer = Tokenizer.from_file(path)
        assert tokenizer.get_vocab_size() == len(set(text))
        assert tokenizer.encode(text).ids == ids, "tokenizers gives other ids"
        assert tokenizer.decode(ids, skip_special_tokens=False) == text, "tokenizers decodes another text"
        assert [sorted(set(text)).index(c) for c in text[:1000]] == ids[:1000], "not nanoGPT's ids"
        unknown = next(c for c in map(chr, range(0x10FFFF, 0, -1)) if c not in text and c.isprintable())
        try:
            tokenizer.encode(unknown)
        except Exception as error:
            print(f"an unknown character is an error there too: {error}")
        else:
            raise AssertionError("an unknown character was accepted")

        try:
            from transformers import PreTrainedTokenizerFast
        except ImportError:
            print("transformers is not installed: that check is left out")
        else:
            fast = PreTrainedTokenizerFast(tokenizer_file=path)
            assert fast(text)["input_ids"] == ids, "transformers gives other ids"
            assert fast.decode(ids) == text, "transformers decodes another text"
        print(f"ok: {len(ids)} characters, {len(set(text))} distinct, identical ids")


if __name__ == "__main__":
    main()
