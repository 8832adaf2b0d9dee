#!/usr/bin/env python3
"""Times newleaf and PyTorch at the same work, in turn, in one sitting, and prints a table of the medians.

    cargo build --release -p benches --bin peer
    python benches/peers/compare.py [--json FILE]

Run it with the Python that has requirements.txt. README.md says what is measured and how the peers are asked.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def attention(b, nh, t, hs, repeats):
    return f"attention ({b}, {nh}, {t}, {hs})", {"work": "attention", "b": b, "nh": nh, "t": t, "hs": hs, "repeats": repeats}


def step(label, preset, batch, steps):
    return f"train step {label}", {"work": "step", "preset": preset, "batch": batch, "steps": steps}


# (what, request); the amounts make a round of a second or so, where one repetition is not longer than that.
ROWS = [
    step("nano-cpu: 4/4/128 T64 B12", "nano-cpu", 12, 40),
    step("mid: 6/6/192 T128 B16", "mid", 16, 5),
    step("baby: 6/6/384 T256 B8", "baby", 8, 2),
    attention(12, 4, 64, 32, 200),
    attention(8, 6, 256, 64, 30),
    attention(4, 6, 1024, 64, 4),
    attention(1, 6, 4096, 64, 2),
    ("decode nano-cpu", {"work": "decode", "tokens": 500}),
]
LONG_ROWS = [step("baby: 6/6/384 T256 B64", "baby", 64, 1)]


class Failed(Exception):
    """A peer cannot do a row."""


class Peer:
    """A worker process: one JSON line in, one JSON line out."""

    def __init__(self, command, env):
        self.command = command
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=env
            )
        except OSError as error:
            raise SystemExit(f"cannot start {command[0]}: {error.strerror}")

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failed(f"ended with status {self.process.wait()}")
        try:
            reply = json.loads(line)
        except ValueError:
            raise Failed(f"answered no JSON: {line.strip()[:200]}")
        if "error" in reply:
            raise Failed(reply["error"])
        return reply

    def close(self):
        try:
            self.process.stdin.write('{"work":"quit"}\n')
            self.process.stdin.close()
        except (BrokenPipeError, ValueError):
            pass
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def one_round(peer, request):
    """The round's median, in the row's unit, and the whole reply."""
    reply = peer.ask(request)
    values = reply["tokens_per_s" if request["work"] == "decode" else "ms"]
    return statistics.median(values), reply


def measure(request, commands, env, rounds):
    """One row: a fresh process per peer, alive through all rounds, so that its peak memory is this row's alone;
    the rounds in turn, so that a slow minute of the machine meets both."""
    results = {name: {"rounds": []} for name in commands}
    peers = {}
    try:
        for name, command in commands.items():
            peers[name] = Peer(command, env)
        for _ in range(rounds):
            for name, peer in peers.items():
                if "error" in results[name]:
                    continue
                time.sleep(0.05)  # the other peer's worker threads spin a little before they sleep
                try:
                    value, reply = one_round(peer, request)
                except Failed as error:
                    results[name]["error"] = str(error)
                    continue
                results[name]["rounds"].append(value)
                results[name] |= {k: v for k, v in reply.items() if k not in ("ms", "tokens_per_s")}
    finally:
        for peer in peers.values():
            peer.close()
    for result in results.values():
        if "error" not in result:
            result["median"] = statistics.median(result["rounds"])
    return results


def ratios(results, rate):
    """newleaf's time over each other peer's: of the medians, and the least and greatest of the single rounds."""
    ours = results["newleaf"]
    out = {}
    for name, theirs in results.items():
        if name == "newleaf" or "error" in ours or "error" in theirs:
            continue
        over = (lambda a, b: b / a) if rate else (lambda a, b: a / b)
        single = [over(a, b) for a, b in zip(ours["rounds"], theirs["rounds"])]
        out[name] = {"of_medians": over(ours["median"], theirs["median"]), "least": min(single), "greatest": max(single)}
    return out


def usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe(commands, env, options):
    machine = {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "threads": options.threads,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "rounds": options.rounds,
        "peers": {},
    }
    for name, command in commands.items():
        peer = Peer(command, env)
        try:
            machine["peers"][name] = peer.ask({"work": "info"})
        except Failed as error:
            machine["peers"][name] = {"error": str(error)}
        finally:
            peer.close()
    return machine


def value_cell(result, unit):
    if not result:
        return "-"
    if "error" in result:
        return "failed"
    value = result["median"]
    return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.4g} {unit}"


def memory_cell(result):
    return f"{result['peak_rss_bytes'] / 2**20:.0f}" if "peak_rss_bytes" in result else "-"


def table(rows, names):
    others = [name for name in names if name != "newleaf"]
    header = ["", *names, *(f"newleaf / {name}" for name in others), *(f"MiB {name}" for name in names)]
    lines = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for row in rows:
        peers = {name: row["peers"].get(name, {}) for name in names}
        cells = [row["what"], *(value_cell(peers[name], row["unit"]) for name in names)]
        for name in others:
            ratio = row["ratios"].get(name)
            cells.append(f"{ratio['of_medians']:.2f} ({ratio['least']:.2f}–{ratio['greatest']:.2f})" if ratio else "-")
        cells += [memory_cell(peers[name]) for name in names]
        lines.append(cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--newleaf", default="target/release/peer", help="newleaf's worker (default: %(default)s)")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch (default: this one)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="for every peer (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="a third column: the step through torch.compile")
    parser.add_argument("--long", action="store_true", help="also the baby preset with its batch of 64")
    parser.add_argument("--only", metavar="TEXT", help="only the rows whose name has TEXT in it")
    parser.add_argument("--json", metavar="FILE", help="write everything measured there")
    options = parser.parse_args()

    rows = [row for row in ROWS + (LONG_ROWS if options.long else []) if not options.only or options.only in row[0]]
    if not rows or options.rounds < 1:
        parser.error("nothing to measure")
    worker = [options.python, str(HERE / "worker_torch.py"), "--threads", str(options.threads)]
    # PyTorch first: A B A B ...
    commands = {"PyTorch": worker}
    if options.compile:
        commands["compiled"] = [*worker, "--compile"]
    commands["newleaf"] = [options.newleaf]
    names = ["newleaf", *(name for name in commands if name != "newleaf")]
    env = dict(os.environ)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        env[variable] = str(options.threads)

    machine = describe(commands, env, options)
    print(f"{machine['cpu']}, {machine['cores']} cores, {options.threads} threads; {machine['system']}; {machine['date']}")
    for name, facts in machine["peers"].items():
        print(f"{name}: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
    print(f"Medians of {options.rounds} alternating rounds; ratios are of times (below 1: newleaf is faster), "
          "with the single rounds' range; MiB: peak resident memory of the process.\n", flush=True)

    measured = []
    for what, request in rows:
        print(f"... {what}", file=sys.stderr, flush=True)
        rate = request["work"] == "decode"
        # What cannot differ is not timed twice: torch.compile concerns the training step only.
        asked = {n: c for n, c in commands.items() if n != "compiled" or request["work"] == "step"}
        results = measure(request, asked, env, options.rounds)
        for name, result in results.items():
            if "error" in result:
                print(f"{name} failed: {result['error']}", file=sys.stderr)
        measured.append({
            "what": what,
            "request": request,
            "unit": "tokens/s" if rate else "ms",
            "peers": results,
            "ratios": ratios(results, rate),
        })
    print(table(measured, names))
    if any(row["request"]["work"] == "attention" for row in measured):
        print("\nAttention: PyTorch reads q, k, v of (B, NH, T, hs), newleaf its own packed layout (B, T, 3C).")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": measured}, indent=1) + "\n")
    if any("error" in result for row in measured for result in row["peers"].values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
