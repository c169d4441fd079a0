"""How well a language model judges by a rubric, and what it costs: `python -m bench.rubric DATA_DIR`.

Needs a running generation service (`python -m services.generation`) at DARWIN_REWARD_GENERATION; the reward runs in
this process. DATA_DIR holds preferences as `darwin reward train` reads them. Of `--pairs` held-out pairs of each source
it counts how often the chosen answer has the higher reward, whole and as unfinished ones cut to `--cut` characters:
by the rubric of the four criteria below, by each of them, by `pairwise`, which is asked in both orders, and by either
order alone, by the head that ships, and where longer wins. How much the judge likes whatever is shown first is told
apart. Sources take turns, so that a run that ends after `--minutes` has as many pairs of each. Then five answers grow
by 40 tokens a round and are judged by four criteria: how many tokens the judge computes a round against those of the
prompt and the answers, each once. Prints tables, writes bench/out/rubric.json.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.reward import QUESTION, growing
from services.reward.bootstrap import build_over
from services.reward.judges.choice import judge_of
from services.reward.judges.judge import Answer, Judge
from services.reward.pairwise.scorer import PairwiseScorer
from services.reward.profiles import ProfileFile, single
from services.reward.registry import PairwiseSpec
from services.reward.rewarder import Rewarder
from services.reward.runtime import Runtime
from services.reward.scorer import Conversation, ScoreItem
from services.reward.settings import RewardSettings
from services.reward.training.data import TEST, TrainingPair, read_preferences
from services.reward.training.evaluate import LONGER, interval
from services.reward.validation import ResponseCandidate
from shared.records.evolution import Message
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
PAIRWISE, FIRST, SECOND = "pairwise", "pairwise, chosen shown first", "pairwise, chosen shown second"
ALL = "all sources"
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


class Remembering:
    """A judge whose last answers are kept."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.answers: list[Answer | None] = []

    async def start(self) -> None:
        await self._judge.start()

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        self.answers = await self._judge.ask(questions, cache_salt, key)
        return self.answers

    async def close(self) -> None:
        await self._judge.close()


class Comparer:
    """The `pairwise` scorer over generation's own model, and what it was told in either order."""

    def __init__(self) -> None:
        self._spec = PairwiseSpec(name="pairwise", weight=1, type="pairwise", timeout_s=600)
        runtime = Runtime(generation=RewardSettings().generation)
        self._judge = Remembering(judge_of(self._spec, runtime))
        self._scorer = PairwiseScorer(self._spec, runtime, self._judge)

    async def load(self) -> None:
        await self._scorer.load()

    async def close(self) -> None:
        await self._scorer.close()

    async def margins(self, messages: Sequence[Message], texts: Sequence[str], *, partial: bool) -> dict[str, float]:
        """By how much the first text is preferred: in both orders, and in either alone; none where both are equal, or
        nothing had to be asked."""
        conversation = Conversation(tuple(messages))
        self._judge.answers = []
        scored = await self._scorer.compare([ScoreItem(conversation, text, partial) for text in texts])
        found = {PAIRWISE: scored[0].value - scored[1].value, FIRST: 0.0, SECOND: 0.0}
        if len(self._judge.answers) == 2:
            first, second = (0.5 if each is None or each.yes is None else each.yes for each in self._judge.answers)
            found |= {FIRST: first - 0.5, SECOND: 0.5 - second}
        return found


async def margins(rewarder: Rewarder, comparer: Comparer, pair: TrainingPair, cut: int | None) -> dict[str, float]:
    """By how much each scorer prefers the chosen answer."""
    texts = pair.chosen[:cut], pair.rejected[:cut]
    candidates = [ResponseCandidate(str(index), text, partial=cut is not None) for index, text in enumerate(texts)]
    messages = pair.conversation.messages
    by_head, by_rubric = [(await rewarder.score(messages, candidates, name)).scores for name in (HEAD, APART)]
    found = {LONGER: float(len(texts[0]) - len(texts[1])), HEAD: by_head[0].reward - by_head[1].reward}
    found |= await comparer.margins(messages, texts, partial=cut is not None)
    found[RUBRIC] = by_rubric[0].reward - by_rubric[1].reward
    for text, chosen, rejected in zip(CRITERIA, by_rubric[0].parts, by_rubric[1].parts, strict=True):
        found[text] = chosen.value - rejected.value
    return found


