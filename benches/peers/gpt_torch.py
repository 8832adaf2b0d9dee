"""The GPT that newleaf is compared with: nanoGPT's architecture and parameter names, in plain PyTorch.

One definition serves two readers: `worker_torch.py` times it, and
`crates/gpt/tests/fixtures/make_fixtures.py` takes reference logits and gradients from it. So the model
whose speed is compared is the model whose numbers newleaf reproduces.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class GPTConfig:
    n_layer: int
    n_head: int
    n_embd: int
    block_size: int
    vocab_size: int
    bias: bool = False  # in every LayerNorm and Linear but lm_head, which never has one
    tied: bool = True  # lm_head shares wte's weight
    dropout: float = 0.0


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.dropout = config.dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)  # rows: all q, all k, all v
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x, mask):
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            for part in self.c_attn(x).split(C, dim=2)
        )
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0, is_causal=mask is None
        )
        return self.resid_dropout(self.c_proj(y.transpose(1, 2).reshape(B, T, C)))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU()  # the exact one, with erf
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x, mask):
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, bias=config.bias)
        # When tied there is no second module, so that the one matrix has the one name wte.weight.
        self.lm_head = None if config.tied else nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.init_weights()

    @torch.no_grad()
    def init_weights(self):
        """Normal 0.02; less where a block writes to the residual stream, whose variance 2 * n_layer such writes add up to."""
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                p.normal_(0.0, 0.02 / math.sqrt(2 * self.config.n_layer))
            elif p.dim() >= 2:
                p.normal_(0.0, 0.02)
            elif name.endswith(".bias"):
                p.zero_()
            else:
                p.fill_(1.0)  # LayerNorm

    def forward(self, ids, labels=None, weights=None, lo=None, hi=None):
        """(logits, loss). ids, labels, weights, lo, hi are all (B, T).

        Without lo and hi the attention is causal; with them the query at t sees exactly the keys j with
        lo[b, t] <= j < hi[b, t]. With weights, loss = sum(w * CE) / sum(w).
        """
        B, T = ids.shape
        mask = None
        if lo is not None:
            j = torch.arange(T)
            mask = ((lo[..., None] <= j) & (j < hi[..., None]))[:, None]  # (B, 1, T, T), the same for every head
        x = self.drop(self.wte(ids) + self.wpe(torch.arange(T)))
        for block in self.h:
            x = block(x, mask)
        x = self.ln_f(x)
        logits = F.linear(x, self.wte.weight) if self.lm_head is None else self.lm_head(x)
        if labels is None:
            return logits, None
        flat, labels = logits.view(B * T, -1), labels.reshape(-1)
        if weights is None:
            return logits, F.cross_entropy(flat, labels)
        ce = F.cross_entropy(flat, labels, reduction="none")
        return logits, (weights.reshape(-1) * ce).sum() / weights.sum()

    def parameter_groups(self, weight_decay):
        """Matrices and embeddings decay; biases and LayerNorms do not."""
        return [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
