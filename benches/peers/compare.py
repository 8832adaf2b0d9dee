#!/usr/bin/env python3
"""Times newleaf and its peers at the same work, in turn, in one sitting, and prints tables of the medians.

    python benches/peers/compare.py --build
    python benches/peers/compare.py [--json FILE]

Run it with the Python that has requirements.txt. README.md says what is measured and how the peers are asked.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def built(package, name):
    """Where cargo puts the program of a package."""
    return Path(os.environ.get("CARGO_TARGET_DIR", package / "target")) / "release" / name


@dataclass
class Kind:
    """One of those compared."""

    command: list
    works: set  # what it can do; other rows have "-" for it
    build: list  # the command that makes it...
    where: Path  # ...and the directory it runs in
    slow: bool = False  # takes fewer steps, and none of the largest batch

    def missing(self):
        """Why it cannot be started, or None."""
        program = self.command[0]
        if not shutil.which(program):
            return f"no {program}"
        if "worker_torch.py" in " ".join(self.command):
            if not has_torch(program):
                return f"{program} has no torch"
            if "--compile" in self.command and not shutil.which(os.environ.get("CXX", "c++")):
                return "torch.compile needs a C++ compiler"
        return None

    def build_line(self):
        where = os.path.relpath(self.where)
        return ("" if where == "." else f"cd {shlex.quote(where)} && ") + shlex.join(map(str, self.build))


def has_torch(python):
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    return subprocess.run([python, "-c", find], stderr=subprocess.DEVNULL).returncode == 0


def kinds(options):
    """Everything that can be compared, in the order of a round: newleaf last."""
    torch = [options.python, str(HERE / "worker_torch.py"), "--threads", str(options.threads)]
    pip = [options.python, "-m", "pip", "install", "-r", str(HERE / "requirements.txt")]
    cargo = ["cargo", "build", "--release"]
    # In its own directory, since cargo takes the compiler's flags from .cargo/config.toml there.
    burn, candle, naive = HERE / "burn", HERE / "candle", HERE / "naive"
    gcc = ["gcc", "-Ofast", "-march=native", "-fopenmp", "naive.c", "-o", "naive", "-lm"]
    every = {"step", "first step", "attention", "decode"}
    steps = {"step", "first step"}
    return {
        "PyTorch": Kind(torch, every, pip, ROOT),
        # torch.compile concerns the training step only: what cannot differ is not timed twice.
        "compiled": Kind([*torch, "--compile"], {"step"}, pip, ROOT),
        "burn": Kind([str(built(burn, "burn-peer"))], steps, cargo, burn, slow=True),
        "candle": Kind([str(built(candle, "candle-peer"))], steps, cargo, candle, slow=True),
        "naive": Kind([str(naive / "naive")], steps, gcc, naive, slow=True),
        "newleaf": Kind([options.newleaf], every, [*cargo, "-p", "benches", "--bin", "peer"], ROOT),
    }


@dataclass
class Row:
    what: str
    request: dict
    work: str  # the request's, or "first step"
    also: tuple = None  # (what, fields): newleaf does the same a second time with these fields in the request
    long: bool = False  # only with --long


def attention(b, nh, t, hs, repeats):
    """Forward and backward together, then each alone."""
    request = {"work": "attention", "b": b, "nh": nh, "t": t, "hs": hs, "repeats": repeats}
    name = f"attention ({b}, {nh}, {t}, {hs})"
    alone = [Row(f"{name} {which}", request | {"pass": which}, "attention") for which in ("forward", "backward")]
    return [Row(name, request, "attention"), *alone]


def step(label, preset, batch, steps, long=False):
    request = {"work": "step", "preset": preset, "batch": batch, "steps": steps}
    return Row(f"train step {label}", request, "step", long=long)


# The amounts make a round of a second or so, where one repetition is not longer than that.
ROWS = [
    Row(
        "first step nano-cpu, from the start of the process",
        {"work": "step", "preset": "nano-cpu", "batch": 12, "steps": 1, "warm_up": 0},
        "first step",
    ),
    step("nano-cpu: 4/4/128 T64 B12", "nano-cpu", 12, 40),
    step("mid: 6/6/192 T128 B16", "mid", 16, 5),
    step("baby: 6/6/384 T256 B8", "baby", 8, 2),
    step("baby: 6/6/384 T256 B64", "baby", 64, 1, long=True),
    *attention(12, 4, 64, 32, 200),
    *attention(8, 6, 256, 64, 30),
    *attention(4, 6, 1024, 64, 4),
    *attention(1, 6, 4096, 64, 2),
    Row("decode nano-cpu", {"work": "decode", "tokens": 500}, "decode"),
    Row(
        "decode gpt2-124m",
        {"work": "decode", "preset": "gpt2-124m", "tokens": 64},
        "decode",
        also=("decode gpt2-124m, newleaf's weights int8", {"weights": "int8"}),
    ),
]
# What a slow peer is asked instead, so that its rounds stay below ten seconds or so.
SLOW = {"nano-cpu": {"steps": 20}, "mid": {"steps": 3}, "baby": {"steps": 1, "warm_up": 1}}


def request_for(kind, row):
    """What this peer is asked in this row, or None."""
    if row.work not in kind.works:
        return None
    if kind.slow and row.work == "step":
        if row.request["batch"] > 16:
            return None
        return row.request | SLOW[row.request["preset"]]
    return row.request


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


def first_step(command, env, request):
    """Milliseconds from before the process's start to its answer, and the reply."""
    start = time.perf_counter()
    peer = Peer(command, env)
    try:
        reply = peer.ask(request)
        return 1e3 * (time.perf_counter() - start), reply
    finally:
        peer.close()


