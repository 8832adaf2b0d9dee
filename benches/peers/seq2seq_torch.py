#!/usr/bin/env python3
"""An encoder-decoder in PyTorch, trained on pairs of texts for a given CPU time: what `newleaf finetune seq2seq` is compared with.

    python benches/peers/seq2seq_torch.py --train train.tsv --dev dev.tsv --test test.tsv --source zh --target en \
        --tokenizer bpe/tokenizer.json --seconds 450 --out answers.txt

The usual recipe (Vaswani et al. 2017): one vocabulary and one matrix for source, target and output, pre-norm blocks,
dropout and label smoothing 0.1, AdamW with warm-up and a line to zero over the time that is given, batches of similar lengths,
the weights that are best on the dev part, a beam of four with GNMT's length penalty 0.6. Needs torch and tokenizers, and
sacrebleu for the scores.
"""

import argparse
import csv
import math
import random
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import Tokenizer

PAD, BEGIN, END = 0, 1, 2
SPECIALS = 3  # a token of the tokenizer is moved up by so many


class Attention(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q, self.kv, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, x, memory, mask=None, causal=False):
        def split(y):
            return y.view(y.shape[0], y.shape[1], self.heads, -1).transpose(1, 2)

        k, v = self.kv(memory).chunk(2, dim=-1)
        p = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(split(self.q(x)), split(k), split(v), mask, p, causal)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads, dropout, crosses):
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.cross = Attention(width, heads, dropout) if crosses else None
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if crosses else 2))
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None, memory=None, memory_mask=None):
        y = self.norms[0](x)
        x = x + self.drop(self.attention(y, y, mask, causal=self.cross is not None))
        if self.cross is not None:
            x = x + self.drop(self.cross(self.norms[2](x), memory, memory_mask))
        return x + self.drop(self.mlp(self.norms[1](x)))


