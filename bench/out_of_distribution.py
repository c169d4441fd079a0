"""What the shipped head knows of its own ignorance: `python -m bench.out_of_distribution DATA_DIR`.

DATA_DIR holds preferences as `darwin reward train` reads them. Held-out answers are set against what no head has
seen: their words shuffled, another language, base64. Each row says how well the distance of
`services.reward.familiarity` and the standard deviation of `services.reward.posterior` tell the two apart (AUROC; 0.5
knows nothing), which share is flagged, and the mean deviation. The rows of the answers themselves, and of the embedded
model's own answers to held-out prompts, say how often a flag is raised in vain. Prints a table, writes
bench/out/out_of_distribution.json.
"""

import argparse
import json
import random
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import mannwhitneyu

from services.reward.registry import SHIPPED_HEAD
from services.reward.runtime import Runtime
from services.reward.specs import WEIGHTS
from services.reward.training.data import TEST, TrainingPair, read_preferences
from services.reward.training.features import Caps, Extractor, Features
from services.reward.training.head import Head, read_head
from services.reward.training.negatives import Sampler
from shared.text.embedded_models import cache_dir

OUT = Path(__file__).parent / "out" / "out_of_distribution.json"
TRANSLATIONS = Path(__file__).parent / "translations.jsonl"
CUTS = (20, 40, 80)
OWN = "the embedded model's own answers"
HELD_OUT = "held-out answers"
_NOTHING = " "
"""Stands for a pair's other side, which is not measured."""


@dataclass(frozen=True)
class Row:
    """Answers of a kind, cut to `tokens` (None: whole): the share that is flagged, and how the two measures tell them
    from held-out answers cut alike."""

    kind: str
    tokens: int | None
    answers: int
    flagged: float
    familiarity_auroc: float
    deviation_auroc: float
    deviation: float


def _shuffled(text: str) -> str:
    words = text.split()
    random.Random(len(text)).shuffle(words)
    return " ".join(words)


def _translations() -> str:
    return " ".join(json.loads(line)["answer"] for line in TRANSLATIONS.open(encoding="utf-8"))


def _foreign(text: str) -> str:
    """A part, as long as the text, of sentences in many languages."""
    sentences = _translations()
    start = random.Random(len(text)).randrange(max(1, len(sentences) - len(text)))
    return sentences[start : start + max(len(text), 40)]


STRANGE: dict[str, Callable[[str], str]] = {
    "their words, shuffled": _shuffled,
    "other languages": _foreign,
    "base64": lambda text: b64encode(text.encode()).decode(),
}


def measure(head: Head, kinds: dict[str, Features], caps: Caps) -> list[Row]:
    """Every kind at every cut. The chosen side of a feature's pair counts only."""
    rows = []
    for column, cut in enumerate((*caps.cuts, None)):
        usual = _measures(head, kinds[HELD_OUT], column, cut or caps.response_tokens)
        for kind, features in kinds.items():
            excess, deviations = _measures(head, features, column, cut or caps.response_tokens)
            known, sure = _auroc(excess, usual[0]), _auroc(deviations, usual[1])
            flagged = float((excess > 1).mean())
            rows.append(Row(kind, cut, len(excess), flagged, known, sure, float(deviations.mean())))
    return rows


def _measures(head: Head, features: Features, column: int, limit: int) -> tuple[NDArray[np.floating], ...]:
    assert head.posterior
    assert head.familiarity
    means, tokens = features.means[:, 0, column], np.minimum(features.tokens[:, 0], limit)
    return head.familiarity.excess(means, tokens), head.posterior.deviations(means)


def _auroc(strange: NDArray[np.floating], usual: NDArray[np.floating]) -> float:
    return float(mannwhitneyu(strange, usual).statistic / (len(strange) * len(usual)))


def _own(pairs: Sequence[TrainingPair], runtime: Runtime, console: Console) -> list[TrainingPair]:
    """The embedded language model's answers to the pairs' prompts, at a temperature of 1."""
    prompts = list({pair.conversation.digest: pair for pair in pairs}.values())
    with console.status("sampling the embedded model"):
        texts = Sampler(runtime).answers(prompts, seed=0)
    return [
        replace(pair, chosen=text, rejected=_NOTHING) for pair, text in zip(prompts, texts, strict=True) if text.strip()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--head", type=Path, default=WEIGHTS / SHIPPED_HEAD)
    parser.add_argument("--answers", type=int, default=200, help="held-out pairs")
    parser.add_argument("--own", type=int, default=96, help="prompts that the embedded model answers")
    parser.add_argument("--tokens", type=int, default=256, help="of an answer, its first count")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    console, runtime = Console(width=120), Runtime(threads=args.threads)
    caps = Caps(response_tokens=args.tokens, cuts=CUTS)
    read = read_preferences(sorted(args.data.glob("*.jsonl")), 0.2, skip_invalid=True)
    held_out = sorted((pair for pair in read.pairs if pair.split == TEST), key=lambda pair: pair.id)
    drawn = random.Random(0).sample(held_out, min(args.answers, len(held_out)))
    asked = {HELD_OUT: [replace(pair, rejected=_NOTHING) for pair in drawn]}
    asked[OWN] = _own(drawn[: args.own], runtime, console)
    for kind, spoil in STRANGE.items():
        asked[kind] = [replace(pair, chosen=spoil(pair.chosen), rejected=_NOTHING) for pair in drawn]
    extractor = Extractor(cache_dir() / "reward-features", caps, runtime)
    kinds = {kind: extractor.extract(pairs, lambda _: None) for kind, pairs in asked.items()}
    rows = measure(read_head(args.head), kinds, caps)
    table = Table("answers", "tokens", "number", "flagged", "AUROC, familiarity", "AUROC, deviation", "mean deviation")
    for row in rows:
        figures = (f"{row.flagged:.1%}", f"{row.familiarity_auroc:.3f}", f"{row.deviation_auroc:.3f}")
        table.add_row(row.kind, str(row.tokens or "whole"), str(row.answers), *figures, f"{row.deviation:.2f}")
    console.print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