def measure(asked, fresh, env, rounds):
    """One row: the results of `asked`, label -> (command, request).

    A process per label, alive through all rounds, so that its peak memory is this row's alone; or, if `fresh`,
    a new one in each round. All take turns, so that a slow minute of the machine meets all, every second round in the
    reverse order.
    """
    results = {label: {"rounds": []} for label in asked}
    peers = {}
    try:
        if not fresh:
            for label, (command, _) in asked.items():
                peers[label] = Peer(command, env)
        order = list(asked.items())
        for n in range(rounds):
            for label, (command, request) in reversed(order) if n % 2 else order:
                if "error" in results[label]:
                    continue
                time.sleep(0.05)  # the last peer's worker threads spin a little before they sleep
                try:
                    if fresh:
                        value, reply = first_step(command, env, request)
                    else:
                        value, reply = one_round(peers[label], request)
                except Failed as error:
                    results[label]["error"] = str(error)
                    continue
                results[label]["rounds"].append(value)
                results[label] |= {k: v for k, v in reply.items() if k not in ("ms", "tokens_per_s")}
    finally:
        for peer in peers.values():
            peer.close()
    for result in results.values():
        if "error" not in result:
            result["median"] = statistics.median(result["rounds"])
    return results


BEST = "PyTorch's best"


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
    of_torch = [name for name in ("PyTorch", "compiled") if name in out]
    if of_torch:
        best = max(of_torch, key=lambda name: out[name]["of_medians"])  # the faster one leaves the greater ratio
        out[BEST] = out[best] | {"which": best}
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


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def tables(rows, names):
    """Medians; ratios; peak memory."""
    others = [name for name in names if name != "newleaf"]
    if {"PyTorch", "compiled"} <= set(others):
        others.insert(others.index("compiled") + 1, BEST)
    medians, over, memory = [], [], []
    for row in rows:
        peers = {name: row["peers"].get(name, {}) for name in names}
        medians.append([row["what"], *(value_cell(peers[name], row["unit"]) for name in names)])
        memory.append([row["what"], *(memory_cell(peers[name]) for name in names)])
        cells = [row["what"]]
        for name in others:
            ratio = row["ratios"].get(name)
            cells.append(f"{ratio['of_medians']:.2f} ({ratio['least']:.2f}–{ratio['greatest']:.2f})" if ratio else "-")
        over.append(cells)
    out = [table(["median", *names], medians)]
    if others:
        out.append(table(["newleaf's time over", *others], over))
    out.append(table(["peak MiB", *names], memory))
    return "\n\n".join(out)


