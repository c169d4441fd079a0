"""The load bench's arithmetic: what arrives, what it amounts to, and which promises it keeps."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from bench.load import report
from bench.load.calls import Call
from bench.load.driving import Driven
from bench.load.figures import RateFigures, TenantFigures, bars, fairness, figures, jain, percentile
from bench.load.workload import FLOOD, LIGHT, STEADY, TENANTS, arrivals, per_second

CAPACITY, SECONDS, DEADLINE_S = 5.0, 400.0, 30.0


def asked(rate: float, seed: int = 1) -> list[Any]:
    return arrivals(seed, rate, CAPACITY, SECONDS, DEADLINE_S)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_tenants_arrive_at_random_and_together_at_the_rate(rate: float) -> None:
    asks = asked(rate)
    assert sum(per_second(rate, CAPACITY).values()) == pytest.approx(rate * CAPACITY)
    for tenant, of_tenant in per_second(rate, CAPACITY).items():
        times = [ask.at_s for ask in asks if ask.tenant == tenant]
        expected = of_tenant * SECONDS
        assert abs(len(times) - expected) < 4 * math.sqrt(expected)
        # Gaps of a Poisson process are exponential: as far from each other as they are long.
        gaps = [later - earlier for earlier, later in pairwise(times)]
        mean = sum(gaps) / len(gaps)
        spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        assert 0.8 < spread / mean < 1.25
    assert [ask.at_s for ask in asks] == sorted(ask.at_s for ask in asks)
    assert asks[-1].at_s < SECONDS


def test_the_light_tenant_asks_for_the_same_at_the_same_times_at_every_rate() -> None:
    def light(rate: float, seed: int = 1) -> list[Any]:
        return [ask for ask in asked(rate, seed) if ask.tenant == LIGHT]

    assert light(0.5) == light(2.0)
    assert light(0.5) != light(0.5, seed=2)
    assert all(ask.body["darwin"]["deadline_ms"] == 30_000 for ask in light(1.0))
    assert not any("darwin" in ask.body for ask in asked(1.0) if ask.tenant != LIGHT)


def test_methods_and_sizes_are_mixed_and_some_answers_are_long() -> None:
    flood = [ask for ask in asked(2.0) if ask.tenant == FLOOD][:200]
    assert Counter(ask.body["model"] for ask in flood) == {
        "sample": 80,
        "best-of-n": 40,
        "darwin": 50,
        "replacement-only": 30,
    }
    sizes = sorted(ask.body["max_tokens"] for ask in flood)
    assert sizes[-1] > 5 * sizes[len(sizes) // 2] > 10 * sizes[0] > 0
    assert 0.2 < sum(ask.streamed for ask in flood) / len(flood) < 0.4


def test_jains_index_tells_equal_shares_from_one_takes_all() -> None:
    assert jain([3, 3, 3]) == pytest.approx(1)
    assert jain([7, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([1, 2]) == pytest.approx(9 / 10)
    assert jain([0, 0]) is None


def test_fairness_is_judged_among_those_who_want_more_than_their_share() -> None:
    wanted = {FLOOD: 1300.0, STEADY: 600.0, LIGHT: 100.0}
    # The light tenant wants a tenth and gets it: no injustice, though others get four times as much.
    assert fairness({FLOOD: 450, STEADY: 450, LIGHT: 100}, wanted) == pytest.approx(1)
    # First come, first served: to each in proportion to what it asks for.
    assert fairness({FLOOD: 650, STEADY: 300, LIGHT: 50}, wanted) == pytest.approx(950**2 / (2 * (650**2 + 300**2)))
    # Only one wants more than its share.
    assert fairness({FLOOD: 800, STEADY: 100, LIGHT: 100}, wanted | {STEADY: 100.0}) is None
    # Everybody gets everything.
    assert fairness({FLOOD: 1300, STEADY: 600, LIGHT: 100}, wanted) is None


def test_a_percentile_is_one_of_the_times_and_none_where_it_never_came() -> None:
    assert percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 2.0
    assert percentile([float(second) for second in range(1, 101)], 0.95) == 95.0
    assert percentile([1.0, math.inf], 0.5) == 1.0
    assert percentile([1.0, math.inf], 0.95) is None
    assert percentile([], 0.5) is None


def made() -> Driven:
    """Two calls a second of one tenant and of another, which end in every way."""
    calls = [Call(FLOOD, float(at), None, "answered", at + 0.1, at + 10.0, tokens=100) for at in range(8)]
    calls += [Call(FLOOD, 8.0, outcome="refused", reason="HTTP 429"), Call(FLOOD, 9.0, reason="ConnectError")]
    calls += [Call(STEADY, float(at), None, "answered", at + 0.1, at + 2.0, tokens=100) for at in range(9)]
    calls += [Call(STEADY, 9.0, None, "lost", 9.1)]
    calls += [Call(LIGHT, 0.0, 3.0, "answered", 0.5, 5.0, tokens=10)]
    calls += [Call(LIGHT, 1.0, 3.0, "failed", 1.0, 4.5, reason="DeadlineExceeded")]
    return Driven(calls, {FLOOD: 500, STEADY: 400, LIGHT: 20}, kills=2)


def test_every_call_is_counted_as_what_became_of_it() -> None:
    found = figures(2.0, made())
    flood, steady, light = (found.tenants[tenant] for tenant in TENANTS)
    assert (flood.arrived, flood.accepted, flood.refused, flood.rejected, flood.answered) == (10, 8, 1, 1, 8)
    assert (steady.accepted, steady.answered, steady.lost, steady.failed) == (10, 9, 1, 0)
    assert (light.accepted, light.answered, light.failed) == (2, 1, 1)
    assert (flood.p50_s, flood.p95_s) == (10.0, 10.0)
    # The one in ten that is lost never came.
    assert (steady.p50_s, steady.p95_s) == (2.0, None)
    # 1.5 s and 0.5 s past a deadline that counts from acceptance: one of them by more than a second.
    assert (light.late, light.latest_s) == (1, 1.5)
    assert flood.latest_s is None
    assert found.mean_s == pytest.approx((8 * 10 + 9 * 2 + 5) / 18)
    assert found.fairness == pytest.approx(900**2 / (2 * (500**2 + 400**2)))
    assert found.reasons == {
        "flood: refused, HTTP 429": 1,
        "flood: unanswered, ConnectError": 1,
        "steady: lost, no end": 1,
        "light: failed, DeadlineExceeded": 1,
    }
    assert figures(1.0, made()).fairness is None


def test_what_was_asked_otherwise_of_an_earlier_run_is_told() -> None:
    plan = {"seconds": 120.0, "seed": 1}
    [same] = report.compared(plan, 5.0, {"capacity": 4.0, "plan": plan})
    assert "4.00 searches/s, now 5.00" in same
    assert (
        "seconds 15.0, now 120.0" in report.compared(plan, 5.0, {"capacity": 4.0, "plan": plan | {"seconds": 15.0}})[1]
    )


GOOD = TenantFigures(10, 10, 0, 0, 10, 0, 0, 1.0, 4.0, 100, 0, -2.0)


def rate(multiple: float, mean_s: float = 5.0, fair: float | None = None, **light: Any) -> RateFigures:
    tenants = dict.fromkeys(TENANTS, GOOD) | {LIGHT: replace(GOOD, **light)}
    return RateFigures(multiple, 0, tenants, fair, mean_s, {})


def verdicts(*rates: RateFigures, earlier: dict[str, Any] | None = None) -> list[bool | None]:
    return [bar.met for bar in bars(rates, earlier)]


def test_promises_are_kept_missed_or_not_to_be_judged() -> None:
    earlier = {"rates": [{"rate": 0.5, "mean_s": 1.0}, {"rate": 2.0, "mean_s": 10.0}]}
    good = rate(0.5), rate(2.0, fair=0.97, p95_s=8.0)
    assert verdicts(*good, earlier=earlier) == [True] * 6
    assert verdicts(rate(0.5, failed=1), good[1], earlier=earlier)[0] is False
    assert verdicts(rate(0.5, lost=1), good[1], earlier=earlier)[1] is False
    assert verdicts(good[0], rate(2.0, fair=0.94))[2] is False
    assert verdicts(good[0], rate(2.0, p95_s=8.1))[3] is False
    assert verdicts(good[0], rate(2.0, p95_s=None))[3] is False
    assert verdicts(good[0], rate(2.0, latest_s=1.1))[4] is False
    assert verdicts(good[0], rate(2.0, mean_s=7.1), earlier=earlier)[5] is False
    # The two other tenants had no deadline.
    without = replace(good[0], tenants=dict.fromkeys(TENANTS, replace(GOOD, latest_s=None)))
    assert verdicts(without) == [True, True, None, None, None, None]
