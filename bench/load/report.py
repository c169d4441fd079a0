"""The figures of a run as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from bench.load.figures import Bar, RateFigures

_HEADS = (
    "arrived", "accepted", "refused (429)", "rejected", "answered", "failed", "lost",
    "p50 s", "p95 s", "tokens", "deadline misses", "latest s",
)  # fmt: skip


def table(figures: RateFigures) -> Table:
    """One rate, a row for each tenant."""
    fair = "–" if figures.fairness is None else f"{figures.fairness:.3f}"
    mean = "–" if figures.mean_s is None else f"{figures.mean_s:.1f} s"
    shown = Table(
        "tenant",
        title=f"{figures.rate:g} × capacity, {figures.kills} workers killed",
        caption=f"Jain's index {fair}, mean time to answer {mean}; times are of accepted searches, ∞: no answer",
    )
    for head in _HEADS:
        shown.add_column(head, justify="right")
    for name, tenant in figures.tenants.items():
        counts = (tenant.arrived, tenant.accepted, tenant.refused, tenant.rejected, tenant.answered)
        ends = (tenant.failed, tenant.lost)
        times = [_seconds(seconds, tenant.accepted) for seconds in (tenant.p50_s, tenant.p95_s)]
        latest = "–" if tenant.latest_s is None else f"{tenant.latest_s:+.2f}"
        missed = "–" if tenant.latest_s is None else str(tenant.late)
        shown.add_row(name, *map(str, (*counts, *ends)), *times, str(tenant.tokens), missed, latest)
    return shown


def reasons(figures: RateFigures) -> list[str]:
    """Why calls were not answered, a line each, the most frequent first."""
    counted = sorted(figures.reasons.items(), key=lambda item: -item[1])
    return [f"  {count} × {reason}" for reason, count in counted]


def verdicts(bars: Sequence[Bar]) -> Table:
    """Each promise with its figure, and whether it was kept."""
    shown = Table("promise", title="Bars")
    shown.add_column("figure", justify="right")
    shown.add_column("")
    for bar in bars:
        said = {True: "[green]met[/]", False: "[red]missed[/]", None: "not judged"}[bar.met]
        shown.add_row(bar.promise, bar.value, said)
    return shown


def compared(plan: Mapping[str, Any], capacity: float, earlier: Mapping[str, Any]) -> list[str]:
    """What has to be known of the earlier run beside its figures: its capacity, and what was asked of it otherwise."""
    before = earlier["plan"]
    differ = [f"{name} {before.get(name)}, now {now}" for name, now in plan.items() if before.get(name) != now]
    return [
        f"capacity of the earlier run: {earlier['capacity']:.2f} searches/s, now {capacity:.2f}",
        *([f"it was another run: {'; '.join(differ)}"] if differ else []),
    ]


def _seconds(seconds: float | None, accepted: int) -> str:
    if seconds is None:
        return "∞" if accepted else "–"
    return f"{seconds:.1f}"
