"""How well a language model judges by a rubric, and what it costs: `python -m bench.rubric DATA_DIR`.

Needs a running generation service (`python -m services.generation`) at DARWIN_REWARD_GENERATION; the reward runs in
this process. DATA_DIR holds preferences as `darwin reward train` reads them. Of `--pairs` held-out pairs of each source
it counts how often the chosen answer has the higher reward, whole and as unfinished ones cut to `--cut` characters:
by the rubric of the four criteria below, by each of them, by the head that ships, and where longer wins. Then five
answers grow by 40 tokens a round and are judged by four criteria: how many tokens the judge computes a round against
those of the prompt and the answers, each once. Prints tables, writes bench/out/rubric.json.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.reward import QUESTION, growing
from services.reward.bootstrap import build_over
from services.reward.profiles import ProfileFile, single
from services.reward.rewarder import Rewarder
from services.reward.settings import RewardSettings
from services.reward.training.data import TEST, TrainingPair, read_preferences
from services.reward.training.evaluate import LONGER, interval
from services.reward.validation import ResponseCandidate
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_tokenizer

OUT = Path(__file__).parent / "out" / "rubric.json"
CRITERIA = (
    "It does what the user asked for.",
    "It is correct, and nothing in it is made up.",
    "It is helpful and clear.",
    "It is concise, without repetition and padding.",
)
RUBRIC, APART, HEAD = "rubric", "criteria apart", "quality"
STATES, ROUNDS = 5, 4


@dataclass(frozen=True)
class Told:
    """The share of pairs whose chosen answer has the higher reward (a tie counts half), within [low, high] at 95%."""

    scorer: str
    source: str
    cut: int | None
    pairs: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """A round's tokens: computed by the judge, reused by it, and those of the prompt and the answers, each once."""

    computed: int
    cached: int
    once: int


def profiles() -> dict[str, ProfileFile]:
    """One component of all criteria, one component for each, and the head that ships."""
    each = [
        {
            "name": f"criterion-{number}",
            "type": "rubric",
            "weight": 1 / len(CRITERIA),
            "criteria": [text],
            "timeout_s": 600,
        }
        for number, text in enumerate(CRITERIA)
    ]
    whole = [{**each[0], "weight": 1, "criteria": CRITERIA}]
    made = {name: ProfileFile.model_validate({"components": parts}) for name, parts in ((RUBRIC, whole), (APART, each))}
    return {**made, HEAD: single("quality")}


async def margins(rewarder: Rewarder, pair: TrainingPair, cut: int | None) -> dict[str, float]:
    """By how much each scorer prefers the chosen answer."""
    texts = pair.chosen[:cut], pair.rejected[:cut]
    candidates = [ResponseCandidate(str(index), text, partial=cut is not None) for index, text in enumerate(texts)]
    messages = pair.conversation.messages
    by_head, by_rubric = [(await rewarder.score(messages, candidates, name)).scores for name in (HEAD, APART)]
    found = {LONGER: float(len(texts[0]) - len(texts[1])), HEAD: by_head[0].reward - by_head[1].reward}
    found[RUBRIC] = by_rubric[0].reward - by_rubric[1].reward
    for text, chosen, rejected in zip(CRITERIA, by_rubric[0].parts, by_rubric[1].parts, strict=True):
        found[text] = chosen.value - rejected.value
    return found


def shares(source: str, cut: int | None, prompts: Sequence[bytes], rows: Sequence[Mapping[str, float]]) -> list[Told]:
    numbers = np.unique([prompt.hex() for prompt in prompts], return_inverse=True)[1]
    return [
        Told(name, source, cut, len(rows), *interval(np.array([row[name] for row in rows]), numbers, 1))
        for name in rows[0]
    ]


async def costs(rewarder: Rewarder) -> list[Cost]:
    """Of each round; in the first nothing is cached yet."""
    tokenizer = load_tokenizer(resolve(EMBEDDED_LLM))
    found = []
    for texts in growing(tokenizer, STATES, ROUNDS):
        candidates = [ResponseCandidate(str(index), text, partial=True) for index, text in enumerate(texts)]
        scored = await rewarder.score([QUESTION], candidates, RUBRIC, "costs")
        once = sum(len(tokenizer(text)["input_ids"]) for text in (QUESTION.content, *texts))
        found.append(Cost(scored.computed_tokens, scored.cached_tokens, once))
    return found


def table_of(paid: Sequence[Cost]) -> Table:
    table = Table("round", "computed", "reused", "prompt and answers once", "computed / once")
    for number, each in enumerate(paid, 1):
        ratio = f"{each.computed / each.once:.2f}"
        table.add_row(str(number), str(each.computed), str(each.cached), str(each.once), ratio)
    return table


async def measured(pairs: Sequence[TrainingPair], cut: int) -> tuple[list[Told], list[Cost]]:
    rewarder = build_over(profiles(), RUBRIC, RewardSettings())
    await rewarder.start()
    try:
        told, paid = [], await costs(rewarder)
        Console().print(table_of(paid))
        for source in sorted({pair.source for pair in pairs}):
            members = [pair for pair in pairs if pair.source == source]
            for length in (None, cut):
                rows = [await margins(rewarder, pair, length) for pair in members]
                told += shares(source, length, [pair.conversation.digest for pair in members], rows)
        return told, paid
    finally:
        await rewarder.stop()


def sample(folder: Path, each: int, most: int) -> list[TrainingPair]:
    """The first held-out pairs of each source that have less than `most` characters."""
    taken: list[TrainingPair] = []
    for pair in read_preferences(sorted(folder.glob("*.jsonl")), 0.2, skip_invalid=True).pairs:
        fits = sum(len(message.content) for message in pair.conversation.messages) + len(pair.chosen) < most
        if pair.split == TEST and fits and sum(other.source == pair.source for other in taken) < each:
            taken.append(pair)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", type=int, default=40, help="of each source")
    parser.add_argument("--characters", type=int, default=6_000, help="of conversation and answer, at most")
    parser.add_argument("--cut", type=int, default=200, help="characters of an unfinished answer")
    arguments = parser.parse_args()
    told, paid = asyncio.run(measured(sample(arguments.data, arguments.pairs, arguments.characters), arguments.cut))
    table = Table("scorer", "source", "characters", "pairs", "chosen wins", "95%")
    for row in told:
        within = f"{row.low:.0%} to {row.high:.0%}"
        table.add_row(row.scorer, row.source, str(row.cut or "all"), str(row.pairs), f"{row.value:.0%}", within)
    Console().print(table)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({"told": [asdict(row) for row in told], "costs": [asdict(row) for row in paid]}, indent=1)
    )


if __name__ == "__main__":
    main()
