"""One run of `darwin reward calibrate`: read, score, fit, write, show."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from cli.console import progress
from services.reward.bootstrap import build_uncalibrated
from services.reward.length import LengthCurve
from services.reward.rewarder import Rewarder
from services.reward.training.data import TRAIN, TrainingPair, read_preferences
from services.reward.training.length import fit_curve
from services.reward.validation import ResponseCandidate

_AT_ONCE = 8


@dataclass(frozen=True)
class CalibrationPlan:
    """What the command was asked for; `command` is what was typed."""

    profile: str
    data: tuple[Path, ...]
    out: Path
    pairs: int
    holdout: float
    skip_invalid: bool
    seed: int
    threads: int
    command: str


@dataclass(frozen=True)
class Rewarded:
    """A reference answer, its reward, and whether the curve may learn from it."""

    text: str
    reward: float
    trains: bool


def run(plan: CalibrationPlan, console: Console) -> None:
    """Raises DarwinError where the plan or its data cannot be used."""
    preferences = read_preferences(plan.data, plan.holdout, skip_invalid=plan.skip_invalid)
    drawn = sorted(preferences.pairs, key=lambda pair: pair.id)
    random.Random(plan.seed).shuffle(drawn)
    rewarder, components = build_uncalibrated(plan.profile, plan.threads)
    with progress(console) as bars:
        task = bars.add_task("answers", total=2 * min(plan.pairs, len(drawn)))
        scored = asyncio.run(_score(rewarder, drawn[: plan.pairs], lambda count: bars.advance(task, count)))
    known = [answer for answer in scored if answer.trains]
    knots, rewards = fit_curve([len(answer.text) for answer in known], [answer.reward for answer in known])
    about = {
        "command": plan.command,
        "data": {file.name: digest for file, digest in preferences.digests.items()},
        "answers": len(known),
    }
    curve = LengthCurve(
        components=components,
        characters=tuple(knots.tolist()),
        rewards=tuple(round(float(reward), 4) for reward in rewards),
        about=about,
    )
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    plan.out.write_text(curve.model_dump_json(indent=1) + "\n", "utf-8")
    _show(curve, [answer for answer in scored if not answer.trains], plan, console)


async def _score(rewarder: Rewarder, pairs: Sequence[TrainingPair], advance: Callable[[int], None]) -> list[Rewarded]:
    await rewarder.start()
    try:
        found = []
        for start in range(0, len(pairs), _AT_ONCE):
            some = pairs[start : start + _AT_ONCE]
            found += await asyncio.gather(*(_answers(rewarder, pair) for pair in some))
            advance(2 * len(some))
    finally:
        await rewarder.stop()
    return [answer for answers in found for answer in answers]


async def _answers(rewarder: Rewarder, pair: TrainingPair) -> list[Rewarded]:
    texts = (pair.chosen, pair.rejected)
    candidates = [ResponseCandidate(str(number), text) for number, text in enumerate(texts)]
    scored = await rewarder.score(pair.conversation.messages, candidates)
    trains = pair.split == TRAIN
    return [Rewarded(text, score.reward, trains) for text, score in zip(texts, scored.scores, strict=True)]


def _show(curve: LengthCurve, held_out: Sequence[Rewarded], plan: CalibrationPlan, console: Console) -> None:
    table = Table("characters", "mean reward")
    for characters, reward in list(zip(curve.characters, curve.rewards, strict=True))[::4]:
        table.add_row(f"{characters:.0f}", f"{reward:.2f}")
    console.print(table)
    lengths = [len(answer.text) for answer in held_out]
    before = np.array([answer.reward for answer in held_out])
    after = before - [curve.predicted(answer.text) for answer in held_out]
    ranks = [float(spearmanr(lengths, rewards).statistic) for rewards in (before, after)]
    console.print(
        f"{len(held_out)} held-out answers: rank correlation of reward and length {ranks[0]:.2f}, less the curve "
        f"{ranks[1]:.2f}",
        highlight=False,
    )
    console.print(f"wrote {plan.out}; `length_curve: {plan.out.name}` in a profile beside it takes it away")
