"""What the reward component `relevance` makes of answers in other languages: `python -m bench.translations`.

40 right answers (`translations.jsonl`): translations, and answers to requests in other languages. Prints how many of
them, whole and cut, get a penalty by the cosine alone and by the component. With a folder of preference data it prints
that also for chosen answers to their own and to another conversation's prompt, nearly all of them English.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.reward.calibrate import read_pairs
from services.reward.relevance import RelevanceScorer
from services.reward.runtime import Runtime
from services.reward.scorer import Conversation, ScoreItem
from shared.records.evolution import Message

PAIRS = Path(__file__).parent / "translations.jsonl"
# That of the default profile.
THRESHOLD = 0.18
CUTS = (15, 40, 80, None)
_BATCH = 16


def translations() -> list[ScoreItem]:
    """The right answers, each with what was asked."""
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    return [ScoreItem(Conversation((Message("user", row["instruction"]),)), row["answer"]) for row in rows]


def punished(scorer: RelevanceScorer, items: Sequence[ScoreItem]) -> tuple[int, int]:
    """How many of the answers the cosine alone would punish, and how many the component does."""
    alone = after = 0
    for start in range(0, len(items), _BATCH):
        batch = items[start : start + _BATCH]
        alone += sum(score.value < THRESHOLD for score in scorer.cosines(batch))
        after += sum(score.value < 0 for score in scorer.score(batch))
    return alone, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="holds preferences/*.jsonl")
    parser.add_argument("--answers", type=int, default=300, help="of the preference data")
    arguments = parser.parse_args()
    groups = {"right answers in other languages": translations()}
    if arguments.data is not None:
        pairs = [pair for pair in read_pairs(arguments.data) if pair.chosen.strip()][: arguments.answers]
        others = [*pairs[1:], pairs[0]]
        groups["chosen answers"] = [ScoreItem(pair.conversation, pair.chosen) for pair in pairs]
        groups["answers to another prompt"] = [
            ScoreItem(pair.conversation, other.chosen) for pair, other in zip(pairs, others, strict=True)
        ]
    scorer = RelevanceScorer(THRESHOLD, Runtime())
    scorer.load()
    table = Table("answers", "of", "cut at", "by the cosine alone", "by the component", title="Punished")
    for name, items in groups.items():
        for cut in CUTS:
            found = punished(scorer, [ScoreItem(item.conversation, item.text[:cut]) for item in items])
            table.add_row(name, str(len(items)), str(cut or "–"), *map(str, found))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
