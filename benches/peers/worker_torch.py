"""The PyTorch side of compare.py: reads one JSON request per line, answers each with one JSON line.

The protocol is in README.md, next to this file. `--compile` times the training step through torch.compile.
"""

import argparse
import inspect
import json
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

from gpt_torch import GPT, GPTConfig

PRESETS = {  # config, batch; all without biases, tied and without dropout
    "nano-cpu": (GPTConfig(n_layer=4, n_head=4, n_embd=128, block_size=64, vocab_size=65), 12),
    "mid": (GPTConfig(n_layer=6, n_head=6, n_embd=192, block_size=128, vocab_size=65), 16),
    "baby": (GPTConfig(n_layer=6, n_head=6, n_embd=384, block_size=256, vocab_size=65), 64),
}
DECODE = {  # shape, new tokens of a text, GELUs to try, tokens and number of the trials
    # The erf GELU only, as in newleaf's preset; a text fills the positions.
    "nano-cpu": (PRESETS["nano-cpu"][0], 63, ["gelu"], 63, 4),
    "gpt2-124m": (
        GPTConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50257, bias=True),
        64,
        ["gelu", "gelu_pytorch_tanh"],
        16,
        2,
    ),
}
WARM_UP_FIRST = 3  # the allocator's pools, oneDNN's primitives and the optimizer's state come into being here
WARM_UP_AGAIN = 1  # the other peer had the caches in between


