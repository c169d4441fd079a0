"""Prints where the constants of guard and relevance come from: `python -m services.reward.calibrate DATA_DIR`.

DATA_DIR holds `preferences/*.jsonl`, lines {messages, chosen, rejected}. An off-topic answer is another conversation's
chosen one. Takes minutes: the quality scorer reads four responses for each of `--pairs` conversations.
"""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.reward.guard import GuardScorer
from services.reward.quality import QualityScorer
from services.reward.registry import SHIPPED_HEAD
from services.reward.relevance import RelevanceScorer
from services.reward.runtime import Runtime
from services.reward.scorer import BlockingScorer, Conversation, ScoreItem
from shared.records.evolution import Message

_CUTS = (80, 180, 400, None)
_WEIGHTS = (0.0, 4.0, 6.0, 8.0, 12.0, 16.0)
_BATCH = 32


@dataclass(frozen=True)
class CalibrationPair:
    conversation: Conversation
    chosen: str
    rejected: str


def read_pairs(folder: Path) -> list[CalibrationPair]:
    """Every pair of two texts below `folder`, in a fixed shuffled order."""
    rows = [json.loads(line) for file in sorted(folder.glob("preferences/*.jsonl")) for line in file.open()]
    pairs = [
        CalibrationPair(
            Conversation(tuple(Message(**message) for message in row["messages"])), row["chosen"], row["rejected"]
        )
        for row in rows
        if isinstance(row["chosen"], str) and isinstance(row["rejected"], str)
    ]
    random.Random(0).shuffle(pairs)
    return pairs


def values(scorer: BlockingScorer, items: Sequence[ScoreItem]) -> list[float]:
    """Scores in order, computed in batches of similar length."""
    order = sorted(range(len(items)), key=lambda index: len(items[index].text))
    found = [0.0] * len(items)
    for start in range(0, len(order), _BATCH):
        part = order[start : start + _BATCH]
        for index, score in zip(part, scorer.score([items[index] for index in part]), strict=True):
            found[index] = score.value
    return found


def guard_share(pairs: Sequence[CalibrationPair]) -> float:
    """Share of non-empty responses without any penalty."""
    items = [ScoreItem(p.conversation, text) for p in pairs for text in (p.chosen, p.rejected) if text.strip()]
    penalties = values(GuardScorer(), items)
    return sum(penalty == 0 for penalty in penalties) / len(penalties)


def quantile(numbers: Sequence[float], share: float) -> float:
    return sorted(numbers)[int(share * len(numbers))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--answers", type=int, default=1600, help="good answers whose cosine is measured")
    parser.add_argument("--pairs", type=int, default=300, help="pairs that the quality scorer reads")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    pairs = read_pairs(args.data)
    if not pairs:
        parser.error(f"no preferences/*.jsonl in {args.data}")
    print(f"guard: {guard_share(pairs):.2%} of the real responses get no penalty")
    runtime = Runtime(threads=args.threads)
    threshold = _report_cosines(pairs[: args.answers], runtime)
    _report_weights(pairs[: args.pairs], threshold, runtime)


def _report_cosines(pairs: Sequence[CalibrationPair], runtime: Runtime) -> float:
    scorer = RelevanceScorer(0.0, runtime)
    scorer.load()
    good = [pair for pair in pairs if pair.chosen.strip()]
    threshold = 0.0
    for cut in _CUTS:
        items = [ScoreItem(pair.conversation, pair.chosen[:cut]) for pair in good]
        cosines = [
            score.value for start in range(0, len(items), _BATCH) for score in scorer.cosines(items[start:][:_BATCH])
        ]
        threshold = quantile(cosines, 0.1)
        print(f"relevance: 10th percentile of {len(good)} chosen answers cut at {cut} characters: {threshold:.3f}")
    return threshold


def _report_weights(pairs: Sequence[CalibrationPair], threshold: float, runtime: Runtime) -> None:
    scorers: tuple[BlockingScorer, ...] = (QualityScorer(SHIPPED_HEAD, runtime), GuardScorer())
    relevance = RelevanceScorer(threshold, runtime)
    for scorer in (*scorers, relevance):
        scorer.load()
    for cut in (180, None):
        kinds = []
        for text in (
            [pair.chosen for pair in pairs],
            [pair.rejected for pair in pairs],
            [pair.chosen for pair in (*pairs[1:], pairs[0])],
        ):
            items = [ScoreItem(pair.conversation, answer[:cut]) for pair, answer in zip(pairs, text, strict=True)]
            base = [sum(parts) for parts in zip(*(values(scorer, items) for scorer in scorers), strict=True)]
            kinds.append(list(zip(base, values(relevance, items), strict=True)))
        for weight in _WEIGHTS:
            chosen, rejected, foreign = ([base + weight * hinge for base, hinge in kind] for kind in kinds)
            accuracy = sum(a > b for a, b in zip(chosen, rejected, strict=True)) / len(pairs)
            fooled = sum(b > a for a, b in zip(chosen, foreign, strict=True)) / len(pairs)
            print(f"cut {cut}, weight {weight:g}: off-topic wins {fooled:.3f}, chosen beats rejected {accuracy:.3f}")
        items = [ScoreItem(pair.conversation, pair.chosen[:cut]) for pair in pairs if pair.chosen.strip()]
        print(f"cut {cut}, quality of chosen answers: 0.5% below {quantile(values(scorers[0], items), 0.005):.2f}")


if __name__ == "__main__":
    main()
