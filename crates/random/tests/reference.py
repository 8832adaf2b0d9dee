#!/usr/bin/env python3
"""The numbers of the crate `random`, computed a second time without it.

An independent check of the golden values in golden.rs: ChaCha8 from its definition (D. J. Bernstein,
"ChaCha, a variant of Salsa20", 2008), everything above it from the doc comments, logarithm and cosine
from Python's `math`. Standard library only:

    python3 crates/random/tests/reference.py

prints the Rust literals that golden.rs holds.
"""
import math
import struct

MASK = 0xFFFFFFFF


def quarter_round(x, a, b, c, d):
    for p, q, r, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[p] = (x[p] + x[q]) & MASK
        x[r] ^= x[p]
        x[r] = ((x[r] << shift) | (x[r] >> (32 - shift))) & MASK


def chacha8_words(seed, family, number):
    """All 32-bit words of one stream: key = seed, family, 0, 0; 64-bit counter; 64-bit stream number."""
    constants = struct.unpack("<4I", b"expand 32-byte k")
    key = struct.unpack("<8I", struct.pack("<4Q", seed, family, 0, 0))
    counter = 0
    while True:
        start = [*constants, *key, *struct.unpack("<4I", struct.pack("<2Q", counter, number))]
        x = list(start)
        for _ in range(4):  # 4 double rounds = 8 rounds
            for i in range(4):
                quarter_round(x, i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        yield from ((a + b) & MASK for a, b in zip(x, start))
        counter += 1


class Rng:
    def __init__(self, seed, family, number):
        self.words = chacha8_words(seed, family, number)

    def u32(self):
        return next(self.words)

    def u64(self):
        low = self.u32()
        return low | self.u32() << 32

    def f32(self):
        return (self.u32() >> 8) / 2**24

    def f64(self):
        return (self.u64() >> 11) / 2**53

    def below(self, n):
        while True:
            product = self.u64() * n
            if product % 2**64 >= 2**64 % n:
                return product >> 64

    def normal_pair(self):
        u, v = 1 - self.f64(), self.f64()
        radius = math.sqrt(-2 * math.log(u))
        return radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


def to_f32_bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def fnv1a(values):
    """FNV-1a over 64-bit little-endian values: 1,000 numbers in one literal."""
    digest = 0xCBF29CE484222325
    for value in values:
        for byte in struct.pack("<Q", value):
            digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return digest


def fill_normal_bits(rng, n):
    return [to_f32_bits(x) for _ in range(n // 2) for x in rng.normal_pair()]


STREAMS = [("Init", 0, 0), ("Data", 0, 1), ("Dropout", 0, 2), ("Sampling", 0, 3), ("Other(0)", 1, 0)]
N = 1000


def main():
    seed = 1337
    for name, *stream in STREAMS:
        draws = {
            "u64": lambda r, n: [r.u64() for _ in range(n)],
            "f32": lambda r, n: [to_f32_bits(r.f32()) for _ in range(n)],
            "normal": lambda r, n: [to_f32_bits(r.normal_pair()[0]) for _ in range(n)],
            "fill_normal": fill_normal_bits,
            "below": lambda r, n: [r.below(i + 1) for i in range(n)],
            "shuffle": lambda r, n: r.shuffle(list(range(n))),
        }
        digests = ", ".join(f"0x{fnv1a(f(Rng(seed, *stream), N)):016x}" for f in draws.values())
        print(f"(Stream::{name}, [{digests}]),")
    firsts = {
        "u64": lambda r: [f"0x{r.u64():016x}" for _ in range(4)],
        "f32": lambda r: [r.f32() for _ in range(4)],
        "f64": lambda r: [r.f64() for _ in range(4)],
        "normal (before rounding to f32)": lambda r: [r.normal_pair()[0] for _ in range(4)],
        "below(65)": lambda r: [r.below(65) for _ in range(16)],
        "below(2^63 + 1)": lambda r: [r.below(2**63 + 1) for _ in range(4)],
        "permutation(16)": lambda r: r.shuffle(list(range(16))),
    }
    for name, f in firsts.items():
        print(f"first {name}: {f(Rng(seed, 0, 0))}")


if __name__ == "__main__":
    main()
