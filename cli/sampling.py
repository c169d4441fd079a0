"""One run of `darwin reward sample`: read, score, write what each component gives for known answers."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from cli.console import progress
from services.reward.bootstrap import build_unsampled
from services.reward.reference import MOST, Reference, Sample
from services.reward.rewarder import Rewarder, ScorePart
from services.reward.training.data import TrainingPair, read_preferences
from services.reward.validation import ResponseCandidate

_AT_ONCE = 8
_HOLDOUT = 0.2  # the sample is of both sides
_SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class SamplingPlan:
    """What the command was asked for; `command` is what was typed."""

    profile: str
    data: tuple[Path, ...]
    out: Path
    pairs: int
    skip_invalid: bool
    seed: int
    threads: int
    command: str


def run(plan: SamplingPlan, console: Console) -> None:
    """Raises DarwinError where the plan or its data cannot be used."""
    preferences = read_preferences(plan.data, _HOLDOUT, skip_invalid=plan.skip_invalid)
    drawn = sorted(preferences.pairs, key=lambda pair: pair.id)
    random.Random(plan.seed).shuffle(drawn)
    rewarder, identities = build_unsampled(plan.profile, plan.threads)
    drawn = drawn[: min(plan.pairs, MOST // 2)]
    with progress(console) as bars:
        task = bars.add_task("answers", total=2 * len(drawn))
        scored = asyncio.run(_score(rewarder, drawn, lambda count: bars.advance(task, count)))
    values = {name: tuple(sorted(_values(scored, name))) for name in identities}
    reference = Reference(
        samples={name: Sample(component=identities[name], values=values[name]) for name in identities},
        about={
            "command": plan.command,
            "data": {file.name: digest for file, digest in preferences.digests.items()},
            "answers": len(scored),
        },
    )
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    plan.out.write_text(reference.model_dump_json() + "\n", "utf-8")
    console.print(_table(reference))
    console.print(f"wrote {plan.out}; `reference: {plan.out.name}` in the profile beside it uses it", highlight=False)


async def _score(
    rewarder: Rewarder, pairs: Sequence[TrainingPair], advance: Callable[[int], None]
) -> list[tuple[ScorePart, ...]]:
    await rewarder.start()
    try:
        found: list[tuple[ScorePart, ...]] = []
        for start in range(0, len(pairs), _AT_ONCE):
            some = pairs[start : start + _AT_ONCE]
            for parts in await asyncio.gather(*(_answers(rewarder, pair) for pair in some)):
                found += parts
            advance(2 * len(some))
    finally:
        await rewarder.stop()
    return found


async def _answers(rewarder: Rewarder, pair: TrainingPair) -> list[tuple[ScorePart, ...]]:
    candidates = [ResponseCandidate(str(number), text) for number, text in enumerate((pair.chosen, pair.rejected))]
    scored = await rewarder.score(pair.conversation.messages, candidates)
    return [score.parts for score in scored.scores]


def _values(scored: Sequence[tuple[ScorePart, ...]], name: str) -> Iterator[float]:
    return (round(part.value, 6) for parts in scored for part in parts if part.name == name)


def _table(reference: Reference) -> Table:
    table = Table("component", *(f"{share:.0%}" for share in _SHOWN))
    for name, sample in reference.samples.items():
        table.add_row(name, *(f"{value:.3f}" for value in np.quantile(sample.values, _SHOWN)))
    return table