class EncoderDecoder(nn.Module):
    def __init__(self, vocab, width, heads, layers, dropout, longest=256):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(longest, width)
        self.encoder = nn.ModuleList(Block(width, heads, dropout, False) for _ in range(layers))
        self.decoder = nn.ModuleList(Block(width, heads, dropout, True) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.drop = nn.Dropout(dropout)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                last = name.endswith(("out.weight", "mlp.2.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if last else 0.02)

    def embed(self, ids):
        return self.drop(self.wte(ids) + self.wpe.weight[: ids.shape[1]])

    def encode(self, source):
        mask = (source != PAD)[:, None, None, :]  # (B, 1, 1, S)
        x = self.embed(source)
        for block in self.encoder:
            x = block(x, mask)
        return self.norms[0](x), mask

    def decode(self, target, memory, mask):
        x = self.embed(target)  # (B, T, C); padding is at the end, where nothing is asked
        for block in self.decoder:
            x = block(x, None, memory, mask)
        return self.norms[1](x) @ self.wte.weight.t()  # (B, T, V)


def padded(rows):
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def loss_of(model, pairs, smoothing):
    memory, mask = model.encode(padded([source for source, _ in pairs]))
    target = padded([[BEGIN] + target + [END] for _, target in pairs])
    logits = model.decode(target[:, :-1], memory, mask)
    return F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=smoothing)


@torch.no_grad()
def mean_loss(model, pairs):
    model.eval()
    pairs = sorted(pairs, key=lambda pair: len(pair[1]))
    total = weight = 0.0
    for i in range(0, len(pairs), 64):
        part = pairs[i : i + 64]
        tokens = sum(len(target) + 1 for _, target in part)
        total += loss_of(model, part, 0.0).item() * tokens
        weight += tokens
    model.train()
    return total / weight


@torch.no_grad()
def answer(model, source, beam, alpha, most=64):
    memory, mask = model.encode(torch.tensor([source]))
    alive, ended = [([BEGIN], 0.0)], []

    def score(tokens, log_p):
        return log_p / ((5 + len(tokens) - 1) / 6) ** alpha

    for _ in range(most):
        ids = torch.tensor([tokens for tokens, _ in alive])
        log_p = model.decode(ids, memory.expand(len(alive), -1, -1), mask)[:, -1].log_softmax(-1)
        top = log_p.topk(beam, dim=-1)
        new = [
            (tokens + [token], so_far + p)
            for (tokens, so_far), ps, ts in zip(alive, top.values.tolist(), top.indices.tolist())
            for p, token in zip(ps, ts)
        ]
        new.sort(key=lambda one: -one[1])
        ended += [one for one in new[: 2 * beam] if one[0][-1] == END]
        alive = [one for one in new if one[0][-1] != END][:beam]
        if len(ended) >= beam or not alive:
            break
    best = max(ended or alive, key=lambda one: score(*one))
    return [token for token in best[0][1:] if token != END]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for part in ["train", "dev", "test"]:
        parser.add_argument(f"--{part}", required=True)
    parser.add_argument("--source", default="source")
    parser.add_argument("--target", default="target")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--seconds", type=float, required=True, help="CPU seconds of training")
    parser.add_argument("--out", required=True, help="the answers to the test sources, a line each")
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--layers", type=int, default=2, help="of either half")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1337)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    tokenizer = Tokenizer.from_file(args.tokenizer)

    def tokens(text):
        return [SPECIALS + token for token in tokenizer.encode(text.strip()).ids]

    def read(path):
        with open(path, encoding="utf-8", newline="") as file:
            dialect = csv.excel_tab if path.endswith(".tsv") else csv.excel
            return [(row[args.source], row[args.target]) for row in csv.DictReader(file, dialect=dialect)]

    parts = {part: read(getattr(args, part)) for part in ["train", "dev", "test"]}
    train, dev = ([(tokens(s), tokens(t)) for s, t in parts[part]] for part in ["train", "dev"])
    train = [pair for pair in train if max(map(len, pair)) < 128]
    model = EncoderDecoder(tokenizer.get_vocab_size() + SPECIALS, args.width, args.heads, args.layers, 0.1)
    count = sum(p.numel() for p in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    began, update, best, weights, epoch = time.process_time(), 0, math.inf, None, 0
    while True:
        random.shuffle(train)
        batches = []
        for i in range(0, len(train), 16 * args.batch_size):
            stretch = sorted(train[i : i + 16 * args.batch_size], key=lambda pair: len(pair[0]) + len(pair[1]))
            batches += [stretch[j : j + args.batch_size] for j in range(0, len(stretch), args.batch_size)]
        random.shuffle(batches)
        for batch in batches:
            done = (time.process_time() - began) / args.seconds  # from 0 to 1
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = args.learning_rate * min(done / 0.1, (1 - done) / 0.9)
            loss = loss_of(model, batch, 0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            update += 1
        epoch += 1
        now = mean_loss(model, dev)
        if now < best:
            best, weights = now, {name: p.clone() for name, p in model.state_dict().items()}
        print(f"epoch {epoch}, update {update}: dev loss {now:.4f}, {time.process_time() - began:.0f} s", flush=True)
        if time.process_time() - began >= args.seconds:
            break
    model.load_state_dict(weights)
    model.eval()
    lines = []
    for source, _ in parts["test"]:
        ids = [token - SPECIALS for token in answer(model, tokens(source), 4, 0.6) if token >= SPECIALS]
        lines.append(tokenizer.decode(ids).replace("\n", " ").strip())
    with open(args.out, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    print(f"{count} parameters, {update} updates, dev loss {best:.4f}")
    try:
        import sacrebleu
    except ImportError:
        return
    targets = [[target for _, target in parts["test"]]]
    bleu, chrf = sacrebleu.corpus_bleu(lines, targets), sacrebleu.corpus_chrf(lines, targets)
    print(f"BLEU {bleu.score:.2f}, chrF {chrf.score:.2f}")


if __name__ == "__main__":
    main()