@dataclass(frozen=True)
class Position:
    """How much the judge likes what is shown first: the mean over pairs, each asked in both orders, of P(the first is
    better), which is 1/2 without a liking; and the share of pairs in whose two orders it names different winners."""

    cut: int | None
    pairs: int
    first: float
    torn: float


def position(cut: int | None, rows: Sequence[Mapping[str, float]]) -> Position:
    """Of pairs that were asked about."""
    asked = [row for row in rows if row[FIRST] or row[SECOND]]
    liked = [0.5 + (row[FIRST] - row[SECOND]) / 2 for row in asked]
    torn = [row[FIRST] * row[SECOND] < 0 for row in asked]
    return Position(cut, len(asked), float(np.mean(liked)), float(np.mean(torn)))


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


async def measured(
    pairs: Sequence[TrainingPair], cut: int, minutes: float
) -> tuple[list[Told], list[Position], list[Cost]]:
    rewarder, comparer = build_over(profiles(), RUBRIC, RewardSettings()), Comparer()
    await rewarder.start()
    try:
        await comparer.load()
        paid = await costs(rewarder)
        Console().print(table_of(paid))
        ends_at, judged = time.monotonic() + 60 * minutes, list[TrainingPair]()
        rows: dict[int | None, list[dict[str, float]]] = {None: [], cut: []}
        for pair in track(pairs, "judging"):
            if time.monotonic() > ends_at:
                break
            found = [await margins(rewarder, comparer, pair, length) for length in rows]
            for length, row in zip(rows, found, strict=True):
                rows[length].append(row)
            judged.append(pair)
    finally:
        await rewarder.stop()
        await comparer.close()
    told = []
    for source in (*sorted({pair.source for pair in judged}), ALL):
        mine = [index for index, pair in enumerate(judged) if source in (ALL, pair.source)]
        prompts = [judged[index].conversation.digest for index in mine]
        for length, each in rows.items():
            told += shares(source, length, prompts, [each[index] for index in mine])
    return told, [position(length, each) for length, each in rows.items()], paid


def sample(folder: Path, each: int, most: int) -> list[TrainingPair]:
    """The first held-out pairs of each source that have less than `most` characters, sources in turn."""
    taken: list[TrainingPair] = []
    for pair in read_preferences(sorted(folder.glob("*.jsonl")), 0.2, skip_invalid=True).pairs:
        fits = sum(len(message.content) for message in pair.conversation.messages) + len(pair.chosen) < most
        if pair.split == TEST and fits and sum(other.source == pair.source for other in taken) < each:
            taken.append(pair)
    seen = Counter[str]()
    turns = []
    for pair in taken:
        turns.append(seen[pair.source])
        seen[pair.source] += 1
    return [pair for _, pair in sorted(zip(turns, taken, strict=True), key=lambda both: both[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", type=int, default=40, help="of each source")
    parser.add_argument("--characters", type=int, default=6_000, help="of conversation and answer, at most")
    parser.add_argument("--cut", type=int, default=200, help="characters of an unfinished answer")
    parser.add_argument("--minutes", type=float, default=60.0, help="of judging, at most")
    arguments = parser.parse_args()
    pairs = sample(arguments.data, arguments.pairs, arguments.characters)
    told, liked, paid = asyncio.run(measured(pairs, arguments.cut, arguments.minutes))
    table = Table("scorer", "source", "characters", "pairs", "chosen wins", "95%")
    for row in told:
        within = f"{row.low:.0%} to {row.high:.0%}"
        table.add_row(row.scorer, row.source, str(row.cut or "all"), str(row.pairs), f"{row.value:.0%}", within)
    Console().print(table)
    for each in liked:
        Console().print(
            f"{each.cut or 'all'} characters, {each.pairs} pairs: P(the first is better) {each.first:.2f} on average, "
            f"another winner in the other order in {each.torn:.0%}"
        )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"told": told, "position": liked, "costs": paid}, default=asdict, indent=1))


if __name__ == "__main__":
    main()
