"""What the calls of a rate amount to, and what is promised of them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.load.calls import Call
from bench.load.driving import Driven
from bench.load.workload import LIGHT, TENANTS

JAIN_BAR, LIGHT_BAR, LATE_BAR_S, FASTER_BAR = 0.95, 2.0, 1.0, 0.7


@dataclass(frozen=True)
class TenantFigures:
    """What a tenant's calls came to.

    Times to answer count from when a call was due, over those accepted; one without an answer took for ever, and a
    percentile that falls on such a one is None. `tokens` were served while calls arrived. `late` searches ended more
    than a second after their deadline, the latest of all `latest_s` seconds after it (negative: before it).
    """

    arrived: int
    accepted: int
    refused: int
    rejected: int
    answered: int
    failed: int
    lost: int
    p50_s: float | None
    p95_s: float | None
    tokens: int
    late: int
    latest_s: float | None


@dataclass(frozen=True)
class RateFigures:
    """What one rate, in multiples of capacity, came to.

    `fairness` is None up to capacity, and where fewer than two tenants wanted more than their share. `mean_s` is the
    mean time to answer of all that were answered. `reasons` counts why calls were not answered.
    """

    rate: float
    kills: int
    tenants: Mapping[str, TenantFigures]
    fairness: float | None
    mean_s: float | None
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class Bar:
    """A promise, and whether it was kept; None where the run cannot tell."""

    promise: str
    value: str
    met: bool | None


def figures(rate: float, driven: Driven) -> RateFigures:
    calls = {tenant: [call for call in driven.calls if call.tenant == tenant] for tenant in TENANTS}
    answered = [
        call.ended_at - call.arrived_at for call in driven.calls if call.outcome == "answered" and call.ended_at
    ]
    return RateFigures(
        rate,
        driven.kills,
        {tenant: _of_tenant(made, driven.served[tenant]) for tenant, made in calls.items()},
        fairness(driven.served, {tenant: _wanted(made) for tenant, made in calls.items()}) if rate > 1 else None,
        sum(answered) / len(answered) if answered else None,
        dict(Counter(_reason(call) for call in driven.calls if call.outcome != "answered")),
    )


def _reason(call: Call) -> str:
    return f"{call.tenant}: {call.outcome}, {call.reason or 'no end'}"


def _of_tenant(calls: Sequence[Call], served: int) -> TenantFigures:
    outcomes = Counter(call.outcome for call in calls)
    times = [_seconds(call) for call in calls if call.accepted]
    late = [call.late_s for call in calls if call.late_s is not None]
    return TenantFigures(
        arrived=len(calls),
        accepted=len(times),
        refused=outcomes["refused"],
        rejected=outcomes["rejected"] + outcomes["unanswered"],
        answered=outcomes["answered"],
        failed=outcomes["failed"],
        lost=outcomes["lost"],
        p50_s=percentile(times, 0.5),
        p95_s=percentile(times, 0.95),
        tokens=served,
        late=sum(each > LATE_BAR_S for each in late),
        latest_s=max(late, default=None),
    )


def _seconds(call: Call) -> float:
    return call.ended_at - call.arrived_at if call.outcome == "answered" and call.ended_at else math.inf


def percentile(times: Sequence[float], share: float) -> float | None:
    """The least of `times` that `share` of them do not exceed (nearest rank); None where that is for ever, or none."""
    if not times:
        return None
    found = sorted(times)[math.ceil(share * len(times)) - 1]
    return None if math.isinf(found) else found


def _wanted(calls: Sequence[Call]) -> float:
    """Tokens that all of a tenant's calls would take; those of calls without an end are those of a mean call."""
    known = [call.tokens for call in calls if call.tokens]
    return len(calls) * sum(known) / len(known) if known else 0.0


