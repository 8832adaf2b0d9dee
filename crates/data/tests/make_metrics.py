"""Writes fixtures/metrics.json: what sacrebleu and rouge-score say about some sentences.

    python -m venv venv && venv/bin/pip install sacrebleu==2.6.0 rouge-score==0.1.2
    venv/bin/python crates/data/tests/make_metrics.py
"""

import json
import random
from pathlib import Path

from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF

ENGLISH = [
    ("The boat left the harbour at 6.30, before it rained.", ["The boat left the harbour at 6.30, before the rain."]),
    ("Nobody in the village knew her name.", ["No one in the village knew her name.", "Nobody there knew the name."]),
    ("It cost 1,250.75 dollars (about half) -- well-spent!", ["It cost $1,250.75, about half -- money well-spent!"]),
    ("He said: \"wait ... no, go on\".", ["He said, \"Wait... no, go on.\""]),
    ("salt &amp; pepper &lt;both&gt; 1990-95", ["salt & pepper <both>, 1990-95"]),
    ("a a a a a a", ["a a b"]),
    ("x", ["x y z"]),
    ("", ["an empty answer"]),
    ("It's the miller's dog, isn't it? yes; the miller's.", ["It is the dog of the miller, isn't it? Yes."]),
    ("  two  spaces\tand a tab  ", ["two spaces and a tab"]),
]
CHINESE = [
    ("小船六点半离开了港口，在下雨之前。", ["小船在下雨前，六点半离开港口。"]),
    ("村里没有人知道她的名字。", ["村子里没人知道她叫什么名字。", "没有人知道她的名字。"]),
    ("它要1,250.75元（大约一半）——值得！", ["价钱是1,250.75元，大约一半——花得值！"]),
    ("他说：“等一下……不，继续吧”。", ["他说：“等等……不，你继续。”"]),
    ("我有3.5个apple和2本book", ["我有 3.5 个 apple、2 本 book。"]),
    ("好", ["很好"]),
    ("\u20000\U00020000和\U0002f800在一起", ["\U00020000与\U0002f800一起"]),
    ("→ ① ㎏ ☆", ["→ ② ㎏ ★"]),
]


def corpus(metric, segments):
    most = max(len(references) for _, references in segments)
    streams = [[refs[i] if i < len(refs) else None for _, refs in segments] for i in range(most)]
    return metric.corpus_score([hypothesis for hypothesis, _ in segments], streams).score


def random_segments(rng, words, n):
    """Hypotheses that are their references with words lost, exchanged and doubled."""
    segments = []
    for _ in range(n):
        reference = [rng.choice(words) for _ in range(rng.randrange(1, 14))]
        hypothesis = []
        for word in reference:
            kind = rng.random()
            hypothesis += [word] * (0 if kind < 0.12 else 2 if kind > 0.9 else 1)
            if kind > 0.7 and len(hypothesis) > 1:
                hypothesis[-1], hypothesis[-2] = hypothesis[-2], hypothesis[-1]
        segments.append((" ".join(hypothesis), [" ".join(reference)]))
    return segments


def main():
    rng = random.Random(1)
    words = "the a boat dog, farmer's saw 7 4.5 lamp. (old) river - quiet, and not; never \"yes\"".split()
    sets = {"english": ENGLISH, "chinese": CHINESE, "random": random_segments(rng, words, 40)}
    sets["nothing-agrees"] = [("red green", ["blue"]), ("one two three four five", ["six seven"])]
    cases = []
    for name, segments in sets.items():
        case = {"name": name, "segments": segments, "bleu": {}, "chrf": corpus(CHRF(), segments)}
        for tokenization in ["13a", "zh", "char", "none"]:
            case["bleu"][tokenization] = corpus(BLEU(tokenize=tokenization), segments)
        # rouge-score throws Chinese away, so there is nothing to compare.
        if name != "chinese":
            scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
            scores = [scorer.score_multi(references, hypothesis) for hypothesis, references in segments]
            names = ["rouge1", "rouge2", "rougeL"]
            case["rouge"] = {n: 100 * sum(s[n].fmeasure for s in scores) / len(scores) for n in names}
        cases.append(case)
    path = Path(__file__).parent / "fixtures" / "metrics.json"
    path.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")


main()
