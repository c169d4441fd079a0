"""Which calls count as before, while and after a load, and what ratios are made of them."""

from dataclasses import replace

import pytest

from bench.pushing.figures import figures
from bench.pushing.operating import Pushed
from bench.pushing.traffic import Sample

LOADS = [Pushed(f"pushed@{number}", "a classifier", at, 2.0, 3.0, 4.0) for number, at in ((1, 10.0), (2, 40.0))]
# Before the loads calls take 1 s, while models load 3 s, and afterwards 2 s.
WHILE, AFTER = {*range(10, 14), *range(40, 44)}, {*range(14, 20), *range(44, 50)}
SAMPLES = [Sample("score", float(at), 3.0 if at in WHILE else 2.0 if at in AFTER else 1.0) for at in range(60)]


def test_calls_are_told_apart_by_when_they_were_due() -> None:
    median, tail = figures(SAMPLES, LOADS, began=0.0)
    assert (median.quantile, tail.quantile) == (0.5, 0.95)
    # Not those that came so shortly before a load that it may have held them up, nor those after the last load's end.
    assert median.calls == {"before": 7 + 17, "during": 8, "after": 12}
    assert median.seconds == {"before": 1.0, "during": 3.0, "after": 2.0}
    assert median.ratio == {"during": (3.0, 3.0, 3.0), "after": (2.0, 2.0, 2.0)}


def test_ratios_that_differ_between_loads_have_an_interval() -> None:
    slow = [replace(each, seconds=15.0) if 40 <= each.at < 44 else each for each in SAMPLES]
    value, low, high = figures(slow, LOADS, began=0.0)[0].ratio["during"]
    assert (value, low, high) == (pytest.approx(9.0), 3.0, 15.0)


def test_kinds_of_which_a_phase_has_none_are_left_out() -> None:
    assert figures([*SAMPLES, Sample("search", 1.0, 1.0)], LOADS, began=0.0) == figures(SAMPLES, LOADS, began=0.0)