def chosen(options, parser):
    """The peers that are asked for, name -> Kind."""
    every = kinds(options)
    asked = list(every) if options.peers is None else [*options.peers.split(","), "newleaf"]
    for name in asked:
        if name not in every:
            parser.error(f"--peers: no {name}; there are {', '.join(name for name in every if name != 'newleaf')}")
    return {name: kind for name, kind in every.items() if name in asked}


def build(peers):
    done = set()
    for name, kind in peers.items():
        line = kind.build_line()
        if line in done or (name in ("PyTorch", "compiled") and not kind.missing()):
            continue
        done.add(line)
        print(f"{name}: {line}", flush=True)
        if subprocess.run(kind.build, cwd=kind.where).returncode:
            raise SystemExit(f"cannot build {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true", help="build newleaf's worker and the peers, and end")
    parser.add_argument("--peers", metavar="NAMES", help="of PyTorch,compiled,burn,candle,naive (default: all that are there)")
    parser.add_argument("--newleaf", default=str(built(ROOT, "peer")), help="newleaf's worker (default: %(default)s)")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch (default: this one)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="for every peer (default: %(default)s)")
    parser.add_argument("--long", action="store_true", help="also the baby preset with its batch of 64")
    parser.add_argument("--only", metavar="TEXT", help="only the rows whose name has TEXT in it")
    parser.add_argument("--json", metavar="FILE", help="write everything measured there")
    options = parser.parse_args()

    peers = chosen(options, parser)
    if options.build:
        build(peers)
        return
    rows = [row for row in ROWS if options.only in row.what] if options.only else ROWS
    rows = [row for row in rows if options.long or not row.long]
    if not rows or options.rounds < 1:
        parser.error("nothing to measure")

    not_built = {name: why for name, kind in peers.items() if (why := kind.missing())}
    for name, why in not_built.items():
        line = f"{name}: not built ({why}): {peers.pop(name).build_line()}"
        if name == "newleaf" or options.peers is not None:
            raise SystemExit(line)
        print(line, file=sys.stderr)
    names = ["newleaf", *(name for name in peers if name != "newleaf")]
    env = dict(os.environ)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        env[variable] = str(options.threads)

    machine = describe({name: kind.command for name, kind in peers.items()}, env, options)
    print(f"{machine['cpu']}, {machine['cores']} cores, {options.threads} threads; {machine['system']}; {machine['date']}")
    for name, facts in machine["peers"].items():
        print(f"{name}: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
    print(f"Medians of {options.rounds} alternating rounds; ratios are of times (below 1: newleaf is faster), "
          "with the single rounds' range; MiB: peak resident memory of the process.\n", flush=True)

    measured = []
    for row in rows:
        print(f"... {row.what}", file=sys.stderr, flush=True)
        asked = {name: (kind.command, request) for name, kind in peers.items() if (request := request_for(kind, row))}
        if row.also:
            asked["also"] = (peers["newleaf"].command, row.request | row.also[1])
        results = measure(asked, row.work == "first step", env, options.rounds)
        for name, result in results.items():
            if "error" in result:
                print(f"{name} failed: {result['error']}", file=sys.stderr)
        also = results.pop("also", None)
        measured.append(entry(row.what, row.request, results))
        if also:
            measured.append(entry(row.also[0], row.request | row.also[1], results | {"newleaf": also}))
    print(tables(measured, names))
    if any(row["request"]["work"] == "attention" for row in measured):
        print("\nAttention: PyTorch reads q, k, v of (B, NH, T, hs), newleaf its own packed layout (B, T, 3C).")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": measured}, indent=1) + "\n")
    if any("error" in result for row in measured for result in row["peers"].values()):
        sys.exit(1)


def entry(what, request, results):
    rate = request["work"] == "decode"
    return {
        "what": what,
        "request": request,
        "unit": "tokens/s" if rate else "ms",
        "peers": results,
        "ratios": ratios(results, rate),
    }


if __name__ == "__main__":
    main()
