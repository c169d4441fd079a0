"""A run: the stack is started, its capacity measured, and then every rate, the least first."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from bench.load import report
from bench.load.calls import Call
from bench.load.driving import Driven, Key, drive, make_keys, measure_capacity
from bench.load.figures import RateFigures, figures
from bench.load.workload import arrivals
from cli.stack import Stack, StackSettings

_WORKERS = 2
_CONCURRENCY = "DARWIN_ORCHESTRATOR_CONCURRENCY"
_ENV = {
    "DARWIN_GATEWAY_KEYS": "required",
    # 64 sequences at a time, which hardly slow each other down, as on a GPU. Answers are as long as they may be.
    "DARWIN_GENERATION_SIMULATED_LATENCY": "0.03,0.0002,0",
    "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
    # Searches have four sequences on average: both workers together hold about as many as the engine decodes at a time,
    # so what cannot run yet waits in the queue and not in the engine, where nobody could be preferred.
    _CONCURRENCY: "8",
}
_LEAST_PATIENCE_S = 60.0


@dataclass(frozen=True)
class LoadPlan:
    """What is measured; rates are multiples of capacity. `capacity` (searches per second) is measured for `capacity_s`
    where it is None. `env` reaches every process.
    """

    seconds: float = 120.0
    rates: Sequence[float] = (0.5, 1.0, 2.0)
    kill_every_s: float = 20.0
    deadline_s: float = 30.0
    seed: int = 1
    capacity: float | None = None
    capacity_s: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict)

    def patience_s(self, rate: float) -> float:
        """How long after the last arrival an accepted search is waited for: several times what a backlog takes."""
        return _LEAST_PATIENCE_S + 3 * rate * self.seconds


@dataclass(frozen=True)
class LoadRun:
    """What was measured: capacity in searches per second, and each rate, the least first."""

    capacity: float
    rates: Sequence[RateFigures]


def run(plan: LoadPlan, console: Console) -> LoadRun:
    """Measures everything, and prints each rate once it is measured.

    Raises:
        StackError: a process did not start, or ended by itself.
        RuntimeError: nothing was answered while capacity was measured.
        TimeoutError: a search of that time did not end.
    """
    found = []
    settings = StackSettings.simulated({**_ENV, **plan.env}, workers=_WORKERS)
    with Stack(settings) as stack:
        keys = asyncio.run(make_keys(stack.redis_url))
        capacity = plan.capacity
        if capacity is None:
            with console.status(f"measuring capacity for {plan.capacity_s:g} s"):
                at_once = 2 * _WORKERS * int(settings.env[_CONCURRENCY])
                capacity = asyncio.run(measure_capacity(stack.url, keys, at_once, plan.capacity_s, plan.seed))
        console.print(f"capacity: {capacity:.2f} searches/s")
        for rate in sorted(plan.rates):
            found.append(figures(rate, _drive(stack, keys, plan, rate, capacity, console)))
            console.print(report.table(found[-1]), *report.reasons(found[-1]), sep="\n")
    return LoadRun(capacity, found)


def _drive(
    stack: Stack, keys: Mapping[str, Key], plan: LoadPlan, rate: float, capacity: float, console: Console
) -> Driven:
    asks = arrivals(plan.seed, rate, capacity, plan.seconds, plan.deadline_s)
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=len(asks))

        def tell(calls: Sequence[Call]) -> None:
            over = sum(call.over for call in calls)
            description = f"{rate:g} × capacity: {len(calls)} arrived, {len(calls) - over} under way"
            progress.update(task, completed=over, description=description)

        driven = asyncio.run(drive(stack, keys, asks, plan.seconds, plan.patience_s(rate), plan.kill_every_s, tell))
    # The next rate finds every worker there.
    stack.await_ready(*stack.pids)
    return driven
