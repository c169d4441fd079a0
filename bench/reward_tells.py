"""What a reward profile can tell and what it cannot: `python -m bench.reward_tells [--profile NAME]`.

24 questions with a right answer and one of the same form that says the opposite (`reward_pairs.jsonl`). Each row sets
another answer against the right one, and counts how often the profile gives the right one the higher reward. A coin
would give 7 to 17 of 24, nineteen times of twenty. Needs the reward models only, no language model. Prints a table,
writes bench/out/reward_tells.json.
"""

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.reward.bootstrap import build_rewarder
from services.reward.rewarder import Rewarder
from services.reward.settings import RewardSettings
from services.reward.validation import ResponseCandidate
from shared.records.evolution import Message

PAIRS = Path(__file__).parent / "reward_pairs.jsonl"
OUT = Path(__file__).parent / "out" / "reward_tells.json"
PADDING = "This is an important topic, and there is a lot more that could be said about it in general."


@dataclass(frozen=True)
class QuestionPair:
    """A question, a right answer, and a wrong one of about the same length."""

    question: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Told:
    """How many of the right answers have the higher reward."""

    against: str
    preferred: int
    of: int


Spoilt = Callable[[Sequence[QuestionPair], int], str]
"""What is set against the right answer of one of the pairs."""


def _shuffled(pairs: Sequence[QuestionPair], index: int) -> str:
    words = pairs[index].right.split()
    random.Random(index).shuffle(words)
    return " ".join(words)


AGAINST: dict[str, Spoilt] = {
    "the same words, shuffled": _shuffled,
    "its first sentence, four times": lambda pairs, index: " ".join([pairs[index].right.split(". ")[0] + "."] * 4),
    "the answer to another question": lambda pairs, index: pairs[index - 1].right,
    "the question again": lambda pairs, index: pairs[index].question,
    "itself, with an empty sentence behind": lambda pairs, index: f"{pairs[index].right} {PADDING}",
    "an answer that is false": lambda pairs, index: pairs[index].wrong,
}


def pairs() -> list[QuestionPair]:
    """Every pair of the file."""
    return [QuestionPair(**json.loads(line)) for line in PAIRS.open(encoding="utf-8")]


async def tell(rewarder: Rewarder, profile: str) -> list[Told]:
    """One row for each kind of other answer."""
    found = pairs()
    higher = Counter[str]()
    for index, pair in enumerate(found):
        texts = {"right": pair.right} | {name: spoilt(found, index) for name, spoilt in AGAINST.items()}
        candidates = [ResponseCandidate(name, text) for name, text in texts.items()]
        scored = await rewarder.score([Message("user", pair.question)], candidates, profile)
        rewards = {score.id: score.reward for score in scored.scores}
        for name in AGAINST:
            higher[name] += rewards["right"] > rewards[name]
    return [Told(name, higher[name], len(found)) for name in AGAINST]


async def _run(profile: str) -> list[Told]:
    rewarder = build_rewarder(RewardSettings())
    await rewarder.start()
    try:
        return await tell(rewarder, profile)
    finally:
        await rewarder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="default")
    told = asyncio.run(_run(parser.parse_args().profile))
    shown = Table("a right answer, against", "preferred")
    for row in told:
        shown.add_row(row.against, f"{row.preferred} of {row.of}")
    Console(width=100).print(shown)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(row) for row in told], indent=2))


if __name__ == "__main__":
    main()
