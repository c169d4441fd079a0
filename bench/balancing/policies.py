"""The same evolutions under different ways to choose a replica."""

import random
from collections.abc import Mapping, Sequence
from itertools import count

from rich.console import Console
from rich.table import Table

from bench.balancing.workload import DocumentShape, WorkloadTally, workload
from cli.stack import Stack
from shared.rpc.balancing.choice import choose, ranked
from shared.rpc.balancing.replicas import Choose


def round_robin() -> Choose:
    """Each call to the next replica, whatever it is about."""
    turn = count()

    def chosen(names: tuple[str, ...], loads: Mapping[str, int], added: int, key: str) -> str:
        return names[next(turn) % len(names)]

    return chosen


def least_loaded(names: tuple[str, ...], loads: Mapping[str, int], added: int, key: str) -> str:
    return min(names, key=lambda name: (loads[name], random.random()))


def unbounded(names: tuple[str, ...], loads: Mapping[str, int], added: int, key: str) -> str:
    """Rendezvous hashing, however loaded the preferred replica is."""
    return ranked(key, names)[0] if key else least_loaded(names, loads, added, key)


POLICIES = ("round-robin", "least loaded", "rendezvous", "rendezvous, bounded load")


def _policy(name: str) -> Choose:
    policies = {"least loaded": least_loaded, "rendezvous": unbounded, "rendezvous, bounded load": choose}
    return policies.get(name) or round_robin()


async def compare(
    stack: Stack,
    names: Sequence[str],
    shape: DocumentShape,
    concurrent: int,
    evolutions: int,
    repeats: int,
    console: Console,
) -> dict[str, list[WorkloadTally]]:
    """So many evolutions under each of the policies in turn, as often as `repeats` says."""
    tallies: dict[str, list[WorkloadTally]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            console.log(f"turn {turn + 1} of {repeats}: {name}")
            async with workload(stack, shape, concurrent, _policy(name)) as (work, _):
                tally = await work.run(evolutions)
            console.log(f"  {tally.hit_rate:.1%} cached, {tally.tokens_per_second:.0f} tokens/s, {tally.seconds:.0f} s")
            tallies[name].append(tally)
    return tallies


def table(tallies: Mapping[str, list[WorkloadTally]]) -> Table:
    shown = Table("calls go by", title="3 generation replicas")
    for head in ("cached / given", "tokens/s", "seconds", "sampled", "failed calls"):
        shown.add_column(head, justify="right")
    for name, each in tallies.items():
        whole = total(each)
        cells = (f"{whole.hit_rate:.1%}", f"{whole.tokens_per_second:.0f}", f"{whole.seconds:.0f}", str(whole.sampled))
        shown.add_row(name, *cells, str(whole.failed))
    return shown


def total(tallies: list[WorkloadTally]) -> WorkloadTally:
    names = ("evolutions", "seconds", "given", "cached", "sampled", "failed")
    return WorkloadTally(*(sum(getattr(tally, name) for tally in tallies) for name in names))