def fairness(served: Mapping[str, int], wanted: Mapping[str, float]) -> float | None:
    """Jain's index of the tokens served to tenants that wanted more than their fair share; None for fewer than two.

    J(x) = (Σ x)² / (n · Σ x²) over n tenants: 1 where all got the same, 1/n where one got everything (R. Jain, D. Chiu,
    W. Hawe: A Quantitative Measure of Fairness and Discrimination for Resource Allocation in Shared Computer Systems,
    DEC-TR-301, 1984). A tenant that wants little and gets it is treated fairly, however little that is: so the index is
    taken over those alone whom max-min fairness would give less than they want, all with equal weights. Whom it gives
    what they want is found by filling up from the least demand: what a tenant does not want is shared by the others.
    """
    left, hungry = float(sum(served.values())), sorted(wanted, key=lambda tenant: wanted[tenant])
    while hungry and wanted[hungry[0]] <= left / len(hungry):
        left -= wanted[hungry.pop(0)]
    return jain([served[tenant] for tenant in hungry]) if len(hungry) > 1 else None


def jain(shares: Sequence[float]) -> float | None:
    """Jain's index of fairness, from 1/n to 1; None where nobody got anything."""
    squares = len(shares) * sum(share * share for share in shares)
    return sum(shares) ** 2 / squares if squares else None


def bars(rates: Sequence[RateFigures], earlier: Mapping[str, Any] | None = None) -> list[Bar]:
    """Every promise against the rates of a run, ascending; `earlier` is the JSON of a run of an earlier Darwin."""
    tenants = [tenant for rate in rates for tenant in rate.tenants.values()]
    failed, lost = sum(tenant.failed for tenant in tenants), sum(tenant.lost for tenant in tenants)
    late = max((tenant.latest_s for tenant in tenants if tenant.latest_s is not None), default=None)
    return [
        Bar("accepted searches that failed: 0", str(failed), failed == 0),
        Bar("accepted searches that were lost: 0", str(lost), lost == 0),
        _least_fairness(rates),
        _light(rates),
        Bar(
            f"past a deadline: at most {LATE_BAR_S:g} s",
            "–" if late is None else f"{late:+.2f} s",
            None if late is None else late <= LATE_BAR_S,
        ),
        _faster(rates[-1], earlier),
    ]


def _least_fairness(rates: Sequence[RateFigures]) -> Bar:
    found = [rate.fairness for rate in rates if rate.rate > 1 and rate.fairness is not None]
    promise = f"Jain's index under overload: at least {JAIN_BAR}"
    return Bar(promise, f"{min(found):.3f}", min(found) >= JAIN_BAR) if found else Bar(promise, "–", None)


def _light(rates: Sequence[RateFigures]) -> Bar:
    """Its slowest rate against its least."""
    least = rates[0].tenants[LIGHT].p95_s
    promise = f"the light tenant's p95: at most {LIGHT_BAR:g} of its own at {rates[0].rate:g} ×"
    if least is None or len(rates) == 1:
        return Bar(promise, "–", None)
    others = [rate.tenants[LIGHT].p95_s for rate in rates[1:]]
    if None in others:
        return Bar(promise, "∞", False)
    ratio = max(other for other in others if other is not None) / least
    return Bar(promise, f"{ratio:.2f}", ratio <= LIGHT_BAR)


def _faster(last: RateFigures, earlier: Mapping[str, Any] | None) -> Bar:
    promise = f"mean time to answer at {last.rate:g} ×: at most {FASTER_BAR} of the earlier run's"
    before = next((rate for rate in (earlier or {}).get("rates", ()) if rate["rate"] == last.rate), None)
    if before is None or not before["mean_s"] or last.mean_s is None:
        return Bar(promise, "–" if last.mean_s is None else f"{last.mean_s:.1f} s", None)
    ratio = last.mean_s / before["mean_s"]
    return Bar(promise, f"{ratio:.2f} ({last.mean_s:.1f} s, {before['mean_s']:.1f} s)", ratio <= FASTER_BAR)