def timed_ms(work, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def make_optimizer(model):
    groups = model.parameter_groups(weight_decay=0.1)
    settings = {"lr": 1e-3, "betas": (0.9, 0.99)}
    try:
        return torch.optim.AdamW(groups, fused=True, **settings), "fused"
    except (RuntimeError, TypeError):  # before 2.4 not on CPUs
        return torch.optim.AdamW(groups, **settings), "default"


class Step:
    """One training step: forward with loss, backward, clip to norm 1, AdamW, gradients dropped."""

    def __init__(self, request, compiled):
        config, batch = PRESETS[request["preset"]]
        batch = request.get("batch", batch)
        torch.manual_seed(0)
        self.model = GPT(config).train()
        self.forward = torch.compile(self.model) if compiled else self.model
        self.optimizer, self.adamw = make_optimizer(self.model)
        # One batch, again and again: the time does not depend on the numbers, and reading data is not compared.
        self.ids = torch.randint(config.vocab_size, (batch, config.block_size))
        self.labels = torch.randint(config.vocab_size, (batch, config.block_size))

    def once(self):
        _, loss = self.forward(self.ids, self.labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def answer(self, request):
        return {"ms": timed_ms(self.once, request["steps"]), "adamw": self.adamw}


class Attention:
    """Causal attention alone, from q, k, v of (B, NH, T, hs) to their gradients: forward and backward, or the "pass" asked for.

    A forward alone is a training forward too: it keeps what the backward needs. A backward alone is repeated on one graph.
    """

    def __init__(self, request, _compiled):
        shape = [request[key] for key in ("b", "nh", "t", "hs")]
        torch.manual_seed(0)
        self.qkv = [torch.randn(shape, requires_grad=True) for _ in range(3)]
        self.grad_out = torch.randn(shape)
        passes = {None: self.both, "forward": self.forward, "backward": self.backward}
        self.once = passes[request.get("pass")]
        if self.once == self.backward:
            self.out = self.forward()

    def forward(self):
        return F.scaled_dot_product_attention(*self.qkv, is_causal=True)

    def backward(self):
        # autograd.grad hands out fresh gradients; .backward() would add to those of the last call.
        torch.autograd.grad(self.out, self.qkv, self.grad_out, retain_graph=True)

    def both(self):
        torch.autograd.grad(self.forward(), self.qkv, self.grad_out)

    def answer(self, request):
        return {"ms": timed_ms(self.once, request["repeats"])}


class Decode:
    """Greedy decoding with a KV cache, batch 1, by transformers' GPT-2 with random weights.

    One text is a prompt of one token and DECODE's number of new ones. What suits the model best is tried first
    and the winner is timed: transformers' own generate(), or a plain loop over the model without generate()'s
    bookkeeping; one thread, or all of them; the erf GELU or the tanh one, each as one operation (the name
    "gelu_new" means a formula of several).
    """

    def __init__(self, request, _compiled):
        if request.get("weights", "f32") != "f32":
            raise ValueError(f"weights: only f32 here; found {request['weights']}")
        import transformers  # here only: it is slow to import, and its memory is not the training step's
        from transformers.activations import ACT2FN

        transformers.logging.set_verbosity_error()
        self.cache_class = transformers.DynamicCache
        shape, self.new_tokens, gelus, trial_tokens, trials = DECODE[request.get("preset", "nano-cpu")]
        torch.manual_seed(0)
        self.model = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_layer=shape.n_layer,
                n_head=shape.n_head,
                n_embd=shape.n_embd,
                n_positions=shape.block_size,
                vocab_size=shape.vocab_size,
                # No end token: every text gets its full length.
                bos_token_id=None,
                eos_token_id=None,
                pad_token_id=0,
            )
        ).eval()
        self.version = transformers.__version__
        # transformers 5.24 renamed it, and warns of the old name.
        known = inspect.signature(self.model.forward).parameters
        self.cache_argument = "cache" if "cache" in known else "past_key_values"
        self.prompt = torch.zeros((1, 1), dtype=torch.long)
        self.ways = {"generate": self.generate, "loop": self.loop}
        found = []
        for gelu in gelus:
            self.use_gelu(ACT2FN[gelu])
            for threads in sorted({1, torch.get_num_threads()}):
                torch.set_num_threads(threads)
                for way in self.ways:
                    self.tokens_per_s(way, trial_tokens)
                    best = max(self.tokens_per_s(way, trial_tokens) for _ in range(trials))
                    found.append((best, threads, way, gelu))
        _, self.threads, self.way, self.gelu = max(found)
        self.use_gelu(ACT2FN[self.gelu])

    def use_gelu(self, function):
        for block in self.model.transformer.h:
            block.mlp.act = function

    def generate(self, count):
        mask = torch.ones_like(self.prompt)
        out = self.model.generate(self.prompt, attention_mask=mask, max_new_tokens=count, do_sample=False)
        return out.shape[1] - 1

    def loop(self, count):
        token, cache, out = self.prompt, {self.cache_argument: self.cache_class()}, []
        for _ in range(count):
            logits = self.model(token, use_cache=True, **cache).logits
            token = logits[:, -1].argmax(dim=-1, keepdim=True)
            out.append(token)
        return torch.cat(out, dim=1).shape[1]

    @torch.inference_mode()
    def tokens_per_s(self, way, tokens):
        start = time.perf_counter()
        count = self.ways[way](tokens)
        assert count == tokens, count
        return count / (time.perf_counter() - start)

    def once(self):
        torch.set_num_threads(self.threads)
        self.tokens_per_s(self.way, self.new_tokens)

    def answer(self, request):
        torch.set_num_threads(self.threads)
        texts = -(-request["tokens"] // self.new_tokens)
        rates = [self.tokens_per_s(self.way, self.new_tokens) for _ in range(texts)]
        return {"tokens_per_s": rates, "way": self.way, "gelu": self.gelu, "transformers": self.version}


WORKS = {"step": Step, "attention": Attention, "decode": Decode}


def info(compiled):
    backends = torch.backends
    return {
        "name": f"PyTorch {torch.__version__}" + (" compiled" if compiled else ""),
        "mkl": backends.mkl.is_available(),
        "onednn": backends.mkldnn.is_available(),
        "cpu_capability": backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        # How much of every peak is PyTorch itself, before any model.
        "mib_at_start": peak_rss_bytes() >> 20,
    }


def peak_rss_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in KiB


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    # Only answers may reach the real standard output; whatever a library prints goes to the errors.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    prepared = {}
    for line in sys.stdin:
        request = json.loads(line)
        work = request["work"]
        if work == "quit":
            break
        torch.set_num_threads(options.threads)  # decoding may have chosen fewer
        try:
            if work == "info":
                reply = info(options.compile)
            else:
                # The amounts are not part of what is set up, and a later request may ask for others.
                amounts = ("steps", "repeats", "tokens", "warm_up")
                key = json.dumps({k: v for k, v in request.items() if k not in amounts}, sort_keys=True)
                warm_up = WARM_UP_AGAIN
                if key not in prepared:
                    prepared[key] = WORKS[work](request, options.compile)
                    warm_up = WARM_UP_FIRST
                timed_ms(prepared[key].once, request.get("warm_up", warm_up))
                reply = prepared[key].answer(request)
                reply |= {"threads": torch.get_num_threads(), "peak_rss_bytes": peak_rss_bytes()}
        except Exception as error:  # the other rows can still be measured
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
