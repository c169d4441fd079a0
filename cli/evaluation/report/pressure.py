"""Whether the judge goes with the guide as pressure rises: more samples, a shorter period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cli.evaluation.report.cells import MeasuredCell
from cli.evaluation.report.curves import Curve
from cli.evaluation.report.statistics import Bootstrap, Interval

FROM_N = 8


@dataclass(frozen=True)
class Slope:
    """What guide and judge gain each time that pressure doubles (n twice as large, the period half as long)."""

    cell: str
    change: str
    guide: Interval | None
    judge: Interval | None


def slopes(cells: Sequence[MeasuredCell], curve: Curve | None, bootstrap: Bootstrap) -> tuple[Slope, ...]:
    """Of the curve from n = 8 to its end, and of cells which differ in the period alone, one with the next shorter.

    Only cells whose setting names the period are compared.
    """
    made = []
    if curve and curve.largest > FROM_N:
        change = f"n {FROM_N} → {curve.largest}"
        made.append(
            _slope(curve.at(FROM_N), curve.at(curve.largest), curve.largest / FROM_N, change, bootstrap, curve.method)
        )
    alike: dict[tuple[str, str], dict[int, MeasuredCell]] = {}
    for cell in cells:
        setting = dict(cell.rows[0].setting)
        if isinstance(period := setting.pop("period", None), int):
            alike.setdefault((cell.method, _named(setting)), {})[period] = cell
    for (method, others), by_period in alike.items():
        falling = sorted(by_period, reverse=True)
        for longer, shorter in pairwise(falling):
            name = f"{method} {others}".strip()
            change = f"period {longer} → {shorter}"
            made.append(_slope(by_period[longer], by_period[shorter], longer / shorter, change, bootstrap, name))
    return tuple(made)


def _slope(less: MeasuredCell, more: MeasuredCell, ratio: float, change: str, bootstrap: Bootstrap, name: str) -> Slope:
    known = set(more.questions)
    questions = [question for question in less.questions if question in known]
    low, high = less.on(questions), more.on(questions)
    guide, judge = ((high[scorer] - low[scorer]) / np.log2(ratio) for scorer in ("guide", "judge"))
    return Slope(name, change, bootstrap.mean(guide), bootstrap.mean(judge))


def _named(setting: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(setting.items()))
