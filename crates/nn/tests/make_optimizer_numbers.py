"""Writes optimizer_numbers/mod.rs: ten-step trajectories of PyTorch's optimizers, in float64.

    python crates/nn/tests/make_optimizer_numbers.py

Made with Python 3.11, torch 2.15.0. A matrix w (2, 2) and a vector b (2) descend the quadratic bowl
sum(h (p - t)^2) / 2, whose curvatures h differ by a factor of 40. As in newleaf, only w decays. Learning
rates are powers of two, so that float32 and float64 have the same.
"""

from pathlib import Path

import torch

START_W, START_B = [[1.0, -2.0], [0.5, 3.0]], [-1.5, 0.25]
CURVATURE_W, CURVATURE_B = [[0.25, 1.0], [4.0, 0.5]], [10.0, 2.0]
TARGET_W, TARGET_B = [[0.0, 1.0], [-1.0, 2.0]], [0.5, -0.75]
LR = 2.0**-4

RUNS = {
    "SGD": (torch.optim.SGD, dict(momentum=0.9), 0.0),
    "SGD_NESTEROV_DECAY": (torch.optim.SGD, dict(momentum=0.5, nesterov=True), 0.25),
    "ADAM": (torch.optim.Adam, dict(betas=(0.9, 0.999), eps=1e-8), 0.0),
    # eps as large as sqrt(v), so that its place in the formula shows
    "ADAM_LARGE_EPS_DECAY": (torch.optim.Adam, dict(betas=(0.75, 0.875), eps=0.5), 0.25),
    "ADAMW": (torch.optim.AdamW, dict(betas=(0.9, 0.99), eps=1e-8), 0.5),
    "ADAMW_LARGE_EPS": (torch.optim.AdamW, dict(betas=(0.75, 0.875), eps=0.5), 0.5),
}


def trajectory(optimizer, settings, weight_decay):
    w, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (START_W, START_B))
    groups = [{"params": [w], "weight_decay": weight_decay}, {"params": [b], "weight_decay": 0.0}]
    optimizer = optimizer(groups, lr=LR, **settings)
    for _ in range(10):
        loss = sum(
            (torch.tensor(h, dtype=torch.float64) * (p - torch.tensor(t, dtype=torch.float64)) ** 2).sum() / 2
            for p, h, t in ((w, CURVATURE_W, TARGET_W), (b, CURVATURE_B, TARGET_B))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield w.flatten().tolist() + b.tolist()


def main():
    lines = [
        "//! Written by ../make_optimizer_numbers.py (torch 2.15.0, float64). After each of ten steps: w, then b.",
        "",
    ]
    for name, (optimizer, settings, weight_decay) in RUNS.items():
        lines.append(f"pub(crate) const {name}: [[f64; 6]; 10] = [")
        for row in trajectory(optimizer, settings, weight_decay):
            lines.append("    [" + ", ".join(f"{x:.10f}" for x in row) + "],")
        lines += ["];", ""]
    path = Path(__file__).parent / "optimizer_numbers" / "mod.rs"
    path.write_text("\n".join(lines[:-1]) + "\n")


main()
