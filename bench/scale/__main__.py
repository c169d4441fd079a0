"""The real workers, Redis and gRPC over simulated engines: what they do to many replicas and many evolutions.

python -m bench.scale            # prints tables, writes bench/out/scale.json; about 13 minutes
python -m bench.scale --quick    # a smaller fleet, within a minute
python -m bench.scale --plot docs/images

Engines take `--stretch` times as long as vLLM's steps, as `bench.latency` fitted them; prompts take no time but where
it says so, because vLLM on these cores reads them no faster than it writes. How fast engines may be before the cores of
this machine, and no longer they, are the limit, is measured too.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress

from bench.scale import http, plots, report
from bench.scale.counting import Counting
from bench.scale.fleet import Fleet, running
from bench.scale.http import GatewayCost
from bench.scale.measuring import LoadPoint, ideal, idle, measure
from bench.scale.shape import EvolutionShape
from services.generation.simulated_batch import CPU

OUT = Path(__file__).parents[1] / "out" / "scale.json"


@dataclass(frozen=True)
class ScalePlan:
    """What is measured: `each` evolutions per replica as replicas grow; on the last of these counts of replicas whether
    prompts take time too (`prefill`), more and more evolutions, engines that get `faster`; and `full` evolutions on
    engines that take almost no time.
    """

    replicas: Sequence[int]
    each: int
    prefill: bool
    concurrent: Sequence[int]
    faster: Sequence[float]
    full: int
    window_s: float
    http: int
    stretch: float

    @property
    def points(self) -> int:
        return len(self.replicas) + len(self.concurrent) + len(self.faster) + self.prefill + 1


DEFAULT = ScalePlan((1, 2, 4, 8, 16, 32, 64), 4, True, (1, 10, 100, 1000, 5000), (0.4, 0.2, 0.1), 64, 12.0, 200, 0.75)
QUICK = ScalePlan((8,), 4, False, (50,), (), 32, 3.0, 20, 0.1)
_STEPS = f"{CPU.step_s},{CPU.sequence_s},0"
_INSTANT = "0.0001,0,0"


class Bench:
    """Measures points, one after another."""

    def __init__(self, plan: ScalePlan, latency: str, progress: Progress) -> None:
        self._plan = plan
        self._latency = latency
        self._progress = progress
        self._task = progress.add_task("", total=plan.points)
        self._shape = EvolutionShape()

    def replicas(self) -> list[LoadPoint]:
        fleets = (Fleet(count, self._latency, self._plan.stretch) for count in self._plan.replicas)
        return [point for fleet in fleets for point in self._on(fleet, [fleet.replicas * self._plan.each])]

    def concurrent(self) -> list[LoadPoint]:
        return self._on(Fleet(self._plan.replicas[-1], self._latency, self._plan.stretch), self._plan.concurrent)

    def prefill(self) -> list[LoadPoint]:
        """The last of `replicas`, where prompts take the time that they took vLLM."""
        count = self._plan.replicas[-1]
        return self._on(Fleet(count, "cpu", self._plan.stretch), [count * self._plan.each])

    def faster(self) -> list[LoadPoint]:
        count = self._plan.replicas[-1]
        fleets = (Fleet(count, self._latency, stretch) for stretch in self._plan.faster)
        return [point for fleet in fleets for point in self._on(fleet, [count * self._plan.each])]

    def full(self) -> list[LoadPoint]:
        """Where the machine is the limit."""
        return self._on(Fleet(self._plan.replicas[-1], _INSTANT), [self._plan.full])

    def gateway(self) -> GatewayCost:
        with running(Fleet(1, _INSTANT)) as (stack, counting):
            return asyncio.run(http.measure(stack.url, counting, self._shape, self._plan.http))

    def _on(self, fleet: Fleet, concurrent: Sequence[int]) -> list[LoadPoint]:
        best = {count: ideal(fleet, count, self._shape) for count in concurrent}
        with running(fleet) as (_, counting):
            return asyncio.run(self._measure(fleet, counting, best))

    async def _measure(self, fleet: Fleet, counting: Counting, best: Mapping[int, float]) -> list[LoadPoint]:
        quiet, points = await idle(counting), []
        for concurrent, rate in best.items():
            what = f"{fleet.replicas} replicas, {concurrent} evolutions"
            self._progress.update(self._task, description=what)
            points.append(await measure(counting, fleet, concurrent, self._shape, rate, self._plan.window_s, quiet))
            self._progress.advance(self._task)
        return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--latency", default=_STEPS, help="as DARWIN_GENERATION_SIMULATED_LATENCY")
    parser.add_argument("--stretch", type=float)
    parser.add_argument("--plot", type=Path, help="a folder for pictures")
    options = parser.parse_args()
    plan = QUICK if options.quick else DEFAULT
    plan = replace(plan, stretch=options.stretch or plan.stretch)
    console = Console(width=120)
    with Progress(console=console) as progress:
        bench = Bench(plan, options.latency, progress)
        by_replicas = bench.replicas()
        console.print(report.rates(by_replicas, "As replicas grow"))
        prefill = bench.prefill() if plan.prefill else []
        if prefill:
            console.print(report.rates(prefill, "The last of them, where prompts take time too"))
        by_concurrent = bench.concurrent()
        console.print(report.rates(by_concurrent, "As evolutions grow"))
        faster = [*bench.faster(), *bench.full()]
        console.print(report.rates(faster, "As engines get faster, until they take no time"))
        gateway = bench.gateway()
    points = [*by_replicas, *prefill, *by_concurrent, *faster]
    console.print(report.cpu(points), report.limits(points[-1]), report.commands(points[-1]))
    console.print(
        f"{psutil.cpu_count()} cores; the gateway: {gateway.ms:.1f} ms an evolution of {gateway.events:.0f} events"
    )
    if options.plot:
        plots.draw(by_replicas, by_concurrent, options.plot)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({"plan": asdict(plan), "gateway": asdict(gateway), "points": [p.json for p in points]}, indent=2)
    )


if __name__ == "__main__":
    main()
