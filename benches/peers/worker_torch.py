"""The PyTorch side of compare.py: reads one JSON request per line, answers each with one JSON line.

The protocol is in README.md, next to this file. `--compile` times the training step through torch.compile.
"""

import argparse
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
    """Forward and backward of causal attention alone, from q, k, v of (B, NH, T, hs) to their gradients."""

    def __init__(self, request, _compiled):
        shape = [request[key] for key in ("b", "nh", "t", "hs")]
        torch.manual_seed(0)
        self.qkv = [torch.randn(shape, requires_grad=True) for _ in range(3)]
        self.grad_out = torch.randn(shape)

    def once(self):
        # autograd.grad hands out fresh gradients; .backward() would add to those of the last call.
        out = F.scaled_dot_product_attention(*self.qkv, is_causal=True)
        torch.autograd.grad(out, self.qkv, self.grad_out)

    def answer(self, request):
        return {"ms": timed_ms(self.once, request["repeats"])}


class Decode:
    """Greedy decoding with a KV cache, batch 1, by transformers' GPT-2 in the nano-cpu shape.

    One text is a prompt of one token and as many new ones as the positions allow. What suits so small a
    model best is tried first and the winner is timed: transformers' own generate(), or a plain loop over
    the model without generate()'s bookkeeping; one thread, or all of them.
    """

    def __init__(self, _request, _compiled):
        import transformers  # here only: it is slow to import, and its memory is not the training step's

        transformers.logging.set_verbosity_error()
        self.cache_class = transformers.DynamicCache
        config = PRESETS["nano-cpu"][0]
        torch.manual_seed(0)
        self.model = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_layer=config.n_layer,
                n_head=config.n_head,
                n_embd=config.n_embd,
                n_positions=config.block_size,
                vocab_size=config.vocab_size,
                # The erf GELU, as in newleaf: one operation, where the default is a formula of several.
                activation_function="gelu",
                # No end token: every text gets its full length.
                bos_token_id=None,
                eos_token_id=None,
                pad_token_id=0,
            )
        ).eval()
        self.version = transformers.__version__
        self.prompt = torch.zeros((1, 1), dtype=torch.long)
        self.new_tokens = config.block_size - 1
        self.ways = {"generate": self.generate, "loop": self.loop}
        trials = []
        for threads in sorted({1, torch.get_num_threads()}):
            torch.set_num_threads(threads)
            for way in self.ways:
                self.tokens_per_s(way)
                trials.append((max(self.tokens_per_s(way) for _ in range(4)), threads, way))
        _, self.threads, self.way = max(trials)

    def generate(self):
        mask = torch.ones_like(self.prompt)
        out = self.model.generate(self.prompt, attention_mask=mask, max_new_tokens=self.new_tokens, do_sample=False)
        return out.shape[1] - 1

    def loop(self):
        token, cache, out = self.prompt, self.cache_class(), []
        for _ in range(self.new_tokens):
            logits = self.model(token, past_key_values=cache, use_cache=True).logits
            token = logits[:, -1].argmax(dim=-1, keepdim=True)
            out.append(token)
        return torch.cat(out, dim=1).shape[1]

    @torch.inference_mode()
    def tokens_per_s(self, way):
        start = time.perf_counter()
        count = self.ways[way]()
        assert count == self.new_tokens, count
        return count / (time.perf_counter() - start)

    def once(self):
        torch.set_num_threads(self.threads)
        self.tokens_per_s(self.way)

    def answer(self, request):
        texts = -(-request["tokens"] // self.new_tokens)
        rates = [self.tokens_per_s(self.way) for _ in range(texts)]
        return {"tokens_per_s": rates, "way": self.way, "transformers": self.version}


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
                # The amount is not part of what is set up, and a later request may ask for another.
                amounts = ("steps", "repeats", "tokens")
                key = json.dumps({k: v for k, v in request.items() if k not in amounts}, sort_keys=True)
                warm_up = WARM_UP_AGAIN
                if key not in prepared:
                    prepared[key] = WORKS[work](request, options.compile)
                    warm_up = WARM_UP_FIRST
                timed_ms(prepared[key].once, warm_up)
                reply = prepared[key].answer(request)
                reply |= {"threads": torch.get_num_threads(), "peak_rss_bytes": peak_rss_bytes()}
        except Exception as error:  # the other rows can still be measured
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
